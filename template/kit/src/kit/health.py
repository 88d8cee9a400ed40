"""Whether the process is alive, and whether it can serve. Open to all."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from kit.errors import Unavailable
from kit.readiness import find_faults

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """A process that is alive."""

    status: Literal["ok"] = Field(description="Always `ok`.")


class Readiness(BaseModel):
    """A service that can do its work."""

    status: Literal["ready"] = Field(description="Always `ready`.")


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", response_description="It is alive.")
async def get_health() -> Health:
    """The process lives. This never queries the database, so that probes let Neon sleep."""
    return Health(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", response_description="It is ready.")
async def get_readiness(request: Request) -> Readiness:
    """The service can do its work: requests can use its tables, with row security."""
    for fault in await find_faults(request.app.state.database):
        raise Unavailable(fault)
    return Readiness(status="ready")
