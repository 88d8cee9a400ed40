"""Alembic's environment: how migrations reach the database, and how they secure it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from alembic import context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import ValidationError
from sqlalchemy import URL, Connection, NullPool, create_engine, text
from sqlmodel import SQLModel

from kit.settings import DatabaseSettings

# Any number that no other program takes a lock on in this database.
LOCK = 804_200_301
ROW_SECURITY = Path(__file__).with_name("row_security.sql").read_text("utf-8")
ROLE_FAULTS = Path(__file__).with_name("role_faults.sql").read_text("utf-8")


def run() -> None:
    """Run what Alembic was asked for. `env.py` calls this once every model is imported."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
    if context.is_offline_mode():
        _run_offline()
    else:
        with _database_url() as url:
            _run_online(url)


def is_current(connection: Connection) -> bool:
    """Whether the database has the schema of this code."""
    return set(MigrationContext.configure(connection).get_current_heads()) == _heads()


@cache
def _heads() -> set[str]:
    config = Config(toml_file="pyproject.toml")
    return set(ScriptDirectory.from_config(config).get_heads())


@contextmanager
def _database_url() -> Iterator[URL]:
    """The configured URL, else that of the development database where `kit.dev` is installed."""
    if _is_configured() or not find_spec("kit.dev"):
        yield DatabaseSettings.load().migration_url
        return
    from kit.dev.postgres import embedded  # noqa: PLC0415 - the image does not have it

    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # libpq would take them for what the URL does not say
    with embedded() as url:
        yield DatabaseSettings(database_url=url).migration_url


def _is_configured() -> bool:
    """Whether there is a DATABASE_URL at all, be it right or wrong."""
    try:
        DatabaseSettings()
    except ValidationError as error:
        return error.errors()[0]["type"] != "missing"
    return True


def _run_online(url: URL) -> None:
    engine = create_engine(url, poolclass=NullPool, use_native_hstore=False)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            # Instances that start together migrate one after the other, and a migration
            # that waits for a busy table gives up before the requests behind it do.
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            connection.execute(text("SET LOCAL lock_timeout = '3s'"))
            context.run_migrations()
            _secure()


def _run_offline() -> None:
    """`alembic upgrade head --sql`: prints what a DBA would run, and connects to nothing."""
    context.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},  # else each % is printed twice
        target_metadata=SQLModel.metadata,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()
        _secure()


def _secure() -> None:
    """The last step of every upgrade, also of one that has nothing else to do."""
    migration = context.get_context()
    if migration.opts["fn"].__name__ == "upgrade":
        tables = ", ".join(f"""'"{name}"'""" for name in owned_tables())
        step = ROW_SECURITY.replace("ROLE_FAULTS", ROLE_FAULTS).replace("TABLES", tables)
        migration.execute(step)


def owned_tables() -> list[str]:
    """The tables whose rows belong to users."""
    return [table.name for table in SQLModel.metadata.sorted_tables if "user_id" in table.columns]
