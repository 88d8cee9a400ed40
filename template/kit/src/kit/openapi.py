"""The OpenAPI document: what FastAPI derives from the routes, and the errors that they answer."""

from typing import Any

from fastapi import FastAPI

from kit.errors import Conflict, NotFound, ServiceError, Unauthenticated, Unavailable
from kit.identity import TrustedHeader
from kit.problems import DETAILS, PROBLEM_JSON, Problem

ERRORS = (Unauthenticated, NotFound, Conflict, ServiceError, Unavailable)
DESCRIPTIONS = DETAILS | {error.status: error.detail for error in ERRORS}


def describe_errors(app: FastAPI) -> None:
    """Have the document say of each operation which problem details it answers.

    As in https://fastapi.tiangolo.com/how-to/extending-openapi/.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            _describe(document, app)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(document: dict[str, Any], app: FastAPI) -> None:
    components = document["components"]
    problem = Problem.model_json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    components["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    for scheme in components.get("securitySchemes", {}).values():
        if scheme.get("name") == TrustedHeader.setting:
            scheme["name"] = app.state.settings.user_id_header
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = {str(status): _response(status) for status in _errors(path, operation)}
            if _is_validated(operation):
                del operation["responses"]["422"]
            operation["responses"] = responses | operation["responses"]
    # Callbacks and webhooks keep FastAPI's 422: another service answers those.
    if "HTTPValidationError" not in str({**document, "components": None}):
        for name in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(name, None)


def _is_validated(operation: dict[str, Any]) -> bool:
    """Whether FastAPI has described a 422, which is a 400 here."""
    return "HTTPValidationError" in str(operation["responses"].get("422"))


def _errors(path: str, operation: dict[str, Any]) -> list[int]:
    can_answer = {
        400: _is_validated(operation),
        401: "security" in operation,
        404: "{" in path,
        409: "security" in operation and "requestBody" in operation,
        413: "requestBody" in operation,
        500: True,
        503: "security" in operation or path == "/readyz",
    }
    return [status for status, possible in can_answer.items() if possible]


def _response(status: int) -> dict[str, Any]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": DESCRIPTIONS[status], "content": content}
