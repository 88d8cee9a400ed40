"""Whether the process lives, and whether it can serve."""

from functools import cache
from pathlib import Path
from typing import Literal

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.api import StrictJSONRoute
from app.database import Database
from app.errors import Unavailable

router = APIRouter(tags=["health"], route_class=StrictJSONRoute)


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready"]


@router.get("/healthz")
async def get_health() -> Health:
    """The process lives. Asks no database, so that a probe does not keep a sleeping one awake."""
    return Health(status="ok")


@router.get("/readyz")
def get_readiness(request: Request) -> Readiness:
    """The service can do its work: its database answers, with the schema of this code."""
    database: Database = request.app.state.database
    with database.unscoped() as connection:
        applied = MigrationContext.configure(connection).get_current_heads()
    if set(applied) != code_heads():
        raise Unavailable(
            "The database's schema is not the one of this code. Run: alembic upgrade head"
        )
    return Readiness(status="ready")


@cache
def code_heads() -> set[str]:
    return set(ScriptDirectory(str(Path(__file__).parent / "migrations")).get_heads())
