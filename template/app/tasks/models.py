"""A task: the table, and the shapes in which the API takes and gives it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import MISSING, BaseModel, JsonValue, StrictBool, StringConstraints
from sqlalchemy import CheckConstraint, DateTime
from sqlmodel import Field, SQLModel, func

from app.models import Storable, Trimmed

TITLE_LENGTH = 200
DESCRIPTION_LENGTH = 10_000

WRITTEN: dict[str, JsonValue] = {
    "title": "Buy milk",
    "description": "Two litres",
    "completed": False,
}
READ: dict[str, JsonValue] = {
    "id": "019a6e3c-6c2b-7d7e-8f5a-3b1f0c9d2e4a",
    "user_id": "alice",
    **WRITTEN,
    "created_at": "2026-11-24T08:00:00.000000Z",
    "updated_at": "2026-11-24T08:00:00.000000Z",
}

Title = Annotated[str, Trimmed(TITLE_LENGTH)]
Description = Annotated[str, StringConstraints(max_length=DESCRIPTION_LENGTH), Storable()]


class Task(SQLModel, table=True):
    """The key begins with the owner: no look-up without a user, and one index serves all."""

    __table_args__ = (
        CheckConstraint("char_length(user_id) BETWEEN 1 AND 255", "user_id_length"),
        CheckConstraint(f"char_length(title) BETWEEN 1 AND {TITLE_LENGTH}", "title_length"),
        CheckConstraint(f"char_length(description) <= {DESCRIPTION_LENGTH}", "description_length"),
    )

    user_id: str = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    title: str
    description: str
    completed: bool
    # The database sets them: None is not sent to it.
    # It gives them in UTC, to which SQLModel's own type would convert each once more.
    created_at: datetime = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": func.now()},
    )
    updated_at: datetime = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": func.now(), "onupdate": func.clock_timestamp()},
    )


class TaskCreate(BaseModel):
    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [WRITTEN]}}

    title: Title
    description: Description = ""
    completed: StrictBool = False


class TaskReplace(TaskCreate):
    """What is left out goes back to its default."""


class TaskUpdate(BaseModel):
    """What is left out stays as it is."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [WRITTEN]}}

    title: Title | MISSING = MISSING
    description: Description | MISSING = MISSING
    completed: StrictBool | MISSING = MISSING


class TaskRead(BaseModel):
    model_config = {"json_schema_extra": {"examples": [READ]}}

    id: UUID
    user_id: str
    title: str
    description: str
    completed: bool
    created_at: datetime
    updated_at: datetime


class TaskPage(BaseModel):
    """Newest first; `next_cursor` continues after the last item, null on the last page."""

    items: list[TaskRead]
    next_cursor: UUID | None
