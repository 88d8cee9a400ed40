"""The OpenAPI document: what FastAPI derives from the routes, and their error responses."""

from inspect import getdoc, getmodule
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.constants import REF_PREFIX, REF_TEMPLATE
from fastapi.routing import APIRoute, iter_route_contexts

from kit.errors import Conflict, NotFound, ServiceError, Unauthenticated
from kit.problems import DETAILS, PROBLEM_JSON, ProblemDetails

ERRORS = (Unauthenticated, NotFound, Conflict, ServiceError)
DESCRIPTIONS = DETAILS | {error.status: error.detail for error in ERRORS}
DESCRIPTIONS[503] = "The service is busy, or a dependency is down. Wait `Retry-After` seconds."
BODY = {"content": {PROBLEM_JSON: {"schema": {"$ref": f"{REF_PREFIX}ProblemDetails"}}}}


def describe_errors(app: FastAPI) -> None:
    """Describe the problem details of each operation in the document.

    As in https://fastapi.tiangolo.com/how-to/extending-openapi/.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "ProblemDetails" not in schemas:
            _describe(document, app)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(document: dict[str, Any], app: FastAPI) -> None:
    components = document["components"]
    problem = ProblemDetails.model_json_schema(mode="serialization", ref_template=REF_TEMPLATE)
    components["schemas"] |= {**problem.pop("$defs"), "ProblemDetails": problem}
    for scheme in components.get("securitySchemes", {}).values():
        if scheme.get("name") == "USER_ID_HEADER":
            scheme["name"] = app.state.settings.user_id_header
    document["tags"] = _tags(document, app)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            errors = _errors(path, operation)
            if 400 in errors:
                del operation["responses"]["422"]
            responses = {str(s): {"description": DESCRIPTIONS[s], **BODY} for s in errors}
            operation["responses"] = responses | operation["responses"]
    # Callbacks and webhooks keep FastAPI's 422, because another service receives them.
    if "HTTPValidationError" not in str({**document, "components": None}):
        for name in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(name, None)


def _tags(document: dict[str, Any], app: FastAPI) -> list[dict[str, str]]:
    """The `openapi_tags`, and for other tags the docstrings of their routers' modules."""
    tags = {tag["name"]: tag for tag in document.get("tags", [])}
    for route in iter_route_contexts([r for r in app.routes if not isinstance(r, APIRoute)]):
        for name in jsonable_encoder(getattr(route, "tags", ())):
            if route.include_in_schema and (text := getdoc(getmodule(route.endpoint))):
                tags.setdefault(name, {"name": name, "description": text})
    return list(tags.values())


def _errors(path: str, operation: dict[str, Any]) -> list[int]:
    can_answer = {
        # What FastAPI describes as a 422 is a 400 here.
        400: "HTTPValidationError" in str(operation["responses"].get("422")),
        401: "security" in operation,
        404: "{" in path,
        409: "security" in operation and "requestBody" in operation,
        413: "requestBody" in operation,
        500: True,
        503: "security" in operation or path == "/readyz",
    }
    return [status for status, possible in can_answer.items() if possible]
