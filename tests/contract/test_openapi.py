"""The OpenAPI document, as those read it who never see the code."""

import re
from collections.abc import Iterator

import httpx2
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract.conftest import HEADER, Node
from tests.descriptions import Document, operations, undescribed
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]


@pytest.fixture(scope="module")
def document(service: Server) -> Document:
    document: Document = httpx2.get(f"{service.url}/openapi.json").json()
    return document


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


def test_each_part_says_what_it_is_for(document: Document) -> None:
    assert undescribed(document) == []


def test_the_authorize_button_asks_for_the_header(document: Document) -> None:
    assert document["components"]["securitySchemes"].keys() == {"User"}
    scheme = document["components"]["securitySchemes"]["User"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", HEADER)
    public = {name for name, operation in operations(document) if "security" not in operation}
    assert public == {"GET /healthz", "GET /readyz"}


def test_the_names_are_those_that_a_generated_client_should_have(document: Document) -> None:
    assert document["components"]["schemas"].keys() == {
        "FieldError", "Health", "ProblemDetails", "Readiness",
        "TaskCreate", "TaskPage", "TaskPublic", "TaskReplace", "TaskUpdate",
    }  # fmt: skip
    assert {operation["operationId"] for _, operation in operations(document)} == {
        "create_task", "delete_task", "get_health", "get_readiness", "get_task", "list_tasks",
        "replace_task", "toggle_task", "update_task",
    }  # fmt: skip


def test_every_error_is_a_problem_and_none_is_a_422(document: Document) -> None:
    for name, operation in operations(document):
        errors = {s: r for s, r in operation["responses"].items() if s >= "400"}
        assert errors.keys() == expected_errors(name, operation), name
        for response in errors.values():
            (content_type,) = response["content"]
            assert content_type == "application/problem+json", name


def expected_errors(name: str, operation: Document) -> set[str]:
    if name == "GET /healthz":
        return {"500"}
    if name == "GET /readyz":
        return {"500", "503"}
    errors = {"400", "401", "500", "503"}
    if "{task_id}" in name:
        errors |= {"404"}
    return errors | {"409", "413"} if "requestBody" in operation else errors


def test_null_stands_only_where_null_can_be(document: Document) -> None:
    """In a parameter it stands for what can be left out."""
    tasks = "/paths//api/v1/tasks"
    assert list(pointers_to({"type": "null"}, document)) == [
        f"{tasks}/post/parameters/0/schema/anyOf/1",
        f"{tasks}/get/parameters/0/schema/anyOf/1",
        f"{tasks}/get/parameters/2/schema/anyOf/1",
        "/components/schemas/TaskPage/properties/next_cursor/anyOf/1",
    ]


def test_what_a_body_needs_and_what_a_response_always_has(document: Document) -> None:
    fields = {"title", "description", "completed"}
    made = {"id", "user_id", "created_at", "updated_at"}
    required = {
        "TaskCreate": {"title"},
        "TaskReplace": fields,
        "TaskUpdate": set[str](),
        "TaskPublic": fields | made,
        "TaskPage": {"items", "next_cursor"},
        "ProblemDetails": {"title", "status", "code", "detail", "instance", "request_id"},
        "FieldError": {"in", "pointer", "code", "detail"},
    }
    schemas = document["components"]["schemas"]
    assert {name: set(schemas[name].get("required", ())) for name in required} == required


def test_a_task_has_its_members_in_the_order_of_the_contract(
    document: Document, alice: httpx2.Client
) -> None:
    members = list(document["components"]["schemas"]["TaskPublic"]["properties"])
    assert members == [
        "id", "user_id", "title", "description", "completed", "created_at", "updated_at",
    ]  # fmt: skip
    assert list(alice.post("/api/v1/tasks", json={"title": "Buy milk"}).json()) == members


def test_the_bounds_of_the_contract_are_in_it(document: Document) -> None:
    limit = document["paths"]["/api/v1/tasks"]["get"]["parameters"][1]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 50)
    for name in ("TaskCreate", "TaskReplace", "TaskUpdate"):
        schema = document["components"]["schemas"][name]
        assert schema["additionalProperties"] is False
        title, description = (schema["properties"][name] for name in ("title", "description"))
        assert (title["minLength"], title["maxLength"]) == (1, 200)
        assert ("minLength" in description, description["maxLength"]) == (False, 10_000)
        assert title["examples"] == ["My task"]  # else Swagger UI makes one up, from the pattern
        for text in (title, description):
            assert re.search(text["pattern"], "two\nlines")
            assert not re.search(text["pattern"], "a\0b")
