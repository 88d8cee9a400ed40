"""Parameters of operations, as FastAPI reads and describes them."""

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[ -~]*$",
        min_length=1,
        max_length=255,
        description="A value of your own. Sent again with it, the request stores nothing new.",
        examples=["5f3c1d9a-0b1e-4c57-9a8f-2d6e7c4b1a90"],
    ),
]
"""What a client gives to a create that it may have to send again: printable ASCII."""
