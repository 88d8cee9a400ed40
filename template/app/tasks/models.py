"""A task: the table, and the shapes in which the API takes and gives it.

A field stands in two lines: in `TaskBase` and in `TaskUpdate`.
"""

from uuid import UUID

from kit.models import Input, Line, Output, Owned, Replacement, Text, unique
from pydantic import MISSING, StrictBool
from sqlmodel import Field, Index, SQLModel


class TaskBase(SQLModel):
    title: Line = Field(max_length=200, description="What to do.")
    description: Text = Field(default="", max_length=10_000, description="More about it.")
    completed: StrictBool = Field(default=False, description="Whether it is done.")


class TaskUpdate(Input):
    """What is left out stays as it is."""

    title: Line | MISSING = Field(default=MISSING, max_length=200)
    description: Text | MISSING = Field(default=MISSING, max_length=10_000)
    completed: StrictBool | MISSING = MISSING


class Task(TaskBase, Owned, table=True):
    # What a list filters by needs an index that begins with the owner.
    __table_args__ = (Index(None, "user_id", "completed", "id"), unique("idempotency_key"))

    idempotency_key: str | None = Field(default=None, max_length=255)


class TaskCreate(TaskBase, Input):
    pass


class TaskReplace(TaskBase, Replacement):
    pass


class TaskPublic(TaskBase, Output):
    pass


class TaskPage(SQLModel):
    """Newest first. `next_cursor` continues after the last item: null on the last page."""

    items: list[TaskPublic]
    next_cursor: UUID | None
