"""The head of a request alone names its caller, and one request gets one response."""

from uuid import uuid4

import pytest

from tests.contract import raw
from tests.contract.raw import chunked, message
from tests.projects import Project
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

JSON = "Content-Type: application/json"
TASK = b'{"title": "mine"}'
UPGRADE = ("Connection: Upgrade", "Upgrade: anything")


def forged(victim: str) -> bytes:
    """A request of its own, in another user's name."""
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nX-User-ID: {victim}\r\n{JSON}\r\n"
    body = b'{"title": "forged"}'
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def responses(service: Server, request: bytes) -> int:
    """The number of responses to these bytes."""
    answer = raw.send(service.url, request)
    assert answer is not None
    return 1 + answer.body.count("HTTP/1.1 ")


@pytest.mark.parametrize("padding", [0, 300_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("start", ["POST /api/v1/tasks", "GET /api/v1/tasks", "GET /healthz"])
def test_the_body_of_a_request_for_an_upgrade_is_no_second_request(
    service: Server, start: str, framing: str, padding: int
) -> None:
    me, victim = f"mallory-{uuid4()}", f"victim-{uuid4()}"
    body = b"\r\n" * padding + forged(victim)
    headers = [f"X-User-ID: {me}", JSON, *UPGRADE]
    if framing == "chunks":
        headers.append("Transfer-Encoding: chunked")
        body = chunked(body)
    else:
        headers.append(f"Content-Length: {len(body)}")
    request = message(start, *headers, body=body).replace(b"Connection: close\r\n", b"", 1)
    # The server keeps the connection open: the last request ends it.
    assert responses(service, request + message("GET /healthz")) <= 2
    assert service.tasks(victim) == []


def test_a_request_for_an_upgrade_is_served_with_its_body(service: Server) -> None:
    me = f"alice-{uuid4()}"
    headers = (f"X-User-ID: {me}", JSON, *UPGRADE, f"Content-Length: {len(TASK)}")
    request = message("POST /api/v1/tasks", *headers, body=TASK)
    assert responses(service, request) == 1
    assert service.tasks(me) == ["mine"]


@pytest.mark.parametrize("announced", [(), ("Trailer: X-User-ID",)])
@pytest.mark.parametrize("me", ["alice", None])
def test_a_trailer_names_no_caller(
    service: Server, me: str | None, announced: tuple[str, ...]
) -> None:
    victim = f"victim-{uuid4()}"
    user = f"{me}-{uuid4()}"
    headers = [f"X-User-ID: {user}"] if me else []
    body = chunked(TASK).removesuffix(b"\r\n") + f"X-User-ID: {victim}\r\n\r\n".encode()
    request = message(
        "POST /api/v1/tasks", *headers, JSON, "Transfer-Encoding: chunked", *announced, body=body
    )
    answer = raw.send(service.url, request)
    assert answer is not None
    assert answer.status == (201 if me else 401)
    assert service.tasks(victim) == []
    assert service.tasks(user) == (["mine"] if me else [])


def test_httptools_is_installed_by_nothing(project: Project) -> None:
    assert "httptools" not in project.run("uv", "export", "--quiet", "--all-groups", "--frozen")
