"""Render the template as it is in the working tree, without touching the repository."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import copier
import yaml

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template"


def configuration(root: Path = ROOT) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / "copier.yml").read_text("utf-8"))
    return loaded


def questions(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Every question, also the computed ones, which nobody is asked."""
    return {name: value for name, value in configuration(root).items() if not name.startswith("_")}


def is_asked(question: Mapping[str, Any]) -> bool:
    return question.get("when", True) is not False


def leave_git_hook() -> None:
    """In a git hook, `GIT_*` name the repository being committed to, whatever the folder."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]


def snapshot(destination: Path) -> Path:
    """Copy what git tracks or would add, as it is in the working tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = os.fsdecode(subprocess.check_output(command, cwd=ROOT))
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name)
    return destination


def render(source: Path, destination: Path, answers: Mapping[str, str]) -> Path:
    """Render `source` with `answers`, and the defaults for the rest. Never trusts the template."""
    asked = {name for name, question in questions(source).items() if is_asked(question)}
    if unknown := answers.keys() - asked:
        raise ValueError(f"No such question: {', '.join(sorted(unknown))}")
    copier.run_copy(str(source), destination, data=dict(answers), defaults=True, quiet=True)
    return destination
