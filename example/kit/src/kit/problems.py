"""Every error response as problem details (RFC 9457), by FastAPI's exception handlers."""

from collections.abc import Mapping, Sequence
from http.client import responses
from typing import Any, Literal
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from kit.errors import ServiceError
from kit.observability import request_id

PROBLEM_JSON = "application/problem+json"

# The phrases of RFC 9110, which Python has from 3.13 on.
TITLES = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
CODES = {400: "invalid_request", 401: "unauthenticated", 500: "internal", 503: "unavailable"}
DETAILS = {
    400: "The request is invalid.",
    404: "There is nothing at this path.",
    405: "This path does not support this method. The Allow header lists those that it does.",
    413: "The body is larger than this service accepts.",
}


Headers = Mapping[str, str] | None
Part = Literal["body", "query", "path", "header", "cookie"]


class FieldError(BaseModel):
    """One error of an invalid request."""

    where: Part = Field(serialization_alias="in", description="The part of the request.")
    pointer: str = Field(description="A JSON Pointer (RFC 6901) into that part.")
    code: str = Field(description="Which error it is, for programs: pydantic's error type.")
    detail: str = Field(description="A sentence for a person.")


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457): the body of every error."""

    type: str = Field("about:blank", description="Always `about:blank`: `code` says more.")
    title: str = Field(description="The reason phrase of the status.")
    status: int = Field(description="The status of the response.")
    code: str = Field(description="Which error it is, for programs: `not_found`, `conflict`, …")
    detail: str = Field(description="A sentence for a person.")
    instance: str = Field(description="The path of the request.")
    request_id: str = Field(description="The response's `X-Request-ID`, which the log has too.")
    errors: list[FieldError] = Field([], description="Every error of an invalid request (400).")


def problem(
    request: Request, status: int, detail: Any = None, headers: Headers = None, **more: Any
) -> Response:
    """The response to a request that failed. `detail` comes from the exception, if it has one."""
    title = title_of(status)
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": CODES.get(status) or title.lower().replace(" ", "_"),
        "detail": detail or DETAILS.get(status) or title,
        "instance": quote(request.scope["path"]),
        "request_id": request_id.get(),
        **more,
    }
    return JSONResponse(body, status, headers, PROBLEM_JSON)


def title_of(status: int) -> str:
    """The reason phrase of a status. A custom status has none."""
    return TITLES.get(status) or responses.get(status) or f"Status {status}"


async def _service_error(request: Request, error: ServiceError) -> Response:
    return problem(request, error.status, error.detail, error.headers)


async def _http_exception(request: Request, error: HTTPException) -> Response:
    status = error.status_code
    if status in {204, 304}:  # these have no body
        return Response(status_code=status, headers=error.headers)
    if status == 404 and request.app.docs_url and _is_unanswered_root(request):
        return RedirectResponse(request.url_for("swagger_ui_html").path)
    headers = {**(error.headers or {})}
    if status == 405 and (methods := _methods(request)):
        headers["Allow"] = ", ".join(sorted(methods))
    # The framework's own errors have only the reason phrase. DETAILS say more.
    generic = error.detail in (title_of(status), responses.get(status))
    return problem(request, status, None if generic else error.detail, headers)


async def _validation_error(request: Request, error: RequestValidationError) -> Response:
    if isinstance(error.body, bytes):  # not parsed, as its Content-Type is not JSON
        detail = "Send JSON, with Content-Type: application/json."
        faults = [_field_error(("body",), "content_type", detail)]
    else:
        faults = [_field_error(each["loc"], each["type"], each["msg"]) for each in error.errors()]
    detail = "The request is invalid: see errors."
    return problem(request, 400, detail, errors=[f.model_dump(by_alias=True) for f in faults])


def _field_error(location: Sequence[str | int], code: str, detail: str) -> FieldError:
    where, *path = location
    if code == "json_invalid":  # the location is an offset in the text
        path, detail = [], "The body is not valid JSON."
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return FieldError(where=where, pointer=pointer, code=code, detail=detail)


def _is_unanswered_root(request: Request) -> bool:
    """Whether the path is `/`, and neither a route nor a mounted application is there."""
    asks = path_of(request.scope) in {"", "/"} and request.method in {"GET", "HEAD"}
    return asks and "endpoint" not in request.scope


def _methods(request: Request) -> set[str]:
    """All methods of a path. The framework names those of the first route that matches it."""
    return set().union(*(route.methods or () for route in routes_at(request.scope)))


def path_of(scope: Scope) -> str:
    """The path below the prefix that a gateway puts before it (`--root-path`)."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def routes_at(scope: Scope) -> list[Any]:
    """All routes of the request's path, whatever their methods."""
    routes = iter_route_contexts(scope["app"].routes)
    return [route for route in routes if route.path_regex.match(path_of(scope))]


async def _internal(request: Request, _: Exception) -> Response:
    """Starlette raises the error again after the response: uvicorn logs it, and disconnects."""
    headers = {"Connection": "close"} if request.scope["http_version"] == "1.1" else None
    return problem(request, 500, ServiceError.detail, headers)


HANDLERS: dict[Any, Any] = {
    ServiceError: _service_error,
    HTTPException: _http_exception,
    RequestValidationError: _validation_error,
    Exception: _internal,
}
