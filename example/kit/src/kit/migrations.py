"""Alembic's environment: how migrations reach the database, and how they secure it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alembic import context
from alembic.config import Config
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from pydantic import ValidationError
from sqlalchemy import URL, Connection, NullPool, create_engine, text
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.types import JSON
from sqlmodel import SQLModel

from kit.database import reason_of
from kit.settings import DatabaseSettings

# Any number that no other program uses for an advisory lock in this database.
LOCK = {"lock": 804_200_301}
TRY = text("SELECT pg_try_advisory_lock(:lock)")
HOLDER = text("""
    SELECT format('PostgreSQL''s process %s, connected since %s', pid, backend_start)
    FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'
    AND objid = :lock AND granted AND datname = current_database()""")
PATIENCE = 60
"""Seconds that a migration waits for another one."""

ROW_SECURITY = Path(__file__).with_name("row_security.sql").read_text("utf-8")
ROLE_FAULTS = Path(__file__).with_name("role_faults.sql").read_text("utf-8")

HINT = "Change the rows or the revision. NOT NULL needs a server_default, in downgrade() too."

logger = logging.getLogger("alembic.runtime.migration")


class _Postgresql(PostgresqlImpl):
    __dialect__ = "postgresql"

    def compare_server_default(self, *compared: Any, **_: Any) -> bool:
        """Alembic lets the database compare defaults, but it cannot compare values of JSON."""
        _, column, *defaults = compared
        if type(column.type) is not JSON:
            alembics: Any = super().compare_server_default
            return bool(alembics(*compared))
        return len({str(each).removesuffix("::json").strip("'") for each in defaults}) > 1


def run() -> None:
    """Run Alembic's command. `env.py` calls this when every model is imported."""
    logging.basicConfig(format="%(message)s")
    logger.setLevel(logging.INFO)
    if context.is_offline_mode():
        _run_offline()
    else:
        with _database_url() as url:
            _run_online(url)


def is_current(connection: Connection) -> bool:
    """Whether the database has the schema of this code."""
    heads = MigrationContext.configure(connection).get_current_heads()
    return set(heads) == set(scripts().get_heads())


def pending(url: URL) -> str:
    """The revisions that the database lacks, and the command for them. Empty if it lacks none."""
    try:
        with create_engine(url, poolclass=NullPool).connect() as connection:
            heads = MigrationContext.configure(connection).get_current_heads()
        lacking = [*scripts().iterate_revisions("heads", heads or "base")]
    except (RevisionError, SQLAlchemyError) as error:
        return f"It is not known which revisions are pending: {reason_of(error)}"
    lines = ["These revisions are pending. Run: uv run alembic upgrade head"]
    lines += [f"  {each.revision} {each.doc}" for each in reversed(lacking)]
    return "\n".join(lines) if lacking else ""


@cache
def scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(Config(toml_file="pyproject.toml"))


@contextmanager
def _database_url() -> Iterator[URL]:
    """The configured URL, else that of the development database where `kit.dev` is installed."""
    if _is_configured() or not find_spec("kit.dev"):
        yield DatabaseSettings.load().migration_url
        return
    from kit.dev.postgres import embedded, forget_shell  # noqa: PLC0415 - not in the image

    forget_shell()
    with embedded() as url:
        yield DatabaseSettings(database_url=url).database_url


def _is_configured() -> bool:
    """Whether there is a DATABASE_URL, valid or not."""
    try:
        DatabaseSettings()
    except ValidationError as error:
        return error.errors()[0]["type"] != "missing"
    return True


def _run_online(url: URL) -> None:
    with _connect(url) as connection:
        command = _configure(connection=connection)
        # A migration that waits for a busy table gives up before the requests behind it do.
        connection.execute(text("SET lock_timeout = '3s'"))
        if command in {"upgrade", "downgrade", "do_stamp"}:
            _wait_for_turn(connection)
        connection.commit()
        _migrate(command)
        connection.commit()


def _connect(url: URL) -> Connection:
    try:
        return create_engine(url, poolclass=NullPool, use_native_hstore=False).connect()
    except SQLAlchemyError as error:
        raise SystemExit(f"The database cannot be reached: {reason_of(error)}") from None


def _wait_for_turn(connection: Connection) -> None:
    """One of the instances that start together migrates at a time. The session holds the lock.

    Between two tries no transaction is open, as CREATE INDEX CONCURRENTLY would wait for it.
    """
    holder = None
    for second in range(PATIENCE):
        if connection.scalar(TRY, LOCK):
            return
        holder = connection.scalar(HOLDER, LOCK)
        connection.commit()
        if second == 1:
            logger.warning("Waiting for another migration: %s", holder)
        time.sleep(1)
    raise SystemExit(
        f"Another migration still runs after {PATIENCE} s: {holder}. Nothing is changed here."
        " Run this again when it has ended, or end it: SELECT pg_terminate_backend(its number)."
    )


def _run_offline() -> None:
    """`alembic upgrade head --sql`: prints what a DBA would run, and connects to nothing."""
    # By default each % is printed twice.
    paramstyle = {"paramstyle": "named"}
    _migrate(_configure(dialect_name="postgresql", dialect_opts=paramstyle, literal_binds=True))


def _configure(**where: Any) -> str:
    """Returns the name of the function that Alembic will run: its command, more or less."""
    context.configure(
        target_metadata=SQLModel.metadata,
        transaction_per_migration=True,
        compare_server_default=True,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        # A table without a model is another program's.
        include_name=lambda name, kind, _: kind != "table" or name in SQLModel.metadata.tables,
        **where,
    )
    return str(context.get_context().opts["fn"].__name__)


def _migrate(command: str) -> None:
    """Run the revisions. Each upgrade ends with row security, even if there is no revision to run.

    If a revision fails, only the owner can read the new tables of earlier revisions until the
    next upgrade, because this last step makes the grants.
    """
    try:
        context.run_migrations()
    except (DataError, IntegrityError) as error:  # rows may be in the way
        raise SystemExit(f"{reason_of(error)}. {HINT}") from None
    if command == "upgrade":
        tables = ", ".join(f"""'"{name}"'""" for name in owned_tables())
        step = ROW_SECURITY.replace("ROLE_FAULTS", ROLE_FAULTS)
        context.execute(step.replace("TABLES", tables))


def owned_tables() -> list[str]:
    """The tables whose rows belong to users."""
    return [table.name for table in SQLModel.metadata.sorted_tables if "user_id" in table.columns]


if __name__ == "__main__":
    print(pending(DatabaseSettings.load().migration_url))  # noqa: T201 - `dev` shows it
