"""The OpenAPI document, as those read it who never see the code."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract.conftest import HEADER, Node
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(service: Server) -> Document:
    document: Document = httpx2.get(f"{service.url}/openapi.json").json()
    return document


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def pointers_to(wanted: object, document: object, at: str = "") -> Iterator[str]:
    """Where in the document this value stands."""
    if document == wanted:
        yield at
    if isinstance(document, list):
        document = dict(enumerate(document))
    if isinstance(document, dict):
        for key, child in document.items():
            yield from pointers_to(wanted, child, f"{at}/{key}")


def test_it_is_valid_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())


def test_a_strict_linter_has_nothing_to_say(service: Server, node: Node) -> None:
    said = node("npx", "redocly", "lint", "--format=json", f"{service.url}/openapi.json")
    assert '"problems": []' in said


def test_the_authorize_button_asks_for_the_header(document: Document) -> None:
    assert document["components"]["securitySchemes"] == {
        "User": {"type": "apiKey", "in": "header", "name": HEADER}
    }
    public = {name for name, operation in operations(document) if operation["security"] == []}
    assert public == {"GET /healthz", "GET /readyz"}


def test_the_names_are_those_that_a_generated_client_should_have(document: Document) -> None:
    assert document["components"]["schemas"].keys() == {
        "Fault", "Health", "Problem", "Readiness",
        "TaskCreate", "TaskPage", "TaskRead", "TaskReplace", "TaskUpdate",
    }  # fmt: skip
    assert {operation["operationId"] for _, operation in operations(document)} == {
        "create_task", "delete_task", "get_health", "get_readiness", "get_task", "list_tasks",
        "replace_task", "toggle_task", "update_task",
    }  # fmt: skip


def test_every_error_is_a_problem_and_none_is_a_422(document: Document) -> None:
    for name, operation in operations(document):
        errors = {s: r for s, r in operation["responses"].items() if s >= "400"}
        assert "500" in errors, name
        assert "422" not in errors, name
        for response in errors.values():
            (content_type,) = response["content"]
            assert content_type == "application/problem+json", name


def test_null_stands_only_where_null_can_be(document: Document) -> None:
    assert list(pointers_to({"type": "null"}, document)) == [
        "/components/schemas/TaskPage/properties/next_cursor/anyOf/1"
    ]


def test_every_response_header_that_is_promised_is_always_there(document: Document) -> None:
    for _, operation in operations(document):
        for response in operation["responses"].values():
            assert "X-Request-ID" in response["headers"]
            assert all(header["required"] for header in response["headers"].values())
    created = document["paths"]["/api/v1/tasks"]["post"]["responses"]["201"]
    assert "Location" in created["headers"]


def test_the_bounds_of_the_contract_are_in_it(document: Document) -> None:
    limit = document["paths"]["/api/v1/tasks"]["get"]["parameters"][1]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 50)
    for name in ("TaskCreate", "TaskReplace", "TaskUpdate"):
        schema = document["components"]["schemas"][name]
        assert schema["additionalProperties"] is False
        assert schema["properties"]["description"]["maxLength"] == 10_000
        title = re.compile(schema["properties"]["title"]["pattern"])
        for accepted in ("x", "x" * 200, " x\u3000", " " * 50 + "x" * 200 + "\x85"):
            assert title.fullmatch(accepted)
        for refused in ("", " \u2003\x85", "x" * 201, "x\0"):
            assert not title.fullmatch(refused)
