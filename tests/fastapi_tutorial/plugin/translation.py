"""What the HTTP contract changes by name, checked and translated back for FastAPI's own tests.

Any other response stays as it is.
"""

import re
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any

import httpx2
from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.constants import REF_PREFIX
from fastapi.openapi.utils import validation_error_definition, validation_error_response_definition
from fastapi.responses import PlainTextResponse, Response
from kit.problems import HANDLERS
from pydantic_core import from_json  # FastAPI's tests patch `json`
from starlette.exceptions import HTTPException

Handler = Callable[[Request, Any], Awaitable[Response]]

PROBLEM_JSON = "application/problem+json"
MEMBERS = {"type", "title", "status", "code", "detail", "instance", "request_id"}
VALIDATION_ERROR = {
    "description": "Validation Error",
    "content": {"application/json": {"schema": {"$ref": f"{REF_PREFIX}HTTPValidationError"}}},
}


async def internal_server_error(*_: object) -> Response:
    """As Starlette does."""
    return PlainTextResponse("Internal Server Error", 500)


OF_FASTAPI: dict[Any, Handler] = {
    HTTPException: http_exception_handler,
    RequestValidationError: request_validation_exception_handler,
    Exception: internal_server_error,
}

# By the request's id: the error, and FastAPI's response to it.
_errors: dict[str, tuple[Exception, Response]] = {}


def prepare(app: FastAPI) -> FastAPI:
    for error, of_fastapi in OF_FASTAPI.items():
        if app.exception_handlers[error] is HANDLERS[error]:  # none of the example's own
            app.exception_handlers[error] = _recording(HANDLERS[error], of_fastapi)
    generate = app.openapi
    app.openapi = lambda: translated_document(generate())  # type: ignore[method-assign]
    return app


def _recording(of_project: Any, of_fastapi: Handler) -> Handler:
    async def handler(request: Request, error: Exception) -> Response:
        response: Response = await of_project(request, error)
        if response.media_type == PROBLEM_JSON:
            request_id = from_json(response.body)["request_id"]
            _errors[request_id] = error, await of_fastapi(request, error)
        return response

    return handler


def translated_response(response: httpx2.Response) -> httpx2.Response:
    """ "Every response has X-Request-ID." "Every error is application/problem+json." """
    assert "x-request-id" in response.headers
    if response.headers.get("content-type") != PROBLEM_JSON:
        return response
    problem = from_json(response.read())
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["status"] == response.status_code
    error, expected = _errors.pop(problem["request_id"])
    _check(problem, error, expected)
    headers = response.headers.copy()
    headers.update({name: expected.headers[name] for name in ("content-type", "content-length")})
    status, request = expected.status_code, response.request
    return httpx2.Response(status, headers=headers, content=expected.body, request=request)


def _check(problem: dict[str, Any], error: Exception, expected: Response) -> None:
    """The problem says no less than FastAPI's response."""
    if isinstance(error, RequestValidationError):
        assert problem.keys() == {*MEMBERS, "errors"}
        assert (problem["status"], problem["code"]) == (400, "invalid_request")
        if not isinstance(error.body, bytes):  # else there is one error: it is not said to be JSON
            found = [(each["in"], each["pointer"], each["code"]) for each in problem["errors"]]
            assert found == [_pointer(each) for each in error.errors()]
        return
    assert problem.keys() == MEMBERS
    assert problem["status"] == expected.status_code
    if not isinstance(error, HTTPException):
        assert problem["code"] == "internal"
    elif error.detail != HTTPException(error.status_code).detail:  # more than the status' phrase
        assert problem["detail"] == from_json(expected.body)["detail"]


def _pointer(error: dict[str, Any]) -> tuple[str, str, str]:
    where, *path = error["loc"]
    if error["type"] == "json_invalid":  # FastAPI gives the offset in the text
        path = []
    return where, "".join(f"/{part}" for part in path), error["type"]


def translated_document(document: dict[str, Any]) -> dict[str, Any]:
    """ "Invalid requests are 400, never 422." And there are `/healthz` and `/readyz`."""
    assert not _dangling(document)
    document = deepcopy(document)
    schemas = document["components"]["schemas"]
    for name in ("ProblemDetails", "FieldError", "Health", "Readiness"):
        del schemas[name]
    for path in ("/healthz", "/readyz"):
        del document["paths"][path]
    paths = document["paths"].values()
    validated = [_translate_operation(operation) for path in paths for operation in path.values()]
    if any(validated):
        schemas["ValidationError"] = validation_error_definition
        schemas["HTTPValidationError"] = validation_error_response_definition
    document["tags"] = [tag for tag in document["tags"] if tag["name"] != "health"]
    containers = ((document["components"], "schemas"), (document, "components"), (document, "tags"))
    for parent, name in containers:
        if not parent[name]:  # FastAPI has no empty ones
            del parent[name]
    return document


def _dangling(document: dict[str, Any]) -> set[str]:
    """References to nothing."""
    references = re.findall(r"#/components/schemas/([^'\"]+)", str(document))
    return set(references) - document["components"]["schemas"].keys()


def _translate_operation(operation: dict[str, Any]) -> bool:
    """Whether the request is validated."""
    responses = operation["responses"]
    assert "500" in responses
    contents = {status: response.get("content", {}) for status, response in responses.items()}
    problems = {status for status, content in contents.items() if PROBLEM_JSON in content}
    for status in problems:
        del responses[status]
    if "400" in problems:
        assert "422" not in responses
        responses["422"] = VALIDATION_ERROR
    return "400" in problems
