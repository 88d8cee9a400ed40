"""`python -m kit.check`: tells whether a deployment's settings and database are right.

Exit status 0 if nothing fails, else 1.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from kit.database import Database, reason_of
from kit.database_url import is_neon
from kit.errors import Unavailable
from kit.readiness import find_faults
from kit.settings import DatabaseSettings


class Finding(NamedTuple):
    verdict: str  # "ok", "note" or "FAIL"
    text: str


async def main() -> int:
    settings: DatabaseSettings = import_module("app.main").app.state.settings
    logging.disable(logging.WARNING)  # the findings have the reason
    found = [finding async for finding in findings(settings)]
    for verdict, sentence in found:
        print(f"{verdict:4}  {sentence}")  # noqa: T201 - a person or a script reads it
    return 1 if any(finding.verdict == "FAIL" for finding in found) else 0


async def findings(settings: DatabaseSettings) -> AsyncIterator[Finding]:
    """All findings, in order. The first URL that does not reach the database is the last."""
    if find_spec("httptools"):
        yield Finding("FAIL", "Remove httptools: with it, a body could name another user.")
    if header := getattr(settings, "user_id_header", None):  # unless the service verifies callers
        yield Finding("note", f"Let only a gateway that sets {header} itself reach the service.")
    if is_neon(settings.database_url) and settings.database_url == settings.migration_url:
        yield Finding("note", "DATABASE_URL is Neon's direct host: use the pooled one.")
    if "-pooler." in str(settings.migration_url.host):
        yield Finding("FAIL", "DATABASE_URL_UNPOOLED is a pooled host: use the direct one.")
    direct = settings.model_copy(update={"database_url": settings.migration_url})
    for name, each in (("DATABASE_URL", settings), ("The URL for migrations", direct)):
        database = Database(each)
        try:
            verdict, sentence = await database.unscoped(_encryption)
            faults = await find_faults(database)
        except (SQLAlchemyError, Unavailable) as error:
            yield Finding("FAIL", f"{name} does not work: {reason_of(error)}")
            return
        yield Finding(verdict, f"{name} has {sentence}")
        for fault in faults:
            yield Finding("FAIL", f"{name}: {fault}.")
        if not faults:
            yield Finding("ok", f"{name} reaches the tables of this code, with row security.")


def _encryption(connection: Connection) -> Finding:
    if connection.engine.url.query.get("sslmode") == "verify-full":
        return Finding("ok", "TLS, and the server's certificate is verified.")
    driver: Any = connection.connection.driver_connection
    how = "TLS, but the server's certificate is not verified"
    tls = how if driver.info.ssl_in_use else "no TLS"
    return Finding("note", f"{tls}: across a network, add sslmode=verify-full to it.")


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
