"""SIGTERM: requests in flight are answered, connections are closed, and the service ends.

After its own shutdown uvicorn raises the signal again, so that one process ends by it.
"""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from signal import SIGTERM

import httpx2
import psutil
import pytest

from tests.neon.postgres import Postgres
from tests.neon.programs import until
from tests.neon.service import HEADER, TASKS, Service, assert_stored_once, serve, writing
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon")]


def create(service: Service) -> int:
    with service.user() as client:
        return client.post(TASKS, json={"title": "Buy milk"}).status_code


@pytest.mark.parametrize(
    ("options", "code"),
    [([], -SIGTERM), (["--workers", "2"], 0)],
    ids=["one process", "two workers"],
)
def test_requests_in_flight_are_finished_and_connections_closed(
    project: Project, server: Postgres, database: str, options: list[str], code: int
) -> None:
    with serve(project, server.url(database), *options) as service, ThreadPoolExecutor() as pool:
        family = psutil.Process(service.process.pid).children(recursive=True)
        with server.locked(database):
            answer = pool.submit(create, service)
            server.wait_for_lock()
            service.process.send_signal(SIGTERM)
            time.sleep(0.5)
            assert not answer.done()
        assert answer.result() == 201
        assert service.process.wait(timeout=10) == code
        assert not psutil.wait_procs(family, timeout=5)[1]
    assert server.connections(database) == 0


def test_an_idle_client_does_not_hold_the_service_up(
    project: Project, server: Postgres, database: str
) -> None:
    with serve(project, server.url(database)) as service, service.user() as alice:
        alice.get(TASKS).raise_for_status()
        assert service.signal(SIGTERM) == -SIGTERM


def test_a_shutdown_under_load_loses_nothing_that_was_answered(
    project: Project, server: Postgres, database: str
) -> None:
    url = server.url(database)
    with serve(project, url) as service, writing(service) as answers:
        until(lambda: len(answers) > 50)
        assert service.signal(SIGTERM) == -SIGTERM
    assert set(answers.values()) <= {201, 0}
    with serve(project, url) as service:
        assert_stored_once(service, answers)


def test_two_workers_share_the_requests(project: Project, server: Postgres, database: str) -> None:
    with serve(project, server.url(database), "--workers", "2") as service:
        until(lambda: len(_with_a_connection(service, server)) == 2)


def _with_a_connection(service: Service, server: Postgres) -> set[int]:
    """Processes of the service that have asked the database."""
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(create, [service] * 4)) == {201}
    return {
        process.pid
        for process in psutil.Process(service.process.pid).children(recursive=True)
        for connection in process.net_connections("tcp")
        if connection.raddr[1:] == (server.port,)
    }


def test_a_client_that_never_ends_its_request_holds_it_up_no_longer_than_allowed(
    project: Project, server: Postgres, database: str
) -> None:
    limit = ["--timeout-graceful-shutdown", "1"]
    with serve(project, server.url(database), *limit) as service, unfinished_request(service):
        assert service.signal(SIGTERM) == -SIGTERM
    assert server.connections(database) == 0


@contextmanager
def unfinished_request(service: Service) -> Iterator[None]:
    address = httpx2.URL(service.url)
    head = [f"POST {TASKS} HTTP/1.1", "Host: service", f"{HEADER}: alice", "Content-Length: 9"]
    with socket.create_connection((address.host, address.port)) as client:
        client.sendall("\r\n".join([*head, "Content-Type: application/json", "", "{"]).encode())
        time.sleep(0.5)
        yield
