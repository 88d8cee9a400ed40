"""What the models of every resource share."""

import re
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID
from zlib import crc32

from pydantic import StringConstraints
from pydantic_core import PydanticUndefined
from sqlalchemy import DateTime, ForeignKeyConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel, func
from uuid_utils.compat import uuid7

new_id = uuid7
"""Makes the id of a new row. Ids sort by creation time."""

LAST_ID = UUID(int=2**128 - 1)
"""Greater than any id that `new_id` makes."""

# Every database gives the same names, so that a migration can name what it drops. Alembic sees that
# a CHECK has changed by its name alone: without a name of its own, it is named after its text.
SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(text)s",
    "text": lambda check, _: f"{crc32(str(check.sqltext).encode()):08x}",
}

TIME = DateTime(timezone=True)
NOW = {"server_default": func.now()}

# PostgreSQL cannot store U+0000.
AnyText = Annotated[str, StringConstraints(pattern=r"^[^\u0000]*$")]
"""Any text."""

NonBlankText = Annotated[AnyText, StringConstraints(strip_whitespace=True, min_length=1)]
"""Text with something in it. White space at both ends is removed."""


class UserId(str):
    """The identifier of a user: 1 to 255 printable ASCII characters, no spaces.

    Raises ValueError for anything else.
    """

    __slots__ = ()
    _valid = re.compile(r"[!-~]{1,255}")

    def __new__(cls, value: str) -> Self:
        if not cls._valid.fullmatch(value):
            raise ValueError("A user id is 1 to 255 printable ASCII characters, no spaces.")
        return super().__new__(cls, value)


class Owned(SQLModel):
    """The columns of a table whose rows belong to users. The key begins with the owner."""

    user_id: str = Field(primary_key=True, max_length=255)
    id: UUID = Field(primary_key=True)
    # The database sets the times: None is not sent.
    created_at: datetime = Field(default=None, sa_type=TIME, sa_column_kwargs=NOW)
    updated_at: datetime = Field(
        default=None, sa_type=TIME, sa_column_kwargs={**NOW, "onupdate": func.clock_timestamp()}
    )


def unique(*columns: str) -> UniqueConstraint:
    """In `__table_args__`: no two rows of one user have the same values in these columns."""
    return UniqueConstraint("user_id", *columns)


def reference(column: str, parent: str, *, cascade: bool = False) -> ForeignKeyConstraint:
    """In `__table_args__`: `column` has the id of a row of the same user in the table `parent`.

    With `cascade`, deleting a row deletes the rows that refer to it. Without it, such a row cannot
    be deleted: the response is a 409.
    """
    of_parent = [f"{parent}.user_id", f"{parent}.id"]
    ondelete = "CASCADE" if cascade else None
    return ForeignKeyConstraint(["user_id", column], of_parent, ondelete=ondelete)


class Input(SQLModel):
    """A request's body. A field that the model does not have is an error."""

    model_config = {"extra": "forbid"}


class Replacement(Input):
    """The body of a PUT: every field is required, also one that has a default elsewhere."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for field in cls.model_fields.values():
            field.default = PydanticUndefined
        cls.model_rebuild(force=True)


class Output(SQLModel):
    """The first fields of a response's body.

    Make it with `model_construct`, so that reading never fails on a row of an earlier release.
    """

    model_config = {"json_schema_serialization_defaults_required": True}

    id: UUID = Field(description="Made by the service. Ids sort by creation time.")
    user_id: str = Field(description="The owner. No other user can see it.")


class Timestamps(SQLModel):
    """The last fields of a response's body. pydantic puts those of the first base last."""

    created_at: datetime = Field(description="Set by the service.")
    updated_at: datetime = Field(description="Set by the service at every change.")
