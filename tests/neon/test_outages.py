"""The database sleeps, restarts, hangs or disappears: what users notice, and for how long."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL

import httpx2
import pytest

from tests.neon import proxy
from tests.neon.postgres import PASSWORD, Postgres
from tests.neon.programs import until
from tests.neon.proxy import Proxy
from tests.neon.service import TASKS, Service, assert_stored_once, serve, writing
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon")]

POOL = 4
STATEMENT_TIMEOUT = 1
POOL_TIMEOUT = 1
CONNECT_TIMEOUT = 2
GRACE = 5  # seconds after a statement's timeout in which the server can still say that it was one
SLACK = 5  # seconds for a busy machine

SETTINGS = {
    "DATABASE_POOL_SIZE": str(POOL),
    "DATABASE_POOL_TIMEOUT": str(POOL_TIMEOUT),
    "DATABASE_STATEMENT_TIMEOUT": str(STATEMENT_TIMEOUT),
}
TASK = {"title": "Buy milk"}


@pytest.fixture(scope="module")
def service(project: Project, server: Postgres, database: str) -> Iterator[Service]:
    with serve(project, server.url(database), **SETTINGS) as service:
        yield service


@pytest.fixture(scope="module")
def network(server: Postgres) -> Iterator[Proxy]:
    with proxy.running(server.port) as network:
        yield network


@pytest.fixture(scope="module")
def remote(project: Project, server: Postgres, database: str, network: Proxy) -> Iterator[Service]:
    """A service with a network between itself and its database."""
    with serve(project, server.url(database, port=network.port), **SETTINGS) as service:
        yield service


def create(service: Service) -> httpx2.Response:
    with service.user() as alice:
        return alice.post(TASKS, json=TASK)


def at_once(service: Service, times: int) -> Sequence[httpx2.Response]:
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(create, [service] * times))


def seconds(call: Callable[[], httpx2.Response], status: int) -> float:
    """How long it takes to be answered so."""
    started = time.monotonic()
    answer = call()
    assert answer.status_code == status, answer.text
    if status == 503:
        assert answer.headers["Retry-After"] == "1"
    return time.monotonic() - started


def assert_recovered(service: Service) -> None:
    assert {answer.status_code for answer in at_once(service, 2 * POOL)} == {201}


def test_connections_that_are_closed_while_idle_fail_no_request(
    service: Service, server: Postgres, database: str
) -> None:
    for _ in range(3):
        at_once(service, 2 * POOL)
        assert server.terminate_connections(database) > 1
        until(lambda: server.connections(database) == 0)
        assert_recovered(service)


def test_a_database_that_takes_its_time_to_wake_up_fails_no_request(
    remote: Service, network: Proxy, server: Postgres, database: str
) -> None:
    at_once(remote, POOL)
    server.terminate_connections(database)
    until(lambda: server.connections(database) == 0)
    network.delay = 0.1  # in each direction, of each of the trips that it takes to connect
    try:
        assert create(remote).status_code == 201
    finally:
        network.delay = 0
    assert_recovered(remote)


def test_a_database_that_is_stopped_is_a_503_until_it_is_back(
    service: Service, server: Postgres
) -> None:
    at_once(service, POOL)
    server.stop()
    try:
        assert seconds(lambda: create(service), 503) < CONNECT_TIMEOUT
        assert seconds(lambda: httpx2.get(f"{service.url}/healthz"), 200) < 1
        assert seconds(lambda: httpx2.get(f"{service.url}/readyz"), 503) < CONNECT_TIMEOUT
    finally:
        server.start()
    assert create(service).status_code == 201
    assert_recovered(service)


def test_a_503_and_the_reason_in_the_log_have_one_request_id(
    service: Service, server: Postgres
) -> None:
    server.stop()
    try:
        request_id = create(service).headers["X-Request-ID"]
    finally:
        server.start()
    lines = [json.loads(line) for line in service.log.read_text("utf-8").splitlines()]
    reason, request = (line for line in lines if line["request_id"] == request_id)
    assert (reason["event"], reason["level"]) == ("database unavailable", "warning")
    assert reason["reason"]
    assert "\n" not in reason["reason"]
    assert (request["event"], request["status"]) == ("request", 503)
    assert PASSWORD not in service.log.read_text("utf-8")
    assert_recovered(service)


def test_under_load_lost_connections_are_a_503_and_lose_or_repeat_no_write(
    service: Service, server: Postgres, database: str
) -> None:
    with writing(service) as answers:
        for _ in range(10):
            time.sleep(0.1)
            server.terminate_connections(database)
            server.terminate_statements(database)
    assert {201} < set(answers.values()) <= {201, 503}
    assert_stored_once(service, answers)
    assert_recovered(service)


def test_a_locked_table_is_a_503_in_bounded_time_for_any_number_of_requests(
    service: Service, server: Postgres, database: str
) -> None:
    def wait() -> httpx2.Response:
        return create(service)

    with server.locked(database), ThreadPoolExecutor(6 * POOL) as pool:
        waits = [pool.submit(seconds, wait, 503) for _ in range(6 * POOL)]
        time.sleep(STATEMENT_TIMEOUT / 2)
        assert seconds(lambda: httpx2.get(f"{service.url}/healthz"), 200) < 1
        longest = max(wait.result() for wait in waits)
    assert longest < POOL_TIMEOUT + STATEMENT_TIMEOUT + SLACK
    assert_recovered(service)


def test_a_network_that_falls_silent_under_statements_is_a_503_in_bounded_time(
    remote: Service, network: Proxy, server: Postgres, database: str
) -> None:
    at_once(remote, POOL)
    with server.locked(database), ThreadPoolExecutor(POOL) as pool:
        waits = [pool.submit(seconds, lambda: create(remote), 503) for _ in range(POOL)]
        time.sleep(STATEMENT_TIMEOUT / 2)
        network.fall_silent()
        longest = max(wait.result() for wait in waits)
    assert STATEMENT_TIMEOUT + GRACE <= longest < STATEMENT_TIMEOUT + GRACE + SLACK
    network.speak()
    assert_recovered(remote)


def test_a_network_that_falls_silent_while_idle_is_a_503_in_bounded_time(
    remote: Service, network: Proxy
) -> None:
    at_once(remote, POOL)
    network.fall_silent()
    try:
        assert seconds(lambda: create(remote), 503) < STATEMENT_TIMEOUT + GRACE + SLACK
        assert seconds(lambda: httpx2.get(f"{remote.url}/healthz"), 200) < 1
    finally:
        network.speak()
    assert_recovered(remote)


def test_connecting_to_a_silent_network_ends_after_the_connect_timeout(
    remote: Service, network: Proxy, server: Postgres, database: str
) -> None:
    server.terminate_connections(database)
    until(lambda: server.connections(database) == 0)
    network.fall_silent()
    try:
        assert seconds(lambda: create(remote), 503) < CONNECT_TIMEOUT + SLACK
    finally:
        network.speak()
    assert_recovered(remote)


SHORT_LIVES = """
import sys, uvicorn
from kit import database
database.LONGEST_LIFE = 0.5
uvicorn.run("app.main:app", fd=int(sys.argv[2]))
"""


def test_connections_that_a_firewall_forgot_fail_no_request(
    project: Project, server: Postgres, database: str, network: Proxy
) -> None:
    """A connection is replaced before a firewall forgets it; here after half a second."""
    url = server.url(database, port=network.port)
    patient = {**SETTINGS, "DATABASE_STATEMENT_TIMEOUT": "10"}
    with serve(project, url, program=("-c", SHORT_LIVES), **patient) as service:
        at_once(service, POOL)
        time.sleep(1)
        network.forget()
        started = time.monotonic()
        assert {answer.status_code for answer in at_once(service, POOL)} == {201}
        assert time.monotonic() - started < SLACK
        assert_recovered(service)


@pytest.mark.parametrize("killed", ["service", "database"])
def test_what_was_answered_201_survives_a_crash(
    project: Project, server: Postgres, database: str, killed: str
) -> None:
    url = server.url(database)
    with serve(project, url, **SETTINGS) as service, writing(service) as answers:
        until(lambda: len(answers) > 50)
        if killed == "database":
            server.kill()
        else:
            service.signal(SIGKILL)
    if killed == "database":
        server.start()
    assert 201 in answers.values()
    with serve(project, url, **SETTINGS) as service:
        assert_stored_once(service, answers)
