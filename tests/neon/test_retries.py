"""A create whose answer is lost is sent again with its `Idempotency-Key`: there is one task."""

import sys
from collections import Counter
from uuid import uuid4

import httpx2
import pytest

from tests.neon import proxy
from tests.neon.postgres import Postgres
from tests.neon.proxy import Proxy
from tests.neon.service import TASKS, serve, titles
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon")]

SHORTEST_MESSAGE = 5  # bytes, in PostgreSQL's protocol


def statuses_until_created(alice: httpx2.Client, title: str) -> list[int]:
    """Send the same create with the same key until it is 201."""
    statuses: list[int] = []
    while 201 not in statuses and len(statuses) < 9:
        headers = {"Idempotency-Key": title}
        statuses.append(alice.post(TASKS, json={"title": title}, headers=headers).status_code)
    return statuses


def cut_everywhere(alice: httpx2.Client, network: Proxy) -> Counter[tuple[int, ...]]:
    """Cut the database's answer inside each of its messages. The titles are equally long."""
    seen: Counter[tuple[int, ...]] = Counter()
    for length in range(0, 10_000, SHORTEST_MESSAGE):
        network.cut_after(length)
        statuses = statuses_until_created(alice, uuid4().hex)
        seen[tuple(statuses)] += 1
        if statuses == [201]:  # it was whole before the cut
            network.cut_after(sys.maxsize)
            return seen
    raise AssertionError(f"no end: {seen}")


def test_a_cut_anywhere_in_the_answer_leaves_one_task(
    project: Project, server: Postgres, database: str
) -> None:
    with proxy.running(server.port) as network:
        url = server.url(database, port=network.port, sslmode="disable")
        with serve(project, url, DATABASE_POOL_SIZE="1") as service, service.user() as alice:
            assert statuses_until_created(alice, "connects") == [201]
            seen = cut_everywhere(alice, network)
            stored = Counter(titles(alice))
    assert seen.keys() == {(503, 201), (201,)}
    assert seen[503, 201] > 60
    assert stored.total() == len(stored) == seen.total() + 1
