import pytest
from kit.testing.layers import mistakes


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("router.py", "from kit.database import UserDatabase"),
        ("router.py", "from kit import database"),
        ("router.py", "import kit.database as db"),
        ("router.py", "from sqlmodel import select"),
        ("router.py", "import sqlmodel\nsqlmodel.select"),
        ("router.py", "request.app.state.database"),
        ("repository.py", "from kit.database import Database"),
        ("repository.py", "database.unscoped()"),
        ("repository.py", "self.database.unscoped()"),
        ("repository.py", "from sqlalchemy import create_engine"),
        ("repository.py", "from sqlalchemy.ext.asyncio import AsyncConnection"),
        ("repository.py", "from fastapi import HTTPException"),
        ("repository.py", "from starlette.requests import Request"),
        ("repository.py", "from app.identity import CurrentUser"),
        ("repository.py", "def f():\n    from psycopg2 import connect"),
    ],
)
def test_a_mistake_is_noticed(module: str, source: str) -> None:
    assert mistakes(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("models.py", "from sqlmodel import JSON, Column, Field, Relationship, SQLModel"),
        ("models.py", "from sqlalchemy.dialects.postgresql import JSONB"),
        ("router.py", "from sqlmodel import Field, SQLModel"),
        ("repository.py", "from sqlalchemy.dialects.postgresql import insert"),
        ("repository.py", "from kit.database import OWNER, UserDatabase"),
        ("repository.py", "from sqlmodel import Session, select"),
        ("seed.py", "from kit.database import Database, UserDatabase"),
    ],
)
def test_what_a_layer_needs_is_allowed(module: str, source: str) -> None:
    assert not mistakes(module, source)
