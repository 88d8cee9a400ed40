"""The head of a request alone names its caller."""

from uuid import uuid4

import pytest

from tests.contract import raw
from tests.contract.raw import chunked, message
from tests.projects import Project
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

JSON = "Content-Type: application/json"
TASK = b'{"title": "mine"}'


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
