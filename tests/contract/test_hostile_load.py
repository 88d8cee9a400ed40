"""Memory and time are bounded, whatever is sent, and whether or not its sender goes on."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import create_connection
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import psutil
import pytest

from tests.contract import raw
from tests.contract.conftest import Serve
from tests.contract.raw import chunked, message
from tests.servers import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("contract"),
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of memory"),
]

MB = 1_000_000
SENDERS = 400
ME = "X-User-ID: mallory"
CREATE = ("POST /api/v1/tasks", ME, "Content-Type: application/json")
CHUNKS = "Transfer-Encoding: chunked"
# By name: what goes on for 30 MB.
ENDLESS = {
    "request line": b"GET /" + b"a" * 30 * MB,
    "header": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 30 * MB,
    "headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 5 * MB,
    "line feeds": b"\r\n" * 15 * MB,
    "length of a chunk": message(*CREATE, CHUNKS, body=b"0" * 30 * MB),
    "extension of a chunk": message(*CREATE, CHUNKS, body=b"1;" + b"a" * 30 * MB),
    "trailers": message(*CREATE, CHUNKS, body=b"0\r\n" + b"a: b\r\n" * 5 * MB),
}


@pytest.fixture(scope="module")
def service(serve: Serve) -> Iterator[Server]:
    """One whose memory no other test has used."""
    with serve({}) as server:
        assert httpx2.get(f"{server.url}/openapi.json").status_code == 200
        yield server


def peak(service: Server) -> int:
    """The most memory in bytes that any of its processes has ever had."""
    processes = psutil.Process(service.process.pid).children(recursive=True)
    said = [Path(f"/proc/{process.pid}/status").read_text("utf-8") for process in processes]
    return max(int(size) * 1024 for text in said for size in re.findall(r"VmHWM:\s+(\d+)", text))


@pytest.fixture(autouse=True)
def bounded(service: Server) -> Iterator[None]:
    """Each test may cost little memory, and a request is answered at once afterwards."""
    before = peak(service)
    yield
    assert_served(service)
    assert peak(service) - before < 50 * MB


def assert_served(service: Server) -> None:
    user = f"alice-{uuid4()}"
    started = time.monotonic()
    service.add(user, "Buy milk")
    assert service.tasks(user) == ["Buy milk"]
    assert time.monotonic() - started < 5


def send_each(service: Server, sent: bytes, connections: ExitStack) -> None:
    """On many connections, which stay open."""
    where = urlsplit(service.url)
    for _ in range(SENDERS):
        connection = create_connection((where.hostname, where.port), 10)
        connections.enter_context(connection)
        connection.sendall(sent)


@pytest.mark.parametrize("sent", ENDLESS.values(), ids=ENDLESS)
def test_what_does_not_end_is_refused(service: Server, sent: bytes) -> None:
    answer = raw.send(service.url, sent)
    assert answer is None or answer.status == 400


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nX-A: " + b"a" * 16_000,
        message("GET /healthz").replace(b"Connection: close", b"Connection: keep-alive"),
        message(*CREATE, "Content-Length: 99999", body=b'{"title": "'),
        message(*CREATE, CHUNKS, body=b"99999\r\n{"),
    ],
    ids=["nothing", "half a head", "a request", "half a body", "half a chunk"],
)
def test_many_senders_that_do_not_go_on_hold_nobody_up(service: Server, sent: bytes) -> None:
    with ExitStack() as connections:
        send_each(service, sent, connections)
        assert_served(service)


def test_many_small_chunks_are_a_body(service: Server) -> None:
    body = b'{"title": "Buy milk"' + b" " * 100_000 + b"}"
    answer = raw.send(service.url, message(*CREATE, CHUNKS, body=chunked(body, 1)))
    assert answer is not None
    assert answer.status == 201


def test_answers_that_are_not_read_are_not_made(service: Server) -> None:
    task = {"title": "x", "description": "x" * 10_000}
    with httpx2.Client(base_url=service.url, headers={"X-User-ID": "mallory"}) as mallory:
        for _ in range(50):
            mallory.post("/api/v1/tasks", json=task).raise_for_status()
    where, sent = urlsplit(service.url), message("GET /api/v1/tasks", ME) * 10_000
    with create_connection((where.hostname, where.port), 1) as connection:
        with suppress(TimeoutError):
            connection.sendall(sent.replace(b"Connection: close", b"Connection: keep-alive"))
        assert_served(service)
