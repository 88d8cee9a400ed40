"""`uv run dev` in a rendered project, and the command of the quick start that leads there."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals

import httpx2
import psutil
import pytest

from hooks.rendering import render, snapshot
from tests.projects import DEV, GIT_IDENTITY, UV, Project, passable_folder, project_environment
from tests.readme import START
from tests.servers import Server, left_over, running

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="uses signals")]

HEADER = "Remote-User"

Dev = Callable[[], AbstractContextManager[Server]]


def rendered(template: Path, shared: Path, folder: Path) -> Project:
    root = render(template, folder / "todo service", {"user_id_header": HEADER})
    project = Project(root, project_environment(shared))
    project.sync()
    return project


@pytest.fixture(scope="module")
def shared_project(template: Path, shared: Path) -> Iterator[Project]:
    with passable_folder() as folder:
        yield rendered(template, shared, folder)


@pytest.fixture
def project(shared_project: Project) -> Project:
    """The tests share it, and its database: each has users of its own."""
    shared_project.sync()  # the environment is that of the project which was synced last
    return shared_project


@pytest.fixture
def new_project(template: Path, shared: Path, folder: Path) -> Project:
    """One that has never run: it has no database yet."""
    return rendered(template, shared, folder)


@pytest.fixture
def dev(project: Project) -> Dev:
    return partial(running, DEV, project.root, project.environment, HEADER)


def ends(project: Project, shared: Path) -> bool:
    """Whether all of it has ended, soon."""
    deadline = time.monotonic() + 20
    while (found := left_over(project.root, shared)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not found


def assert_it_does_not_wait_for_acknowledgements(server: Server) -> None:
    """A client delays each for 40 ms. Without TCP_NODELAY, as many answers take two seconds."""
    with httpx2.Client(base_url=server.url) as client:
        client.get("/healthz")
        begun = time.monotonic()
        assert {client.get("/healthz").status_code for _ in range(50)} == {200}
        assert time.monotonic() - begun < 50 * 0.04


def test_tasks_outlive_the_server_and_nothing_keeps_running(
    dev: Dev, project: Project, shared: Path
) -> None:
    before = project.files_for_git()
    with dev() as server:
        server.add("alice", "Buy milk")
        assert server.tasks("alice") == ["Buy milk"]
        assert server.tasks("bob") == []
        assert_it_does_not_wait_for_acknowledgements(server)
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


@pytest.mark.parametrize(
    ("name", "number"),
    [("uv", SIGTERM), ("uv", SIGKILL), ("dev", SIGHUP), ("dev", SIGKILL), ("uvicorn", SIGKILL)],
)
def test_whichever_process_is_stopped_all_of_them_stop(
    dev: Dev, project: Project, shared: Path, name: str, number: Signals
) -> None:
    with dev() as server:
        processes(server)[name].send_signal(number)
        server.process.wait(timeout=30)
        assert ends(project, shared)


def processes(server: Server) -> dict[str, psutil.Process]:
    uv = psutil.Process(server.process.pid)
    (dev,) = uv.children()
    (uvicorn,) = (child for child in dev.children() if "uvicorn" in child.cmdline())
    return {"uv": uv, "dev": dev, "uvicorn": uvicorn}


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL])
def test_it_stops_in_the_middle_of_its_start(
    new_project: Project, shared: Path, number: Signals
) -> None:
    command = [UV, "run", "--no-sync", "dev", "--port", "0"]
    for tenths in (2, 6, 10, 14):
        with subprocess.Popen(
            command, cwd=new_project.root, env=new_project.environment, start_new_session=True
        ) as process:
            time.sleep(tenths / 10)
            os.killpg(process.pid, number)
        assert ends(new_project, shared), tenths


def test_projects_run_side_by_side_but_each_only_once(
    dev: Dev, project: Project, template: Path
) -> None:
    other = replace(project, root=render(template, project.root.parent / "other", {}))
    with dev() as first, running(DEV, other.root, other.environment, "X-User-ID") as second:
        first.add("carol", "Buy milk")
        assert second.tasks("carol") == []
        for port in ("0", first.url.rpartition(":")[2]):
            with pytest.raises(AssertionError, match="is in use: stop this project's `dev`"):
                project.uv_run("dev", "--port", port)
        assert first.tasks("carol") == ["Buy milk"]


def test_the_shell_has_no_say_on_the_embedded_database(project: Project) -> None:
    variables = dict.fromkeys(("PGHOST", "PGSERVICE", "PGOPTIONS", "http_proxy"), "nowhere")
    project = replace(project, environment={**project.environment, **variables})
    project.uv_run("alembic", "upgrade", "head")
    with running(DEV, project.root, project.environment, HEADER) as server:
        server.add("dave", "Buy milk")
        assert not variables.keys() & processes(server)["uvicorn"].environ().keys()
        project.uv_run("alembic", "check")
        assert left_over(project.root)
    assert left_over(project.root) == []  # what it has started ends with the test


def test_a_team_with_a_path_that_a_shell_would_expand_can_work(
    template: Path, folder: Path
) -> None:
    root = render(template, folder / "a $HOME service", {"user_id_header": HEADER})
    environment = project_environment(folder) | {"UV_PROJECT_ENVIRONMENT": str(root / ".venv")}
    project = Project(root, environment)
    project.sync()
    with running(DEV, root, environment, HEADER) as server:
        assert server.tasks("alice") == []
        assert server.signal(SIGINT) == 0


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
    (folder / "todo/app/mine.py").touch()
    with quick_start() as server:
        assert server.tasks("alice") == ["Buy milk"]
        server.signal(SIGINT)
    assert (folder / "todo/app/mine.py").exists()
    assert not left_over(folder)
