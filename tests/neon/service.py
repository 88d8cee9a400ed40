"""The rendered service as production runs it, and its users."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from uuid import uuid4

import httpx2

from tests.neon import forks
from tests.neon.forks import Process
from tests.neon.programs import until
from tests.projects import Project
from tests.servers import NO_TLS

TASKS = "/api/v1/tasks"
HEADER = "X-User-ID"
UVICORN = ("-m", "uvicorn", "app.main:app")

Answers = dict[tuple[str, str], int]
"""User and title to the status that creating the task was answered with, 0 for no answer."""


@dataclass(frozen=True)
class Service:
    process: Process
    url: str

    @property
    def log(self) -> Path:
        return self.process.log

    def user(self, name: str = "") -> httpx2.Client:
        headers = {HEADER: name or f"user-{uuid4()}"}
        return httpx2.Client(base_url=self.url, headers=headers, verify=NO_TLS, timeout=40)

    def signal(self, number: int) -> int:
        """Send it, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def is_alive(self) -> bool:
        assert self.process.poll() is None, self.log.read_text("utf-8")
        with self.user() as client, suppress(httpx2.TransportError):
            return client.get("/healthz", timeout=1).is_success
        return False


@contextmanager
def serve(
    project: Project, url: str, *options: str, program: Sequence[str] = UVICORN, **settings: str
) -> Iterator[Service]:
    """Run the service with the settings, and wait until it lives; its database may not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = forks.start(
            _python(project),
            [*program, "--fd", str(listener.fileno()), *options],
            project.root,
            {**project.environment, **_environment(url), **settings},
            passed=[listener.fileno()],
        )
        port = listener.getsockname()[1]
    service = Service(process, f"http://127.0.0.1:{port}")
    try:
        until(service.is_alive)
        yield service
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def python(project: Project, url: str, *arguments: str, **settings: str) -> Process:
    """Start `python` in the project, with this database."""
    environment = {**project.environment, **_environment(url), **settings}
    return forks.start(_python(project), arguments, project.root, environment)


def alembic(project: Project, url: str, *command: str) -> Process:
    return python(project, url, "-m", "alembic", *command)


def result(process: Process) -> tuple[int, str]:
    """The exit code, and all that was printed."""
    return process.wait(), process.log.read_text("utf-8")


def upgrade(project: Project, url: str) -> None:
    code, output = result(alembic(project, url, "upgrade", "head"))
    assert code == 0, output


def check(project: Project, url: str, **settings: str) -> tuple[int, str]:
    """Run `python -m kit.check`."""
    return result(python(project, url, "-m", "kit.check", **settings))


@contextmanager
def writing(service: Service, users: int = 4, seconds: float = 30) -> Iterator[Answers]:
    """Meanwhile users create tasks, each with a title of its own, while the service lives."""
    answers: Answers = {}
    deadline = time.monotonic() + seconds
    done = Event()

    def write(user: str) -> None:
        with service.user(user) as client, suppress(httpx2.TransportError):
            while not done.is_set() and time.monotonic() < deadline:
                answers[user, title := uuid4().hex] = 0
                answers[user, title] = client.post(TASKS, json={"title": title}).status_code

    with ThreadPoolExecutor(users) as pool:
        writers = [pool.submit(write, f"user-{uuid4()}") for _ in range(users)]
        try:
            yield answers
        finally:
            done.set()
        for writer in writers:
            writer.result()


def assert_stored_once(service: Service, answers: Answers) -> None:
    """Whatever was answered 201 is there, and nothing is there twice."""
    for name in {user for user, _ in answers}:
        with service.user(name) as client:
            stored = Counter(titles(client))
        asked = {title: status for (user, title), status in answers.items() if user == name}
        created = {title for title, status in asked.items() if status == 201}
        assert created <= stored.keys() <= asked.keys()
        assert set(stored.values()) <= {1}


def titles(client: httpx2.Client) -> Iterator[str]:
    """Of all the user's tasks, page by page."""
    cursor: dict[str, str] = {}
    for _ in range(1000):
        page = client.get(TASKS, params={"limit": "200", **cursor}).raise_for_status().json()
        yield from (task["title"] for task in page["items"])
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


def _python(project: Project) -> str:
    return f"{project.environment['UV_PROJECT_ENVIRONMENT']}/bin/python"


def _environment(url: str) -> dict[str, str]:
    return {"DATABASE_URL": url, "USER_ID_HEADER": HEADER}
