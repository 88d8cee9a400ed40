"""`uv run dev` in a rendered project, and the command of the quick start that leads there."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGKILL

import pytest

from hooks.rendering import render, snapshot
from tests.projects import GIT_IDENTITY, UV, Project, project_environment
from tests.readme import START
from tests.servers import Server, left_over, running

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="uses signals")]

HEADER = "Remote-User"


@pytest.fixture
def project(template: Path, shared: Path, folder: Path) -> Project:
    root = render(template, folder / "todo service", {"user_id_header": HEADER})
    project = Project(root, project_environment(shared))
    project.sync()
    return project


@pytest.fixture
def dev(project: Project) -> Callable[[], AbstractContextManager[Server]]:
    command = [UV, "run", "--no-sync", "dev", "--port", "{port}"]
    return partial(running, command, project.root, project.environment, HEADER)


def test_tasks_outlive_the_server_and_nothing_keeps_running(
    dev: Callable[[], AbstractContextManager[Server]], project: Project, shared: Path
) -> None:
    before = project.files_for_git()
    with dev() as server:
        server.add("alice", "Buy milk")
        assert server.tasks("alice") == ["Buy milk"]
        assert server.tasks("bob") == []
        assert server.signal(SIGINT) == 0
    assert not left_over(project.root, shared)

    with dev() as server:
        assert server.tasks("alice") == ["Buy milk"]
        server.add("alice", "Buy bread")
        server.signal(SIGKILL)

    with dev() as server:
        assert server.tasks("alice") == ["Buy bread", "Buy milk"]
        assert server.signal(SIGINT) == 0
    assert not left_over(project.root, shared)
    assert project.files_for_git() == before


@pytest.fixture
def checkout(folder: Path) -> Path:
    """A clone of this repository, as if all that is in the working tree were committed."""
    root = snapshot(folder / "a checkout")
    for command in ("init --quiet", "add --all", "commit --quiet --message Now"):
        environment = {**os.environ, **GIT_IDENTITY}
        subprocess.run(["git", *command.split()], cwd=root, env=environment, check=True)
    return root


@pytest.fixture
def only_python_pip_and_git(folder: Path) -> dict[str, str]:
    subprocess.run([sys.executable, "-m", "venv", folder / "python"], check=True)
    environment = project_environment(folder)
    del environment["UV_PROJECT_ENVIRONMENT"]
    return environment | {"PATH": f"{folder}/python/bin:/usr/bin:/bin"}


def test_the_quick_start_runs_as_it_stands_and_again(
    checkout: Path, only_python_pip_and_git: dict[str, str], folder: Path
) -> None:
    command = ["bash", "-c", START + " --port {port}"]
    quick_start = partial(running, command, checkout, only_python_pip_and_git, "X-User-ID")
    with quick_start() as server:
        server.add("alice", "Buy milk")
        server.signal(SIGINT)
    (folder / "todo-service/app/mine.py").touch()
    with quick_start() as server:
        assert server.tasks("alice") == ["Buy milk"]
        server.signal(SIGINT)
    assert (folder / "todo-service/app/mine.py").exists()
    assert not left_over(folder)
