"""What holds for every route, table and migration, including those that you add."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from alembic import command
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import Connection, MetaData, NullPool, Table, create_engine, exc, func, inspect
from sqlalchemy.sql import Executable, visitors

from kit.database import OWNER
from kit.database_url import parse_url
from kit.migrations import ROLE_FAULTS, owned_tables, scripts
from kit.testing.fixtures import NewUser
from kit.testing.layers import mistakes
from kit.testing.samples import sample_body
from kit.testing.servers import alembic_on

# All ids are the same, so that rows refer to one another.
VALUES: dict[type, object] = {str: "x", bool: True, int: 1, float: 1, Decimal: 1, UUID: uuid4()}
VALUES |= {date: func.now(), datetime: func.now(), dict: {}, list: []}

CATALOGUE = Path(__file__).with_name("catalogue.sql").read_text("utf-8")


def operations(app: FastAPI, public_paths: set[str]) -> Iterator[tuple[str, str]]:
    """Method and path of all operations that must know who is calling."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.path not in public_paths:
            yield from ((method, str(route.path)) for method in sorted(route.methods or ()))


def test_a_caller_without_identity_is_refused(
    app: FastAPI, public_paths: set[str], nobody: httpx2.Client
) -> None:
    answers = {
        (method, path): nobody.request(method, path_to(uuid4(), path)).status_code
        for method, path in operations(app, public_paths)
    }
    answered = {call: status for call, status in answers.items() if status != 401}
    assert answered == {}, "Use CallerDatabase, or name in `public_paths` what is open to all."


def test_another_user_gets_the_same_404_as_for_a_missing_resource(
    app: FastAPI, public_paths: set[str], tested_by_hand: set[str], new_user: NewUser
) -> None:
    calls = set(operations(app, public_paths))
    for method, path in calls:
        collection = path.partition("/{")[0]
        is_one_of_a_collection = path.count("{") == 1 and ("POST", collection) in calls
        if is_one_of_a_collection and collection not in tested_by_hand:
            compare_hidden_with_missing(app.openapi(), method, path, new_user)


def compare_hidden_with_missing(
    document: dict[str, Any], method: str, path: str, new_user: NewUser
) -> None:
    owner, other = new_user(), new_user()
    collection = path.partition("/{")[0]
    created = owner.post(collection, json=sample_body(document, "POST", collection))
    # What no `examples` make valid, as it refers to another row, goes into `tested_by_hand`.
    assert created.status_code == 201, f"Give `examples`, or `tested_by_hand`: {created.text}"
    this, body = created.json(), sample_body(document, method, path)

    hidden = other.request(method, path_to(this["id"], path), json=body)
    missing = other.request(method, path_to(uuid4(), path), json=body)
    assert hidden.status_code == missing.status_code == 404
    assert anonymous(hidden) == anonymous(missing)
    assert owner.get(f"{collection}/{this['id']}").json() == this
    assert owner.request(method, path_to(this["id"], path), json=body).is_success


def path_to(resource_id: object, path: str) -> str:
    return re.sub(r"{[^}]+}", str(resource_id), path)


def anonymous(response: httpx2.Response) -> object:
    """What is answered, but for the request's own id, path and time, and values of `X-` headers."""
    raw = response.headers.raw
    headers = [(n, "" if n.lower().startswith((b"x-", b"date")) else value) for n, value in raw]
    return headers, {**response.json(), "request_id": "", "instance": ""}


def test_a_module_uses_only_what_its_layer_may() -> None:
    found = {str(f): mistakes(f.name, f.read_text("utf-8")) for f in Path("app").rglob("*.py")}
    assert {file: wrong for file, wrong in found.items() if wrong} == {}


def test_each_statement_names_the_user() -> None:
    """Row security hides a missing filter from every other test."""
    for path in Path("app").rglob("repository.py"):
        module = import_module(".".join(path.with_suffix("").parts))
        for name, value in vars(module).items():
            is_statement = isinstance(value, Executable)
            parts = [*visitors.iterate(value)] if is_statement else []
            tables = [getattr(part, "table", part) for part in parts]
            owned = {table.name for table in tables if isinstance(table, Table)} & {*owned_tables()}
            keys = {getattr(part, "key", None) for part in parts}
            assert not owned or OWNER.key in keys, f"{path}: {name} names no OWNER."


def test_every_table_of_users_keeps_them_apart(database_url: str) -> None:
    with create_engine(parse_url(database_url), poolclass=NullPool).connect() as connection:
        assert faults(connection) == []


def faults(connection: Connection) -> list[str]:
    """What is wrong in PostgreSQL's catalogue, and with which table, index or role."""
    found = connection.exec_driver_sql(CATALOGUE.replace("ROLE_FAULTS", ROLE_FAULTS))
    return [f"{fault}: {place}" for fault, place in found]


def test_there_is_one_head() -> None:
    assert len(scripts().get_heads()) == 1, 'Run: uv run alembic merge heads -m "merge heads"'


def test_the_migrations_make_the_schema_of_the_models(database_url: str) -> None:
    with alembic_on(database_url) as config:
        command.check(config)


def test_every_migration_goes_down_and_up_again(empty_database: str) -> None:
    engine = create_engine(parse_url(empty_database), poolclass=NullPool)
    with alembic_on(empty_database) as config, engine.connect() as connection:
        try:
            for revision in reversed([*scripts().walk_revisions()]):
                command.upgrade(config, revision.revision)
                fill(connection)
            command.downgrade(config, "base")
        except SystemExit as refused:  # the rows are in the way
            pytest.fail(str(refused), pytrace=False)
        assert inspect(connection).get_table_names() == ["alembic_version"]
        connection.rollback()
        command.upgrade(config, "head")
        command.check(config)


def fill(connection: Connection) -> None:
    """Store a row in each table, as a deployment has some, where one can be made up."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name != "alembic_version")
    for table in found.sorted_tables:
        needed = [c for c in table.columns if not (c.nullable or c.server_default)]
        # A type may have no value here, and a CHECK may refuse what there is.
        with suppress(exc.SQLAlchemyError, NotImplementedError), connection.begin_nested():
            row = {column.name: VALUES.get(column.type.python_type) for column in needed}
            connection.execute(table.insert().values(row))
    connection.commit()
