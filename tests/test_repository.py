"""This repository passes its own checks."""

import subprocess
import sys
from pathlib import Path

import pytest

from hooks import no_jinja_in_python, questions
from hooks.rendering import ROOT, TEMPLATE


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]])
def test_this_repository_is_linted_formatted_and_typed(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_python_file_of_the_template_holds_jinja() -> None:
    assert not list(no_jinja_in_python.faults(TEMPLATE))


def test_every_question_is_used_and_every_variable_is_asked_for() -> None:
    assert not list(questions.faults(ROOT))


def test_no_lock_file_would_be_committed(template: Path) -> None:
    assert not list(template.rglob("uv.lock"))
