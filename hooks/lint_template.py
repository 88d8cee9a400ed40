"""Lint and format `template/` in place, by the rules of the project that it renders to."""

import subprocess
import sys
import tempfile
from pathlib import Path

from hooks.rendering import TEMPLATE, leave_git_hook, render, snapshot


def main() -> int:
    leave_git_hook()
    with tempfile.TemporaryDirectory() as folder:
        source = snapshot(Path(folder, "template"))
        rules = render(source, Path(folder, "project"), {}) / "pyproject.toml"
        codes = [
            subprocess.run(
                [sys.executable, "-m", "ruff", *command, "--config", rules, "."],
                cwd=TEMPLATE,
                check=False,
            ).returncode
            for command in (["check", "--fix"], ["format"])
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
