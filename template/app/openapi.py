"""The OpenAPI document: what FastAPI derives from the routes, and what they all answer."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import MISSING

from app.errors import PROBLEM_JSON, Fault, Problem, title_of

DESCRIPTIONS = {
    400: "The request is invalid.",
    401: "The request does not say who is calling.",
    404: "The caller has no such resource.",
    413: "The body is too large.",
    500: "The service failed.",
    503: "The database is not available. A write may have been stored.",
}
EVERY_HEADER = {"X-Request-ID": "The request's id, in the log too."}
HEADERS = {
    201: {"Location": "The path of what was created."},
    401: {"WWW-Authenticate": "How to say who is calling."},
    503: {"Retry-After": "The seconds after which to try again."},
}
TAGS = {"health": "Whether the service lives, and can serve."}
FAULT = Fault(where="body", pointer="/title", detail="Field required")


class Service(FastAPI):
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        schemas = document["components"]["schemas"]
        schemas |= _problem_schemas()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for scheme in document["components"]["securitySchemes"].values():
            if scheme.get("name") == "USER_ID_HEADER":
                scheme["name"] = self.state.settings.user_id_header
        tags: dict[str, str] = {}
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _document_parameters(operation)
                _document_responses(path, operation)
                operation.setdefault("security", [])  # public, and on purpose
                tags |= {tag: TAGS.get(tag, f"The caller's {tag}.") for tag in operation["tags"]}
        document["tags"] = [{"name": name, "description": text} for name, text in tags.items()]
        return document


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    return {**schema.pop("$defs"), "Problem": schema}


def _document_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        match parameter["schema"]:
            case {"anyOf": [schema, {"type": "null"}], **rest}:
                # It can be left out, but a query has no null.
                parameter["schema"] = schema | rest


def _document_responses(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)  # what FastAPI would answer: here invalid requests are 400
    for status in _errors(path, operation):
        has_fault = status == HTTPStatus.BAD_REQUEST and "requestBody" in operation
        responses[str(status)] = _problem_response(path, status, [FAULT] if has_fault else MISSING)
    for status, response in responses.items():
        response["headers"] = {
            name: {"description": description, "required": True, "schema": {"type": "string"}}
            for name, description in (EVERY_HEADER | HEADERS.get(int(status), {})).items()
        }


def _errors(path: str, operation: dict[str, Any]) -> Iterator[int]:
    yield 400
    if operation.get("security"):
        yield 401
    if "{" in path:
        yield 404
    if "requestBody" in operation:
        yield 413
    yield 500
    if path != "/healthz":
        yield 503


def _problem_response(path: str, status: int, faults: list[Fault] | MISSING) -> dict[str, Any]:
    example = Problem(
        title=title_of(status),
        status=status,
        detail=DESCRIPTIONS[status],
        instance=path,
        request_id="5d9f4c1e",
        errors=faults,
    )
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "example": example.model_dump(by_alias=True),
    }
    return {"description": DESCRIPTIONS[status], "content": {PROBLEM_JSON: content}}
