"""What the document says beside what FastAPI does."""

from enum import Enum
from typing import Any

import pytest
from fastapi import APIRouter
from kit.application import create_app

from app.resources import ROUTERS
from tests.kit.services import make_settings

DOCUMENT = create_app(
    make_settings("postgresql://host/database", user_id_header="X-Subject"), ROUTERS
).openapi()
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation
    for operations in DOCUMENT["paths"].values()
    for operation in operations.values()
}
IDS = sorted(OPERATIONS)


def test_operations_are_named_as_their_functions() -> None:
    assert {"create_task", "list_tasks", "get_task", "get_health"} <= set(IDS)


def test_the_callers_header_is_a_security_scheme() -> None:
    (scheme,) = DOCUMENT["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "X-Subject")
    (required,) = OPERATIONS["list_tasks"]["security"]
    assert required.keys() == DOCUMENT["components"]["securitySchemes"].keys()
    assert "security" not in OPERATIONS["get_health"]


@pytest.mark.parametrize("name", IDS)
def test_every_error_is_documented_as_a_problem(name: str) -> None:
    responses = OPERATIONS[name]["responses"]
    assert "422" not in responses
    assert "500" in responses
    for status, response in responses.items():
        if int(status) >= 400:
            problem = response["content"]["application/problem+json"]
            assert problem["schema"] == {"$ref": "#/components/schemas/ProblemDetails"}


def test_the_errors_of_an_operation_are_those_it_can_answer() -> None:
    def errors(name: str) -> set[str]:
        return {status for status in OPERATIONS[name]["responses"] if status >= "400"}

    assert errors("create_task") == {"400", "401", "409", "413", "500", "503"}
    assert errors("list_tasks") == {"400", "401", "500", "503"}
    assert errors("toggle_task") == {"400", "401", "404", "500", "503"}
    assert errors("update_task") == {"400", "401", "404", "409", "413", "500", "503"}
    assert errors("get_health") == {"500"}
    assert errors("get_readiness") == {"500", "503"}


def test_schemas_are_named_as_their_models_and_null_is_only_where_it_can_be() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert {"TaskCreate", "TaskPublic", "TaskUpdate", "ProblemDetails"} <= set(schemas)
    assert not [name for name in schemas if "-" in name or "ValidationError" in name]
    nullable = [
        (name, field)
        for name, schema in schemas.items()
        for field, value in schema["properties"].items()
        if {"type": "null"} in value.get("anyOf", [])
    ]
    assert [at for at in nullable if at[0].startswith("Task")] == [("TaskPage", "next_cursor")]


class Tag(Enum):
    OURS = "ours"
    NAMED = "named"


def elsewhere() -> None:
    """Of a module that was not imported by name."""


elsewhere.__module__ = "not_imported"


def test_a_tag_has_its_description_from_the_options_or_from_its_routers_module() -> None:
    router = APIRouter(tags=list(Tag))
    router.get("/ours")(lambda: None)
    router.get("/elsewhere")(elsewhere)
    router.get("/hidden", tags=["hidden"], include_in_schema=False)(lambda: None)
    hidden = APIRouter(include_in_schema=False)
    hidden.get("/more", tags=["hidden"])(lambda: None)
    named = {"name": "named", "description": "By the team."}
    settings = make_settings("postgresql://host/database")
    app = create_app(settings, [router, hidden], openapi_tags=[named])
    app.get("/direct", tags=["direct"])(lambda: None)  # app/main.py speaks of more than a tag
    described = {tag["name"]: tag["description"] for tag in app.openapi()["tags"]}
    assert described["named"] == "By the team."
    assert described["ours"] == __doc__
    assert described.keys() == {"named", "ours", "health"}
