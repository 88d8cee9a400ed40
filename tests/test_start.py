"""The page that leads to a running service: its commands work, and answer what it shows."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from signal import SIGINT

import pytest

from hooks.rendering import ROOT, snapshot
from tests.documents import COMMANDS, Step, section, steps
from tests.projects import GIT_IDENTITY, UV, Project, project_environment
from tests.repositories import commit
from tests.servers import left_over, running

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="uses signals")]

PAGE = (ROOT / "docs/start.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8000"
CALL = re.compile(r"^```sh\n(.*?)^```\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GREETING = re.compile(r"^```\n(  Docs .*?)^```$", re.MULTILINE | re.DOTALL)
# What is another at each run, but the same wherever it stands again.
SOCKETS = re.compile(r"kit-pg-\d+-[0-9a-f]{8}")
VARIES = re.compile(r'"(?:id|created_at|updated_at|request_id)": "([^"]+)"')


def test_the_page_leads_from_a_clone_to_a_committed_service(folder: Path, shared: Path) -> None:
    project = rendered(folder, shared)
    (run,) = steps(section(PAGE, "Run it"))
    said = project.root / "said"
    script = f"{COMMANDS}\n{run.text.strip()} --port {{port}} > said"
    with running(
        ["bash", "-euc", script], project.root, project.environment, "X-User-ID"
    ) as server:
        check_answers(project, server.url)
        assert server.signal(SIGINT) == 0
    (greeting,) = GREETING.findall(PAGE)
    expected, actual = greeting.replace(ADDRESS, server.url), said.read_text("utf-8").strip("\n")
    assert SOCKETS.sub("", f"{actual}\n") == SOCKETS.sub("", expected)
    said.unlink()

    collect = {**project.environment, "PYTEST_ADDOPTS": "--collect-only --quiet"}
    for step in steps(section(PAGE, "Test it")):
        step.take(replace(project, environment=collect))
    for step in steps(section(PAGE, "Commit it")):
        step.take(project)
    assert project.run("git", "status", "--porcelain") == ""
    assert "uv.lock" in project.run("git", "ls-files").splitlines()
    assert not left_over(folder)


def rendered(folder: Path, shared: Path) -> Project:
    """What the page renders from a clone of this repository, with the default answers."""
    clone = snapshot(folder / "clone")
    commit(clone, "Now")
    environment = {
        **project_environment(shared),
        **GIT_IDENTITY,
        "PATH": f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(folder / "pre-commit"),
    }
    (copy,) = steps(section(PAGE, "Render it"))
    unasked = copy.text.replace("copier copy ", "copier copy --defaults ")  # no terminal here
    Step("sh", unasked).take(Project(clone, environment))
    project = Project(folder / "todo-service", environment)
    project.sync()
    return project


def check_answers(project: Project, url: str) -> None:
    """Make the calls in order, in one shell, and compare each answer with the one below it."""
    calls = section(PAGE, "Call it").replace(ADDRESS, url)
    pairs = CALL.findall(calls)
    assert [command for command, _ in pairs] == [step.text for step in steps(calls)]
    said = project.run("bash", "-euc", "\nprintf '\\0'\n".join(command for command, _ in pairs))
    answers = [json.loads(answer) for answer in said.split("\0")]
    known: dict[str, str] = {}  # by what stands for it on the page
    for (command, shown), answer in zip(pairs, answers, strict=True):
        for placeholder, value in zip(varying(json.loads(shown)), varying(answer), strict=True):
            assert known.setdefault(placeholder, value) == value, command
        assert json.loads(replaced(shown, known)) == answer, command
    assert len({*known.values()}) == len(known)


def varying(answer: object) -> list[str]:
    return VARIES.findall(json.dumps(answer, sort_keys=True))


def replaced(text: str, known: dict[str, str]) -> str:
    for placeholder, value in known.items():
        text = text.replace(placeholder, value)
    return text
