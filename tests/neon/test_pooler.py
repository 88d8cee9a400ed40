"""Many users through a transaction-mode pooler with two server connections."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import httpx2
import psycopg2
import pytest

from hooks.rendering import ROOT
from tests.neon.pgbouncer import SERVER_CONNECTIONS
from tests.neon.postgres import Postgres
from tests.neon.programs import until
from tests.neon.service import (
    TASKS,
    Service,
    assert_stored_once,
    python,
    result,
    serve,
    writing,
)
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon")]

USERS = 8
ROUNDS = 25
STATEMENT_TIMEOUT = 1
GRACE = 5  # seconds after a statement's timeout in which the server can still say that it was one
SLACK = 5  # seconds for a busy machine

# What PgBouncer itself keeps in step between a client and the server connection that it gets.
PASSED_ON = {
    *("application_name", "client_encoding", "DateStyle"),
    *("standard_conforming_strings", "TimeZone"),
}
STATE = """
    SELECT pg_backend_pid(), current_user = session_user AND current_setting('role') = 'none',
           coalesce(current_setting('app.user_id', true), ''),
           (SELECT count(*) FROM pg_prepared_statements),
           array(SELECT name FROM pg_settings WHERE source = 'session')
"""


@pytest.fixture(scope="module")
def url(server: Postgres, database: str, bouncer: int) -> str:
    return server.url(database, port=bouncer, sslmode="require")


@pytest.fixture(scope="module")
def service(project: Project, url: str) -> Iterator[Service]:
    settings = {
        "DATABASE_POOL_SIZE": str(USERS),
        "DATABASE_STATEMENT_TIMEOUT": str(STATEMENT_TIMEOUT),
    }
    with serve(project, url, **settings) as service:
        yield service


def work(service: Service) -> None:
    """A user's operations; each answer is of that user, and of nobody else."""
    name = f"user-{uuid4()}"
    with service.user(name) as client:
        for _ in range(ROUNDS):
            path = f"{TASKS}/{created(client, name)['id']}"
            assert mine(client.get(path), name)
            assert mine(client.patch(path, json={"title": name}), name)
            assert mine(client.post(f"{path}/toggle"), name)["completed"]
            (item,) = client.get(TASKS).json()["items"]
            assert (item["user_id"], item["title"]) == (name, name)
            assert client.delete(path).status_code == 204


def created(client: httpx2.Client, name: str) -> dict[str, Any]:
    return mine(client.post(TASKS, json={"title": name}), name)


def mine(answer: httpx2.Response, name: str) -> dict[str, Any]:
    task: dict[str, Any] = answer.raise_for_status().json()
    assert (task["user_id"], task["title"]) == (name, name)
    return task


def state_of_server_connections(url: str) -> dict[int, tuple[object, ...]]:
    """What a client finds on each: its open transaction holds one, so the next gets another."""
    found = {}
    with closing(psycopg2.connect(url)) as one, closing(psycopg2.connect(url)) as other:
        for connection in (one, other):
            with connection.cursor() as cursor:
                cursor.execute(STATE)
                ((pid, *state, changed),) = cursor.fetchall()
                found[pid] = (*state, set(changed) - PASSED_ON)
    return found


def test_users_see_their_own_tasks_only_and_leave_nothing_on_server_connections(
    service: Service, url: str
) -> None:
    with ThreadPoolExecutor(USERS) as pool:
        for done in [pool.submit(work, service) for _ in range(USERS)]:
            done.result()
        done_after_errors = [pool.submit(refused, service) for _ in range(USERS)]
        assert {done.result() for done in done_after_errors} == {404}
    states = state_of_server_connections(url)
    assert len(states) == SERVER_CONNECTIONS
    assert set(map(str, states.values())) == {str((True, "", 0, set()))}


def refused(service: Service) -> int:
    with service.user() as client:
        return client.delete(f"{TASKS}/{uuid4()}").status_code


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_hostile_uses_of_the_database_layer_reach_nobodys_rows(
    project: Project, server: Postgres, database: str, url: str, way: str
) -> None:
    program = str(ROOT / "tests/kit/hostile.py")
    settings = {"DATABASE_POOL_SIZE": "4", "DATABASE_STATEMENT_TIMEOUT": "0.5"}
    direct = server.url(database)
    attack = python(project, url if way == "pooled" else direct, program, "1", **settings)
    code, said = result(attack)
    assert code == 0, said
    counts = re.findall(r"^{'statements': (\d+), 'looks': (\d+)", said, re.MULTILINE)
    assert [min(map(int, each)) > 300 for each in counts] == [True], said


def test_server_connections_lost_behind_a_pooler_are_a_503_and_lose_or_repeat_no_write(
    service: Service, server: Postgres, database: str
) -> None:
    with writing(service) as answers:
        for _ in range(5):
            time.sleep(0.2)
            server.terminate_connections(database)
            server.terminate_statements(database)
    assert {201} < set(answers.values()) <= {201, 503}
    assert_stored_once(service, answers)


def test_a_database_stopped_behind_a_pooler_is_a_503_until_it_is_back(
    service: Service, server: Postgres
) -> None:
    with service.user() as alice:
        server.stop()
        try:
            started = time.monotonic()
            assert alice.get(TASKS).status_code == 503
            assert time.monotonic() - started < STATEMENT_TIMEOUT + GRACE + SLACK
        finally:
            server.start()
        until(lambda: alice.get(TASKS).status_code == 200, seconds=5)


def test_the_statement_timeout_holds_through_a_pooler_and_ends_with_the_statement(
    service: Service, server: Postgres, database: str, url: str
) -> None:
    with server.locked(database), service.user() as alice:
        assert alice.get(TASKS).status_code == 503
    with service.user() as alice:
        assert alice.get(TASKS).status_code == 200
    assert set(map(str, state_of_server_connections(url).values())) == {str((True, "", 0, set()))}
