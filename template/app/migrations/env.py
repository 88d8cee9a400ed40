"""How Alembic reaches the database."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points

from alembic import context
from sqlalchemy import URL, NullPool, create_engine, text
from sqlmodel import SQLModel

import app.routers  # noqa: F401 - every resource's tables, for autogenerate
from app.migrations.row_security import secure_user_tables
from app.settings import DatabaseSettings

# Any number that no other program takes a lock on in this database.
LOCK = 804_200_301


@contextmanager
def database_url() -> Iterator[URL]:
    """The configured one, else the development database where devtools are installed."""
    development = entry_points(group="app.development_database")
    if development and not DatabaseSettings.is_configured():
        (factory,) = development
        with factory.load()() as url:
            yield DatabaseSettings(database_url=url).migration_url
    else:
        yield DatabaseSettings.load().migration_url


def run_online() -> None:
    with database_url() as url:
        engine = create_engine(url, poolclass=NullPool, use_native_hstore=False)
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=SQLModel.metadata,
                process_revision_directives=secure_user_tables,
            )
            with context.begin_transaction():
                # Instances that start together migrate one after the other, and a migration
                # that waits for a busy table gives up before the requests behind it do.
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
                connection.execute(text("SET LOCAL lock_timeout = '3s'"))
                context.run_migrations()


def run_offline() -> None:
    """`alembic upgrade head --sql`: prints what a DBA would run, and connects to nothing."""
    context.configure(
        dialect_name="postgresql", target_metadata=SQLModel.metadata, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()


logging.basicConfig(format="%(message)s")
logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)

if context.is_offline_mode():
    run_offline()
else:
    run_online()
