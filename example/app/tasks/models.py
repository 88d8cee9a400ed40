"""A task: the table, and the shapes in which the API accepts and returns it.

A field is a type, with its limits and its description, and two lines: in `TaskBase` and in
`TaskUpdate`.
"""

from typing import Annotated
from uuid import UUID

from kit.models import AnyText, Input, NonBlankText, Output, Owned, Replacement, Timestamps, unique
from pydantic import MISSING, StrictBool
from sqlmodel import Field, Index, SQLModel

Title = Annotated[
    NonBlankText,
    Field(max_length=200, description="A short name.", schema_extra={"examples": ["My task"]}),
]
Description = Annotated[AnyText, Field(max_length=10_000, description="More about the task.")]
Completed = Annotated[StrictBool, Field(description="Whether the task is done.")]


class TaskBase(SQLModel):
    title: Title
    description: Description = ""
    completed: Completed = False


class TaskUpdate(Input):
    """The changes to a task. Fields that are left out stay as they are."""

    title: Title | MISSING = MISSING
    description: Description | MISSING = MISSING
    completed: Completed | MISSING = MISSING


class Task(TaskBase, Owned, table=True):
    # What a list filters by needs an index that begins with the owner.
    __table_args__ = (Index(None, "user_id", "completed", "id"), unique("idempotency_key"))

    idempotency_key: str | None = Field(default=None, max_length=255)


class TaskCreate(TaskBase, Input):
    """A new task. Fields that are left out have their defaults."""


class TaskReplace(TaskBase, Replacement):
    """The new values of a task. No field may be left out."""


class TaskPublic(Timestamps, TaskBase, Output):
    """A task as it is stored."""


class TaskPage(SQLModel):
    """A page of a list."""

    items: list[TaskPublic] = Field(description="Newest first, `limit` of them at most.")
    next_cursor: UUID | None = Field(description="The `cursor` of the next page, null on the last.")
