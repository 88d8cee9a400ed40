"""Git repositories of the tests: templates with releases, and projects of teams."""

import os
import subprocess
from pathlib import Path

from tests.projects import GIT_IDENTITY


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, **GIT_IDENTITY}
    return subprocess.check_output(["git", *arguments], cwd=folder, env=environment, text=True)


def commit(folder: Path, message: str) -> None:
    """Commit all that is in the folder, which becomes a repository if it is none."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def release(folder: Path, version: str) -> None:
    commit(folder, version)
    git(folder, "tag", version)
