"""What makes every request fail, and what to run then, for `/readyz` and `kit.check`."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Executable, delete, false, insert, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import SQLModel

from kit.database import UNDEFINED, Database
from kit.migrations import ROLE_FAULTS, is_current, owned_tables

SQL = Path(__file__).with_name("server_faults.sql").read_text("utf-8")
SERVER_FAULTS = text(SQL.replace("ROLE_FAULTS", ROLE_FAULTS))
NOT_CURRENT = "The schema does not match this code. Run: alembic upgrade head"
NO_USE = "The users' role may not use {}. Run: alembic upgrade head"
NOT_SEEN = (
    "There is no table {}, or a column of it is missing. Run: alembic upgrade head. If that changes"
    " nothing, a revision is missing. Run: alembic revision --autogenerate -m new, and upgrade"
)


async def find_faults(database: Database) -> list[str]:
    """A sentence for each fault, with the command or SQL that corrects it.

    Raises Unavailable if the database does not answer.
    """
    found = await database.unscoped(lambda connection: [*_of_the_database(connection)])
    return found or await database.run(lambda connection: [*_of_the_tables(connection)], "nobody")


def _of_the_database(connection: Connection) -> Iterator[str]:
    quote = connection.dialect.identifier_preparer.quote
    tables = [quote(name) for name in owned_tables()]
    found = connection.execute(SERVER_FAULTS, {"tables": tables}).all()
    yield from (f"{fault}. Run: {remedy}" for fault, remedy in found)
    if not found and not is_current(connection):
        yield NOT_CURRENT


def _of_the_tables(connection: Connection) -> Iterator[str]:
    for name in owned_tables():
        try:
            connection.execute(_use(name))
        except OperationalError:
            raise
        except DBAPIError as error:
            undefined = getattr(error.orig, "pgcode", None) in UNDEFINED
            yield (NOT_SEEN if undefined else NO_USE).format(name)


def _use(name: str) -> Executable:
    """What requests do with a table, on none of its rows."""
    table = SQLModel.metadata.tables[name]
    owners = select(table.c.user_id).where(false())
    writes = (
        insert(table).from_select(["user_id"], owners, include_defaults=False),
        update(table).values(user_id=table.c.user_id).where(false()),
        delete(table).where(false()),
    )
    return select(table).where(false()).add_cte(*(write.cte() for write in writes))
