"""Each operation is one round trip to the database, counted on the wire."""

from collections.abc import Iterator
from typing import NamedTuple

import httpx2
import pytest

from tests.neon import proxy
from tests.neon.postgres import Postgres
from tests.neon.proxy import Proxy
from tests.neon.service import TASKS, serve
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon")]

TASK = {"title": "Buy milk", "description": "", "completed": False}
OPERATIONS = {
    "create": ("POST", "", TASK),
    "list": ("GET", "", None),
    "get": ("GET", "/{id}", None),
    "replace": ("PUT", "/{id}", TASK),
    "update": ("PATCH", "/{id}", {"completed": True}),
    "update nothing": ("PATCH", "/{id}", {}),
    "toggle": ("POST", "/{id}/toggle", None),
    "delete": ("DELETE", "/{id}", None),
}


class Wired(NamedTuple):
    alice: httpx2.Client
    network: Proxy


@pytest.fixture(scope="module")
def wired(project: Project, server: Postgres, database: str) -> Iterator[Wired]:
    with proxy.running(server.port) as network:
        url = server.url(database, port=network.port, sslmode="disable")
        with serve(project, url) as service, service.user() as alice:
            alice.get(TASKS).raise_for_status()  # connects
            yield Wired(alice, network)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_one_round_trip(wired: Wired, operation: str) -> None:
    method, path, body = OPERATIONS[operation]
    task = wired.alice.post(TASKS, json=TASK).json()
    before = wired.network.round_trips
    wired.alice.request(method, TASKS + path.format(**task), json=body).raise_for_status()
    assert wired.network.round_trips - before == 1


def test_a_create_with_a_key_is_one_round_trip_each_time_it_is_sent(wired: Wired) -> None:
    before = wired.network.round_trips
    key = {"Idempotency-Key": "a key"}
    ids = {wired.alice.post(TASKS, json=TASK, headers=key).json()["id"] for _ in range(2)}
    assert (len(ids), wired.network.round_trips - before) == (1, 2)


def test_a_request_that_is_refused_needs_no_database(wired: Wired) -> None:
    before = wired.network.round_trips
    assert wired.alice.post(TASKS, json={}).status_code == 400
    assert wired.alice.get("/healthz").status_code == 200
    assert wired.network.round_trips == before
