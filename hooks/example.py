"""Render `example/`: a project with the default answers, to be read in the repository."""

import shutil
import tempfile
from pathlib import Path

from hooks.rendering import ROOT, leave_git_hook, render, snapshot

EXAMPLE = ROOT / "example"
COMMAND = "uv run python -m hooks.example"


def make(folder: Path) -> Path:
    """Without the answers file: it would name a folder of this machine."""
    with tempfile.TemporaryDirectory() as source:
        render(snapshot(Path(source)), folder, {})
    (folder / ".copier-answers.yml").unlink()
    return folder


def main() -> None:
    leave_git_hook()
    shutil.rmtree(EXAMPLE, ignore_errors=True)
    make(EXAMPLE)


if __name__ == "__main__":
    main()
