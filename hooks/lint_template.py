"""Lint and format `template/` in place, by the rules of the project that it renders to."""

import subprocess
import sys
import tempfile
from pathlib import Path

from hooks.rendering import TEMPLATE, leave_git_hook, render, snapshot

# Each folder that has rules of its own, and what in it is checked by them.
FOLDERS = {".": ["app", "tests"], "kit": ["."]}


def main() -> int:
    leave_git_hook()
    with tempfile.TemporaryDirectory() as folder:
        source = snapshot(Path(folder, "template"))
        project = render(source, Path(folder, "project"), {})
        codes = [
            subprocess.run(
                [sys.executable, "-m", "ruff", *command, "--config", rules, *checked],
                cwd=TEMPLATE / name,
                check=False,
            ).returncode
            for name, checked in FOLDERS.items()
            for rules in [project / name / "pyproject.toml"]
            for command in (["check", "--fix"], ["format"])
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
