import asyncio
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from kit.database import Database, UserDatabase
from kit.models import UserId

from app.settings import Settings
from app.tasks.models import TaskCreate
from app.tasks.repository import TaskRepository

NewOwner = Callable[[], UserDatabase]


@pytest.fixture(scope="session")
def settings(app: FastAPI) -> Settings:
    found: Settings = app.state.settings
    return found


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings)
    yield database
    database.dispose()


@pytest.fixture
def new_owner(database: Database) -> NewOwner:
    """Makes users who have one task, "mine"."""

    def new() -> UserDatabase:
        user = UserDatabase(database, UserId(f"user-{uuid4()}"))
        asyncio.run(TaskRepository(user).create(TaskCreate(title="mine")))
        return user

    return new
