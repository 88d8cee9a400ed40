"""Whether the process lives, and whether it can serve."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from kit.errors import Unavailable
from kit.migrations import is_current

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready"]


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def get_health() -> Health:
    """The process lives. This asks no database: a probe must not keep a sleeping one awake."""
    return Health(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
async def get_readiness(request: Request) -> Readiness:
    """The service can do its work: its database answers, with the schema of this code."""
    if not await request.app.state.database.unscoped(is_current):
        raise Unavailable("The schema is not the one of this code. Run: alembic upgrade head")
    return Readiness(status="ready")
