"""Every error the service answers, and the one function that renders it (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import MISSING, BaseModel, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog import get_logger

PROBLEM_JSON = "application/problem+json"

TITLES = {413: "Content Too Large"}  # as RFC 9110 has it; Python says so from 3.13 on
DETAILS = {
    400: "The request is invalid.",
    404: "There is nothing at this path.",
    405: "This path does not take this method: the Allow header lists those that it takes.",
    413: "The body is larger than this service accepts.",
    500: "The service failed. Its log has the cause under this request_id.",
}


class ServiceError(Exception):
    """An error with an HTTP status; `detail` is one sentence for the caller."""

    status = 500
    detail = DETAILS[500]
    headers: Mapping[str, str] = {}


class Unauthenticated(ServiceError):
    status = 401

    def __init__(self, detail: str, *, scheme: str) -> None:
        self.detail = detail
        self.headers = {"WWW-Authenticate": scheme}


class NotFound(ServiceError):
    status = 404
    detail = "There is no such resource."


class Unavailable(ServiceError):
    """The database cannot be used now; the same request may succeed a second later."""

    status = 503
    headers: Mapping[str, str] = {"Retry-After": "1"}

    def __init__(self, detail: str = "The database is not available. Try again.") -> None:
        self.detail = detail


class Fault(BaseModel):
    """One fault of an invalid request; `pointer` is a JSON Pointer (RFC 6901) to it."""

    where: Literal["body", "query", "path", "header"] = Field(serialization_alias="in")
    pointer: str
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457): the body of every error. `errors` is there for faults alone."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[Fault] | MISSING = MISSING


def title_of(status: int) -> str:
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem(
    scope: Scope,
    status: int,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    faults: Sequence[Fault] = (),
) -> Response:
    """The answer to a request that failed."""
    body = Problem(
        title=title_of(status),
        status=status,
        detail=detail or DETAILS.get(status) or title_of(status),
        instance=quote(scope["path"]),
        request_id=scope["state"]["request_id"],
        errors=list(faults) or MISSING,
    )
    return Response(body.model_dump_json(by_alias=True), status, headers, PROBLEM_JSON)


async def _answer(request: Request, error: Exception) -> Response:
    match error:
        case ServiceError():
            return problem(request.scope, error.status, error.detail, headers=error.headers)
        case RequestValidationError():
            detail = "The request is invalid: errors lists each fault."
            return problem(request.scope, 400, detail, faults=_faults(error))
        case HTTPException(status_code=405):
            return problem(request.scope, 405, headers={"Allow": _allowed_methods(request)})
        case HTTPException(status_code=status, detail=detail):
            generic = detail == title_of(status)  # the framework's own
            return problem(
                request.scope, status, None if generic else detail, headers=error.headers
            )
    raise error


def _allowed_methods(request: Request) -> str:
    """All methods of a path. The framework names those of the first route that matches it."""
    path = request.scope["path"]
    routes = iter_route_contexts(request.app.routes)
    methods = [route.methods or () for route in routes if route.path_regex.match(path)]
    return ", ".join(sorted(set().union(*methods)))


def _faults(error: RequestValidationError) -> list[Fault]:
    if isinstance(error.body, bytes):
        return [_fault(("body",), "Send JSON, with Content-Type: application/json.")]
    return [
        _fault(("body",), "The body is not valid JSON.")
        if fault["type"] == "json_invalid"
        else _fault(fault["loc"], fault["msg"])
        for fault in error.errors()
    ]


def _fault(location: Sequence[str | int], detail: str) -> Fault:
    where, *path = location
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return Fault(where=where, pointer=pointer, detail=detail)


class ProblemMiddleware:
    """Answers problem details where the framework or a middleware answers something else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal started, replaced
            if message["type"] == "http.response.start":
                started = True
                replaced = (
                    message["status"] >= HTTPStatus.BAD_REQUEST
                    and Headers(scope=message).get("content-type") != PROBLEM_JSON
                )
                if replaced:
                    await problem(scope, message["status"])(scope, receive, send)
            if not replaced:
                await send(message)

        try:
            await self.app(scope, receive, send_problem)
        except Exception:
            get_logger().exception("unhandled error")
            if started:
                raise
            await problem(scope, 500)(scope, receive, send)


def handle_errors(app: FastAPI) -> None:
    for kind in (ServiceError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)
