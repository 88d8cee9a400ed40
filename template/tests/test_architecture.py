"""What a module may use, by its name: rules for every module of `app/`, also for those to come.

They read the source alone. What they forbid would work, and that is why a test has to forbid it.
"""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, Relationship, SQLModel, func

APP = Path(__file__).parents[1] / "app"
MODULES = sorted(path.relative_to(APP).as_posix() for path in APP.rglob("*.py"))

DATABASE = ["database.py", "check.py", "migrations/*"]
MAY_USE = {
    "a connection": [*DATABASE, "database_url.py"],
    "a statement": [*DATABASE, "database_url.py", "*/repository.py"],
    "one user's rows": ["*/repository.py"],
    "everybody's rows": [*DATABASE, "main.py", "health.py"],
    "a user's name": ["identity.py", "check.py"],
}

KINDS = {
    r"psycopg2?\b.*": "a connection",
    r"(sqlalchemy|sqlmodel)(\.orm|\.event|\.(pool|ext)\b.*)?": "a connection",
    r"(sqlalchemy|sqlmodel)\..*([Ee]ngine|[Ss]ession|Connection).*": "a connection",
    r".*\.(driver|raw)_connection": "a connection",
    r"app\.database\.(OWNER|UserDatabase|of_caller)": "one user's rows",
    r"app\.database(\..*)?|.*\.(for_user|unscoped)|.*\bstate\.database": "everybody's rows",
    r"UserId\(": "a user's name",
}
DESCRIPTIONS = (Field, Relationship, SQLModel, func, URL)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_uses_only_what_it_may(module: str) -> None:
    assert not list(faults(module, (APP / module).read_text("utf-8")))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("notes/router.py", "from app.database import of_caller"),
        ("notes/router.py", "from app import database"),
        ("notes/router.py", "import app.database as db"),
        ("notes/router.py", "from sqlmodel import select"),
        ("notes/router.py", "from sqlmodel import *"),
        ("notes/router.py", "request.app.state.database"),
        ("notes/models.py", "from sqlalchemy import text"),
        ("notes/models.py", "import sqlalchemy as sa"),
        ("notes/service.py", "from sqlalchemy.dialects.postgresql import insert"),
        ("notes/service.py", "def f():\n    from psycopg2 import connect"),
        ("notes/repository.py", "from app.database import Database"),
        ("notes/repository.py", "from ..database import Database"),
        ("notes/repository.py", "database.unscoped()"),
        ("notes/repository.py", "UserId('alice')"),
        ("notes/repository.py", "from sqlmodel import Session"),
        ("notes/repository.py", "from sqlalchemy import create_engine"),
        ("notes/repository.py", "from sqlalchemy.ext.asyncio import AsyncConnection"),
        ("notes/repository.py", "from sqlalchemy import orm"),
        ("notes/repository.py", "session.connection().connection.driver_connection"),
        ("health.py", "from sqlmodel import text"),
    ],
)
def test_a_mistake_is_noticed(module: str, source: str) -> None:
    assert list(faults(module, source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("notes/models.py", "from sqlmodel import JSON, Column, Field, Relationship, SQLModel"),
        ("notes/models.py", "from sqlalchemy.dialects.postgresql import JSONB"),
        ("notes/repository.py", "from sqlalchemy.dialects.postgresql import insert"),
        ("notes/repository.py", "from app.database import OWNER, UserDatabase, of_caller"),
    ],
)
def test_what_a_resource_needs_is_allowed(module: str, source: str) -> None:
    assert not list(faults(module, source))


def faults(module: str, source: str) -> Iterator[str]:
    for name in uses(ast.parse(source), ["app", *Path(module).parts]):
        kind = kind_of(name)
        if kind and not any(fnmatch(module, pattern) for pattern in MAY_USE[kind]):
            yield f"app/{module} uses {name}. Only {', '.join(MAY_USE[kind])} may use {kind}."


def uses(tree: ast.Module, path: list[str]) -> Iterator[str]:
    """Imports and attributes by their full names, calls of plain names with a parenthesis."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                package = [*path[:-level], *filter(None, [module])] if level else [str(module)]
                yield from (".".join([*package, alias.name]) for alias in names)
            case ast.Attribute():
                yield ast.unparse(node)
            case ast.Call(func=ast.Name(id=name)):
                yield f"{name}("


def kind_of(name: str) -> str | None:
    for pattern, kind in KINDS.items():
        if re.fullmatch(pattern, name, re.DOTALL):
            return kind
    if re.match(r"(sqlalchemy|sqlmodel)\.", name) and not describes_tables(name):
        return "a statement"
    return None


def describes_tables(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    thing = getattr(import_module(module), attribute, None)
    described = isinstance(thing, type) and issubclass(thing, (SchemaItem, TypeEngine))
    return described or thing in DESCRIPTIONS
