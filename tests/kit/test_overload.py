"""More requests than the service can answer: each gets its answer, and in time."""

import asyncio
import json
from asyncio import FIRST_COMPLETED
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from kit.database_url import parse_url
from kit.overload import MOST_WAITING
from sqlalchemy import NullPool, create_engine, text

from tests.kit.services import TASKS, serve_in_process

POOL = 2
MORE = 50
AT_ONCE = 5  # seconds, on a slow machine: those that wait may do so for 60
ORIGIN = "https://app.example.com"


class Answer(NamedTuple):
    status: int
    head: str
    body: bytes
    took: float


async def ask(base: str, path: str) -> Answer:
    """On a connection of its own."""
    begun = perf_counter()
    address = urlsplit(base)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-User-ID: alice\r\nOrigin: {ORIGIN}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode())
    head_, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    text_ = head_.decode().lower()
    return Answer(int(text_.split()[1]), text_, body, perf_counter() - begun)


@contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Whoever reads a task waits."""
    engine = create_engine(parse_url(database_url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE task"))
        yield


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[str]:
    settings = {
        "DATABASE_POOL_SIZE": str(POOL),
        "DATABASE_POOL_TIMEOUT": "60",
        "DATABASE_STATEMENT_TIMEOUT": "60",
        "CORS_ORIGINS": ORIGIN,
        "UVICORN_ROOT_PATH": "/api",  # by which no other path belongs to the API
    }
    with serve_in_process(database_url, tmp_path / "log", **settings) as (_, url):
        yield url


async def overload(service: str, database_url: str) -> tuple[list[Answer], list[Answer], Answer]:
    """The answers to those that wait, to those that are too many, and of the health check."""
    with locked(database_url):
        number = POOL + MOST_WAITING + MORE
        waiting = {asyncio.create_task(ask(service, TASKS)) for _ in range(number)}
        refused: list[Answer] = []
        async with asyncio.timeout(30):
            while len(refused) < MORE:
                done, waiting = await asyncio.wait(waiting, return_when=FIRST_COMPLETED)
                refused += [task.result() for task in done]
            one_more = await ask(service, f"{TASKS}/{uuid4()}")
            health = await ask(service, "/healthz")
        assert len(waiting) == POOL + MOST_WAITING
    assert one_more.took < AT_ONCE
    return await asyncio.gather(*waiting), [*refused, one_more], health


def test_those_that_are_too_many_are_refused_at_once_and_the_others_are_answered(
    service: str, database_url: str, tmp_path: Path
) -> None:
    answered, refused, health = asyncio.run(overload(service, database_url))
    assert {answer.status for answer in answered} == {200}
    assert health.status == 200
    assert {answer.status for answer in refused} == {503}
    assert health.took < AT_ONCE
    for answer in refused:
        assert "retry-after: 1" in answer.head
        assert f"access-control-allow-origin: {ORIGIN}" in answer.head
        problem = json.loads(answer.body)
        assert problem["code"] == "unavailable"
        assert f"x-request-id: {problem['request_id']}" in answer.head
    # They leave no line each, but one a second, and those that were answered leave theirs.
    lines = (tmp_path / "log").read_text().splitlines()
    assert 0 < sum('"event": "overloaded"' in line for line in lines) < MORE
    assert sum('"status": 503' in line for line in lines) == 0
    assert sum('"status": 200' in line for line in lines) > MOST_WAITING
