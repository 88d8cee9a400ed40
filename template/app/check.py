"""`python -m app.check`: says in words whether a deployment's settings and database are right.

Exit status 0 where nothing fails, else 1.
"""

from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlmodel import SQLModel

import app.routers  # noqa: F401 - every resource's tables
from app.database import USER_ROLE, Database
from app.database_url import is_neon
from app.errors import Unavailable
from app.health import code_heads
from app.identity import UserId
from app.observability import configure_logging
from app.settings import Settings

RIGHTS = text("""
    SELECT current_user AS name, mine.rolsuper OR mine.rolbypassrls AS exempt,
           pg_has_role(current_user, role.oid, CASE WHEN current_setting('server_version_num')::int
                                               < 160000 THEN 'MEMBER' ELSE 'SET' END) AS may_become
    FROM pg_roles mine, pg_roles role WHERE mine.rolname = current_user AND role.rolname = :role
""")

ROW_SECURITY = text("SELECT row_security_active(to_regclass(:table)) AS active")


class Finding(NamedTuple):
    verdict: str  # "ok", "note" or "FAIL"
    text: str


def main() -> int:
    settings = Settings.load()
    configure_logging(settings.model_copy(update={"log_level": "error"}))
    verdicts = set()
    for verdict, sentence in findings(settings):
        print(f"{verdict:4}  {sentence}")  # noqa: T201 - a person or a script reads it
        verdicts.add(verdict)
    return 1 if "FAIL" in verdicts else 0


def findings(settings: Settings) -> Iterator[Finding]:
    yield from _hosts(settings)
    migrations = settings.model_copy(update={"database_url": settings.migration_url})
    for name, each in (("DATABASE_URL", settings), ("The URL for migrations", migrations)):
        try:
            with Database(each).unscoped() as connection:
                yield Finding("ok", f"{name} reaches the database.")
                if each is settings:
                    yield from _connection(connection)
        except Unavailable as error:
            yield Finding("FAIL", f"{name} does not reach the database: {_reason(error.__cause__)}")
            return
    try:
        yield from _row_security(Database(settings))
    except DBAPIError as error:
        yield Finding("FAIL", f"Row security cannot be checked: {_reason(error)}")


def _reason(error: Any) -> str:
    return str(getattr(error, "orig", error)).splitlines()[0]


def _hosts(settings: Settings) -> Iterator[Finding]:
    if is_neon(settings.database_url):
        if settings.database_url == settings.migration_url:
            yield Finding("note", "DATABASE_URL is Neon's direct host: take the pooled one.")
        if "-pooler." in str(settings.migration_url.host):
            yield Finding("FAIL", "DATABASE_URL_UNPOOLED is a pooled host: take the direct one.")


def _connection(connection: Connection) -> Iterator[Finding]:
    info: Any = connection.connection.driver_connection
    encrypted = info.info.ssl_in_use
    verified = connection.engine.url.query.get("sslmode") == "verify-full"
    if verified:
        yield Finding("ok", "TLS, and the server's certificate is verified.")
    else:
        how = "TLS, but the server's certificate is not verified" if encrypted else "No TLS"
        yield Finding("note", f"{how}: across a network, add sslmode=verify-full to the URL.")
    yield Finding("ok", f"A round trip takes {_round_trip(connection):.1f} ms.")
    yield _schema(connection)
    yield _rights(connection)


def _schema(connection: Connection) -> Finding:
    try:
        applied = set(MigrationContext.configure(connection).get_current_heads())
    except ProgrammingError as error:
        return Finding("FAIL", f"The schema's version cannot be read: {_reason(error)}")
    if applied == code_heads():
        return Finding("ok", "The schema is the one of this code.")
    return Finding("FAIL", "The schema is not the one of this code: run alembic upgrade head.")


def _round_trip(connection: Connection) -> float:
    def milliseconds() -> float:
        started = perf_counter()
        connection.execute(text("SELECT 1")).all()
        return (perf_counter() - started) * 1000

    return median(milliseconds() for _ in range(9))


def _rights(connection: Connection) -> Finding:
    role = connection.execute(RIGHTS, {"role": USER_ROLE}).one_or_none()
    if role is None:
        return Finding("FAIL", f"There is no role {USER_ROLE}: run alembic upgrade head.")
    if not role.may_become:
        return Finding("FAIL", f"Let a DBA run: GRANT {USER_ROLE} TO {role.name};")
    but = ", though it is exempt from it itself" if role.exempt else ""
    return Finding("ok", f"The role {role.name} may run statements under row security{but}.")


def _row_security(database: Database) -> Iterator[Finding]:
    user = database.for_user(UserId("check"))
    for table in SQLModel.metadata.sorted_tables:
        if "user_id" in table.columns:
            if user.execute(ROW_SECURITY, table=table.name)[0]["active"]:
                yield Finding("ok", f"Row security is effective on {table.name}.")
            else:
                yield Finding("FAIL", f"{table.name} has no row security: see app/migrations.")


if __name__ == "__main__":
    raise SystemExit(main())
