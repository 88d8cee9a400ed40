"""Copier as people call it: a process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hooks.rendering import ROOT
from tests.documents import section, steps
from tests.projects import GIT_IDENTITY


def copier_copy(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_copying_takes_place_without_trust_or_a_terminal(template: Path, tmp_path: Path) -> None:
    copied = copier_copy(str(template), "todo service", folder=tmp_path)
    assert copied.returncode == 0, copied.stderr
    assert (tmp_path / "todo service/pyproject.toml").is_file()


def test_a_refused_answer_exits_1_and_the_last_line_says_what_to_do(
    template: Path, tmp_path: Path
) -> None:
    refused = copier_copy("-d", "user_id_header=Host", str(template), "project", folder=tmp_path)
    assert refused.returncode == 1
    assert "Choose another header" in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "project").exists()


def test_the_closing_message_commits_as_the_documentation_does(
    template: Path, tmp_path: Path
) -> None:
    message = copier_copy(str(template), "project", folder=tmp_path).stderr
    (documented,) = steps(section((ROOT / "docs/start.md").read_text("utf-8"), "Commit it"))
    assert documented.text.strip() in re.sub(r"^ {4}", "", message, flags=re.MULTILINE)


@pytest.mark.parametrize("destination", ["todo service", "it's; here", "."])
def test_the_commands_in_the_closing_message_work(
    template: Path, tmp_path: Path, destination: str
) -> None:
    message = copier_copy(str(template), destination, folder=tmp_path).stderr
    commands = re.findall(r"^ {4}(\S.*)$", message, re.MULTILINE)
    assert [command for command in commands if command.startswith("uv")] == [
        "uv run dev",
        "uv run pytest",
        "uv run pre-commit install",
    ]
    script = "\n".join(command for command in commands if not command.startswith("uv"))
    subprocess.run(
        ["bash", "-euc", script], cwd=tmp_path, env={**os.environ, **GIT_IDENTITY}, check=True
    )
    uncommitted = subprocess.check_output(["git", "status", "--short"], cwd=tmp_path / destination)
    assert not uncommitted
