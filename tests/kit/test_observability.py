import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import httpx2
import pytest
from kit.application import create_app
from kit.testing.servers import serve

from app.resources import ROUTERS
from app.settings import Settings
from tests.kit.services import TASKS, client_of, serve_in_process

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


@pytest.mark.parametrize("path", [TASKS, f"{TASKS}/7", "/nothing", "/healthz", "/docs", "/"])
def test_no_browser_guesses_another_type(nobody: httpx2.Client, path: str) -> None:
    assert nobody.get(path).headers["X-Content-Type-Options"] == "nosniff"


@pytest.fixture(scope="module")
def page(settings: Settings) -> Iterator[httpx2.Client]:
    """A web page of an origin that may call."""
    app = create_app(settings.model_copy(update={"cors_origins": (ORIGIN,)}), ROUTERS)
    app.add_api_route("/fault", lambda: 1 / 0)
    with serve(app) as url, client_of("alice", url) as client:
        client.headers["Origin"] = ORIGIN
        client.headers["Connection"] = "close"  # uvicorn closes it after a fault
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
    assert response.headers["Access-Control-Expose-Headers"] == (
        "Location, Retry-After, WWW-Authenticate, X-Request-ID"
    )
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
    for response in (preflight, page.get(TASKS, headers={"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in response.headers


def test_each_request_is_one_json_line_without_its_data(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serve_in_process(database_url, log) as (process, url), client_of("alice", url) as alice:
        response = alice.post(f"{TASKS}?q=private", json={"title": "private"})
        alice.delete(response.headers["Location"])
        alice.get("/nothing/private")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    _, created, deleted, unknown = [line for line in lines if line["event"] == "request"]
    assert created.pop("duration_ms") > 0
    assert created.pop("timestamp").endswith("+00:00")
    assert created == {
        "event": "request",
        "level": "info",
        "logger": "kit.request",
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


FAULTY = """
from app.main import app

@app.get("/fault")
def fault() -> float:
    return 1 / 0
"""


def test_a_fault_is_logged_with_its_request_id(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY)
    log, path = tmp_path / "log", f"{tmp_path}:."
    with serve_in_process(database_url, log, "faulty:app", PYTHONPATH=path) as (_, url):
        headers = {"X-Request-ID": "the-fault"}
        assert httpx2.get(f"{url}/fault", headers=headers).status_code == 500
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    request, fault = [line for line in lines if line["request_id"] == "the-fault"]
    assert (request["event"], request["status"]) == ("request", 500)
    assert fault["level"] == "error"
    assert "ZeroDivisionError" in fault["exception"]


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("log", ["full", "unread"])
def test_a_log_that_cannot_be_written_fails_no_request_and_no_connection(
    database_url: str, tmp_path: Path, log: str, log_format: str
) -> None:
    """Its disk is full, or it is a pipe whose reader has gone."""
    (tmp_path / "faulty.py").write_text(FAULTY)
    reader, writer = os.pipe()
    path = Path("/dev/full" if log == "full" else f"/dev/fd/{writer}")
    settings = {"LOG_FORMAT": log_format, "PYTHONPATH": f"{tmp_path}:."}
    with serve_in_process(database_url, path, "faulty:app", **settings) as (_, url):
        os.close(reader)
        os.close(writer)
        client = HTTPConnection(url.removeprefix("http://"))
        for body, status in (('{"title": "x"}', 201), ("{", 400), ('{"title": "x"}', 201)):
            client.request(
                "POST", TASKS, body, {"X-User-ID": "a", "Content-Type": "application/json"}
            )
            response = client.getresponse()
            assert response.status == status
            response.read()
            assert client.sock, "its connection was closed"
        client.putrequest("no method", "/")  # of which uvicorn itself complains
        client.endheaders()
        assert client.getresponse().status == 400
        assert httpx2.get(f"{url}/fault").status_code == 500
        assert httpx2.get(f"{url}/readyz").status_code == 200


@pytest.mark.parametrize("log_format", ["json", "text", "auto"])
def test_without_a_standard_error_the_service_starts(database_url: str, log_format: str) -> None:
    settings = {"DATABASE_URL": database_url, "USER_ID_HEADER": "X-User-ID"}
    subprocess.run(
        ["sh", "-c", 'exec "$0" -c "import app.main" 2>&-', sys.executable],
        env={**os.environ, **settings, "LOG_FORMAT": log_format},
        check=True,
    )
