"""What FastAPI's documentation shows works as it says, and a response that the team makes stays."""

import json
import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Query, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles
from kit.application import create_app
from kit.body_limit import no_body
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.kit.services import make_settings

LIMIT = 1000
LARGE = b"x" * (LIMIT + 1)
OURS = {"description": "Ours"}


class Item(BaseModel):
    name: str


def make_app(*routers: APIRouter, **options: Any) -> FastAPI:
    settings = make_settings("postgresql://localhost/unused", max_body_bytes=LIMIT)
    return create_app(settings, routers, **options)


def client_of(app: FastAPI, root_path: str = "") -> TestClient:
    return TestClient(
        app, raise_server_exceptions=False, follow_redirects=False, root_path=root_path
    )


@pytest.fixture
def app() -> FastAPI:
    return make_app()


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return client_of(app)


@pytest.mark.parametrize(
    ("status", "detail", "code"),
    [
        (402, "Payment Required", "payment_required"),
        (403, "Ask the owner.", "forbidden"),
        (409, {"taken": ["name"]}, "conflict"),
        (422, "Not YAML.", "unprocessable_content"),
        (499, "The client has gone.", "status_499"),
    ],
)
def test_an_http_exception_is_a_problem_with_its_detail(
    app: FastAPI, client: TestClient, status: int, detail: Any, code: str
) -> None:
    @app.get("/fails")
    async def fail() -> None:
        raise HTTPException(status, detail, {"Retry-After": "9"})

    response = client.get("/fails")
    assert response.status_code == response.json()["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "9"
    assert (response.json()["code"], response.json()["detail"]) == (code, detail)


@pytest.mark.parametrize("status", [204, 304])
def test_an_http_exception_of_a_status_without_a_body_has_none(
    app: FastAPI, client: TestClient, status: int
) -> None:
    @app.get("/fails")
    async def fail() -> None:
        raise HTTPException(status, headers={"ETag": '"1"'})

    response = client.get("/fails")
    assert (response.status_code, response.content, response.headers["ETag"]) == (
        status,
        b"",
        '"1"',
    )


@pytest.mark.parametrize(
    ("made", "content_type"),
    [
        (JSONResponse({"price": 7}, 402), "application/json"),
        (JSONResponse({"error": "invalid_grant"}, 400), "application/json"),
        (HTMLResponse("<h1>Sign in</h1>", 401), "text/html; charset=utf-8"),
        (PlainTextResponse("broken", 500), "text/plain; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("path", ["/route", "/handler", "/mounted/page"])
def test_a_response_leaves_as_it_is_made(
    app: FastAPI, client: TestClient, made: Response, content_type: str, path: str
) -> None:
    async def make(*_: object) -> Response:
        return made

    mounted = FastAPI()
    mounted.add_route("/page", make)
    app.mount("/mounted", mounted)
    app.add_route("/route", make)
    app.add_exception_handler(ZeroDivisionError, make)
    app.add_api_route("/handler", lambda: 1 / 0)
    response = client.get(path)
    assert (response.status_code, response.content) == (made.status_code, made.body)
    assert response.headers["Content-Type"] == content_type
    assert response.headers["X-Request-ID"]


def test_a_mounted_application_makes_its_own_errors(app: FastAPI, client: TestClient) -> None:
    app.mount("/mounted", FastAPI())
    response = client.get("/mounted/nothing")
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("error", "path"),
    [(RequestValidationError, "/invalid"), (404, "/nothing"), (Exception, "/fault")],
)
@pytest.mark.parametrize("as_option", [True, False])
def test_an_exception_handler_of_the_teams_wins(error: Any, path: str, as_option: bool) -> None:
    async def handle(*_: object) -> Response:
        return PlainTextResponse("ours", 418)

    app = make_app(exception_handlers={error: handle} if as_option else None)
    if not as_option:
        app.add_exception_handler(error, handle)
    app.add_api_route("/fault", lambda: 1 / 0)
    app.add_api_route("/invalid", lambda item: item)
    response = client_of(app).get(path)
    assert (response.status_code, response.text) == (418, "ours")


def test_json_lines_and_events_are_streamed(app: FastAPI, client: TestClient) -> None:
    @app.get("/lines")
    async def lines() -> AsyncIterable[Item]:
        for name in "ab":
            yield Item(name=name)

    @app.get("/events", response_class=EventSourceResponse)
    async def events() -> AsyncIterable[ServerSentEvent]:
        yield ServerSentEvent(data=Item(name="a"))

    response = client.get("/lines")
    assert response.headers["Content-Type"] == "application/jsonl"
    assert response.text == '{"name":"a"}\n{"name":"b"}\n'
    response = client.get("/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.text == 'data: {"name":"a"}\n\n'


def test_a_websocket_takes_messages_of_any_size(app: FastAPI, client: TestClient) -> None:
    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    with client.websocket_connect("/echo") as socket:
        socket.send_text(LARGE.decode())
        assert socket.receive_text() == LARGE.decode()


@pytest.fixture
def done(app: FastAPI) -> list[str]:
    """What the operations of `app` have done."""
    done: list[str] = []
    uploads = APIRouter(prefix="/uploads", max_body_size=3 * LIMIT)

    @app.post("/json")
    async def take_json(item: Annotated[str, Body()]) -> None:
        done.append(item)

    @app.post("/nothing", dependencies=[Depends(no_body)])
    async def take_nothing() -> None:
        done.append("nothing")

    @uploads.post("/three")
    @uploads.post("/two", max_body_size=2 * LIMIT)
    async def take_file(request: Request) -> None:
        await request.body()
        done.append("file")

    app.include_router(uploads)
    app.mount("/mounted", FastAPI())
    return done


@pytest.mark.parametrize("chunks", [None, [LARGE], [LARGE[:LIMIT], b"x"]])
@pytest.mark.parametrize("path", ["/json", "/nothing"])
def test_nothing_is_done_with_a_body_over_the_limit(
    client: TestClient, done: list[str], path: str, chunks: list[bytes] | None
) -> None:
    response = client.post(path, content=iter(chunks) if chunks else LARGE)
    assert (response.status_code, response.json()["code"]) == (413, "content_too_large")
    assert not done


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("path", ["/nowhere", "/mounted/page", "/healthz"])
def test_a_body_over_the_limit_is_413_at_any_path(client: TestClient, path: str) -> None:
    assert client.post(path, content=LARGE).json()["code"] == "content_too_large"


@pytest.mark.parametrize(("path", "limit"), [("/uploads/three", 3), ("/uploads/two", 2)])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_route_can_have_a_limit_of_its_own(
    client: TestClient, done: list[str], path: str, limit: int, chunked: bool
) -> None:
    def upload(content: bytes) -> httpx2.Response:
        return client.post(path, content=iter([content]) if chunked else content)

    assert upload(b"x" * limit * LIMIT).status_code == 200
    refused = upload(b"x" * limit * LIMIT + b"x")
    assert (refused.status_code, refused.json()["code"]) == (413, "content_too_large")
    assert done == ["file"]


class PureMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answers = scope["path"] == "/middleware"
        app = PlainTextResponse("ours", 403) if answers else self.app
        await app(scope, receive, send)


class BaseMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Any:
        answers = request.url.path == "/middleware"
        return PlainTextResponse("ours", 403) if answers else await call_next(request)


@pytest.mark.parametrize("middleware", [PureMiddleware, BaseMiddleware])
def test_a_middleware_answers_or_passes_on(
    app: FastAPI, client: TestClient, middleware: Any
) -> None:
    app.add_middleware(middleware)
    app.add_api_route("/fault", lambda: 1 / 0)
    response = client.get("/middleware")
    assert (response.status_code, response.text) == (403, "ours")
    assert response.headers["X-Request-ID"]
    for path, code in (("/nothing", "not_found"), ("/fault", "internal")):
        response = client.get(path)
        assert response.json()["code"] == code
        assert response.json()["request_id"] == response.headers["X-Request-ID"]


def test_a_dependency_can_be_overridden(app: FastAPI, client: TestClient) -> None:
    def real() -> str:
        return "real"

    @app.get("/name")
    async def get_name(name: Annotated[str, Depends(real)]) -> str:
        return name

    app.dependency_overrides[real] = lambda: "fake"
    assert client.get("/name").json() == "fake"


def test_a_lifespan_of_the_teams_runs_and_has_its_state() -> None:
    events = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        events.append(app.title)
        yield {"model": "loaded"}
        events.append("stop")

    app = make_app(lifespan=lifespan, title="Ours")
    app.add_route("/model", lambda request: PlainTextResponse(request.state.model))
    with TestClient(app) as client:
        assert client.get("/model").text == "loaded"
        assert events == ["Ours"]
    assert events == ["Ours", "stop"]


def test_the_root_leads_to_the_documentation_if_nothing_else_is_there(
    app: FastAPI, client: TestClient, tmp_path: Path
) -> None:
    response = client.get("/")
    assert (response.status_code, response.headers["Location"]) == (307, "/docs")
    (tmp_path / "index.html").write_text("built")
    app.frontend("/", directory=tmp_path)
    assert client.get("/").text == "built"
    app.add_api_route("/", lambda: "ours")
    assert client.get("/").json() == "ours"
    assert client_of(make_app(docs_url=None)).get("/").status_code == 404


@pytest.mark.parametrize("root", ["", "/todo"])
def test_paths_are_right_below_a_sub_path(root: str) -> None:
    router = APIRouter()
    router.add_api_route("/with/", lambda: "here", methods=["POST"])
    client = client_of(make_app(router), root)
    redirect = client.post(f"{root}/api/v1/with")
    assert redirect.status_code == 307
    assert redirect.headers["Location"] == f"http://testserver{root}/api/v1/with/"
    assert redirect.headers["Cache-Control"] == "no-store"
    assert client.get(f"{root}/api/v1/with/").headers["Allow"] == "POST"
    assert client.get(f"{root}/").headers["Location"] == f"{root}/docs"
    assert client.head(f"{root}/healthz").status_code == 200


def test_a_mounted_folder_names_its_methods(
    app: FastAPI, client: TestClient, tmp_path: Path
) -> None:
    app.mount("/static", StaticFiles(directory=tmp_path))
    response = client.delete("/static/file")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("declared", "described"),
    [
        ({}, {"200", "400", "500"}),
        ({"default": OURS}, {"200", "500", "default"}),
        ({422: OURS}, {"200", "500", "422"}),
        ({400: OURS, 402: OURS}, {"200", "400", "402", "500"}),
    ],
)
def test_the_document_describes_what_the_team_declares(declared: Any, described: set[str]) -> None:
    router = APIRouter()  # neither tags nor security

    @router.get("/hidden", responses=declared)
    async def read(number: Annotated[int, Query(include_in_schema=False)]) -> int:
        return number

    document = make_app(router).openapi()
    responses = document["paths"]["/api/v1/hidden"]["get"]["responses"]
    assert responses.keys() == described
    assert all(responses[str(status)] == OURS for status in declared)
    assert "securitySchemes" not in document["components"]


def test_a_reference_in_the_document_leads_somewhere(app: FastAPI) -> None:
    called = APIRouter()

    @called.post("/callback")
    @app.webhooks.post("webhook")
    async def called_by_us(item: Item) -> Item:
        return item

    app.post("/items", callbacks=called.routes)(called_by_us)
    document = app.openapi()
    references = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert references <= document["components"]["schemas"].keys()
    assert {"Item", "ProblemDetails"} <= references
