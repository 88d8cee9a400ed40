import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from app.main import create_app
from app.settings import Settings
from tests.conftest import client_of, serve, serve_in_process

TASKS = "/api/v1/tasks"
ORIGIN = "https://app.example"


@pytest.mark.parametrize("request_id", ["a", "A.b_c-9", "x" * 128])
def test_a_usable_request_id_is_kept(alice: httpx2.Client, request_id: str) -> None:
    response = alice.get("/nothing", headers={"X-Request-ID": request_id})
    assert response.headers["X-Request-ID"] == response.json()["request_id"] == request_id


@pytest.mark.parametrize("request_id", [b"", b"x" * 129, b"a b", b'a"', b"a\tb", b"\xff"])
def test_any_other_request_id_is_replaced(alice: httpx2.Client, request_id: bytes) -> None:
    response = alice.get("/healthz", headers={b"X-Request-ID": request_id})
    assert len(response.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize("path", [TASKS, f"{TASKS}/7", "/api/nothing"])
def test_nothing_below_api_is_ever_cached(
    alice: httpx2.Client, nobody: httpx2.Client, path: str
) -> None:
    for client in (alice, nobody):
        assert client.get(path).headers["Cache-Control"] == "no-store"


@pytest.fixture(scope="module")
def page(settings: Settings) -> Iterator[httpx2.Client]:
    """A web page of an origin that may call."""
    app = create_app(settings.model_copy(update={"cors_origins": (ORIGIN,)}))
    app.add_api_route("/fault", lambda: 1 / 0)
    with serve(app) as url, client_of("alice", url) as client:
        client.headers["Origin"] = ORIGIN
        yield client


def test_a_listed_origin_may_call_and_read(page: httpx2.Client) -> None:
    asked = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "x-user-id, content-type",
    }
    preflight = page.options(TASKS, headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert preflight.headers["X-Request-ID"]
    response = page.get(TASKS)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Expose-Headers"] == "Location, X-Request-ID"
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_web_page_can_read_every_error(page: httpx2.Client) -> None:
    for path, status in (("/nothing", 404), (f"{TASKS}?limit=0", 400), ("/fault", 500)):
        response = page.get(path)
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize("origin", ["https://app.example.evil", "http://app.example", "null"])
def test_any_other_origin_may_not(page: httpx2.Client, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = page.options(TASKS, headers=asked)
    assert preflight.status_code == 400
    assert preflight.headers["Content-Type"] == "application/problem+json"
    for response in (preflight, page.get(TASKS, headers={"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in response.headers


def test_each_request_is_one_json_line_without_its_data(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serve_in_process(database_url, log) as (process, url), client_of("alice", url) as alice:
        response = alice.post(f"{TASKS}?q=private", json={"title": "private"})
        alice.delete(response.headers["Location"])
        alice.get("/nothing/private")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    _, created, deleted, unknown = [line for line in lines if line["event"] == "request"]
    assert created.pop("duration_ms") > 0
    assert created.pop("timestamp").endswith("Z")
    assert created == {
        "event": "request",
        "level": "info",
        "method": "POST",
        "request_id": response.headers["X-Request-ID"],
        "route": TASKS,
        "status": 201,
    }
    assert (deleted["route"], deleted["status"]) == (f"{TASKS}/{{task_id}}", 204)
    assert (unknown["route"], unknown["status"]) == (None, 404)
    assert any(line["event"] == "Application shutdown complete." for line in lines)
    assert "private" not in log.read_text()
    assert "alice" not in log.read_text()


def test_the_users_identifier_is_logged_where_a_setting_asks_for_it(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"log_user_id": True}))
    with capture_logs() as lines, serve(app) as url, client_of("alice", url) as alice:
        alice.get(TASKS)
    assert [line["user_id"] for line in lines] == ["alice"]


def test_a_fault_is_logged_with_its_request_id(page: httpx2.Client) -> None:
    with capture_logs(processors=[merge_contextvars]) as lines:
        assert page.get("/fault", headers={"X-Request-ID": "the-fault"}).status_code == 500
    fault, request = lines
    assert (fault["log_level"], fault["request_id"]) == ("error", "the-fault")
    assert fault["exc_info"]
    assert (request["status"], request["request_id"]) == (500, "the-fault")
