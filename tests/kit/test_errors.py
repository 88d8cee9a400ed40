"""Every error has one shape, whatever part of the service it comes from."""

import json
from collections.abc import Iterator

import httpx2
import pytest
from fastapi import FastAPI
from kit.application import create_app
from kit.testing.servers import serve

from app.resources import ROUTERS
from app.settings import Settings
from tests.kit.services import TASKS

CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "content_too_large",
    500: "internal",
}


def assert_problem(response: httpx2.Response, status: int) -> None:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["code"] == CODES[status]
    assert problem["detail"]
    assert problem["instance"] == response.request.url.raw_path.decode().partition("?")[0]
    assert problem["request_id"] == response.headers["X-Request-ID"]


@pytest.fixture(scope="module")
def failing(settings: Settings) -> Iterator[httpx2.Client]:
    """A service with a fault in its code, strict about hosts."""
    app: FastAPI = create_app(
        settings.model_copy(update={"allowed_hosts": ("127.0.0.1",)}), ROUTERS
    )

    @app.get("/fault")
    def fault() -> None:
        raise RuntimeError("an internal secret")

    with serve(app) as url, httpx2.Client(base_url=url) as client:
        yield client


def test_an_unknown_path_is_404(alice: httpx2.Client) -> None:
    assert_problem(alice.get("/nothing/here%20at%20all"), 404)


def test_an_unknown_method_is_405_and_names_those_there_are(alice: httpx2.Client) -> None:
    response = alice.delete(TASKS)
    assert_problem(response, 405)
    assert response.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    "body", ["", "{", "nonsense", "[]", "[" * 30_000, b"\xff\xfe", "1" * 5_000]
)
def test_a_body_that_is_no_json_object_is_400(alice: httpx2.Client, body: str | bytes) -> None:
    response = alice.post(TASKS, content=body, headers={"Content-Type": "application/json"})
    assert_problem(response, 400)
    assert {fault["in"] for fault in response.json().get("errors", [])} <= {"body"}


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_json_must_say_that_it_is_json(alice: httpx2.Client, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = alice.post(TASKS, content='{"title": "x"}', headers=headers)
    assert_problem(response, 400)
    assert "Content-Type" in response.json()["errors"][0]["detail"]


def test_all_faults_are_told_at_once_and_no_value_comes_back(alice: httpx2.Client) -> None:
    body = {"title": 31337, "completed": "31337", "a/b~c": 31337}
    response = alice.post(TASKS, json=body)
    assert_problem(response, 400)
    faults = {fault["pointer"] for fault in response.json()["errors"]}
    assert faults == {"/title", "/completed", "/a~1b~0c"}
    assert "31337" not in response.text


def test_a_body_over_the_limit_is_413(alice: httpx2.Client, settings: Settings) -> None:
    large = json.dumps({"title": "x" * settings.max_body_bytes}).encode()
    assert_problem(alice.post(TASKS, content=large), 413)
    assert_problem(alice.post(TASKS, content=iter([large])), 413)
    assert_problem(alice.post("/nothing/here", content=large), 413)


def test_a_fault_of_the_service_is_500_and_tells_nothing(failing: httpx2.Client) -> None:
    for _ in range(10):  # uvicorn hangs up after each, and says so before
        response = failing.get("/fault")
        assert_problem(response, 500)
        assert response.headers["Connection"] == "close"
        assert "secret" not in response.text


def test_an_unknown_host_is_400(failing: httpx2.Client) -> None:
    refused = failing.get("/healthz", headers={"Host": "elsewhere.example"})
    assert (refused.status_code, refused.text) == (400, "Invalid host header")
    assert refused.headers["X-Request-ID"]
