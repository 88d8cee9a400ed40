"""One rendered service for all tests of the contract, run as in production."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from hooks.rendering import render
from tests.projects import (
    UV,
    Project,
    migrated_database,
    passable_folder,
    project_environment,
)
from tests.servers import NO_TLS, Server, running

HEADER = "X-User-ID"
SERVE = [UV, "run", "--no-sync", "uvicorn", "app.main:app", "--port", "{port}"]
NewUser = Callable[[], httpx2.Client]
Serve = Callable[[dict[str, str]], AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def project(template: Path) -> Iterator[Project]:
    # An environment of its own: other tests look for processes that are left over in theirs.
    with passable_folder() as folder:
        root = render(template, folder / "todo-service", {})
        project = Project(root, project_environment(folder))
        project.sync()
        yield project


@pytest.fixture(scope="session")
def database_url(project: Project) -> Iterator[str]:
    with migrated_database(project) as url:
        yield url


@pytest.fixture(scope="session")
def serve(project: Project, database_url: str) -> Serve:
    """Starts another process of the service, with these settings."""
    environment = {**project.environment, "DATABASE_URL": database_url, "USER_ID_HEADER": HEADER}

    def start(settings: dict[str, str]) -> AbstractContextManager[Server]:
        return running(SERVE, project.root, environment | settings, HEADER)

    return start


@pytest.fixture(scope="session")
def service(serve: Serve) -> Iterator[Server]:
    with serve({}) as server:
        yield server


@pytest.fixture
def new_user(service: Server) -> Iterator[NewUser]:
    """Makes clients, each of a user who has no task yet."""
    clients: list[httpx2.Client] = []

    def new() -> httpx2.Client:
        headers = {HEADER: f"user-{uuid4()}"}
        clients.append(httpx2.Client(base_url=service.url, headers=headers, verify=NO_TLS))
        return clients[-1]

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def alice(new_user: NewUser) -> httpx2.Client:
    return new_user()


@dataclass(frozen=True)
class Node:
    """A folder with the packages of `node/package.json`, and the wheel's own Node.js."""

    folder: Path

    def __call__(self, *command: str) -> str:
        """Run to success, and return what it printed."""
        return run(command, self.folder)

    @property
    def packages(self) -> set[str]:
        text = (self.folder / "package.json").read_text("utf-8")
        return set(json.loads(text)["dependencies"])


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(Path(__file__).parent / "node", folder, dirs_exist_ok=True)
    node = Node(folder)
    node("npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
    return node


def run(command: Sequence[str], folder: Path) -> str:
    """Run a tool of this repository's environment to success, and return what it printed."""
    tools = Path(sys.executable).parent
    done = subprocess.run(
        [tools / command[0], *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
