"""Parameters of operations, as FastAPI reads and describes them."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Query

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[ -~]*$",
        min_length=1,
        max_length=255,
        description="Your own value. Sent again, it gets what is stored already (201).",
        examples=["5f3c1d9a-0b1e-4c57-9a8f-2d6e7c4b1a90"],
    ),
]
"""A key for a create that a client may have to send again: printable ASCII."""

Limit = Annotated[int, Query(ge=1, le=200, description="How many items a page has at most.")]

Cursor = Annotated[UUID | None, Query(description="The `next_cursor` of the page before.")]
