"""The database as one user may use it: the only module that knows psycopg2, pools and roles."""

import asyncio
import logging
import os
import select
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg2 import InterfaceError
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import Connection, Executable, String, bindparam, create_engine, event, exc
from sqlmodel import Session

from kit.errors import Busy, Conflict, Unavailable
from kit.models import UserId
from kit.settings import DatabaseSettings

OWNER = bindparam("current_user_id", type_=String)
"""In a statement, the user on whose behalf it runs. `UserDatabase.execute` fills it in."""

LONGEST_LIFE = 240
"""Seconds after which a connection is replaced. Neon closes one that was idle for 300."""

GRACE = 5.0
"""Extra seconds after statement_timeout, so that the server's own error arrives first."""

# SQLSTATE: unique_violation, foreign_key_violation, exclusion_violation.
CONFLICTS = {"23505", "23503", "23P01"}

# undefined_table, undefined_column: the database is not migrated yet.
UNDEFINED = {"42P01", "42703"}

# invalid_parameter_value: the same, if the users' role does not exist. A server whose messages are
# not English leaves it a 500.
NO_ROLE = "22023"

# read_only_sql_transaction, after a failover.
READ_ONLY = "25006"

# The role of a database's users. It is named after the database, because roles are the cluster's.
# Not `_user`: many hosts and guides name the owner's login so.
USER_ROLE = "pg_catalog.left(current_database()::text, 50) || '_rls'"

_SCOPE = f"""SELECT set_config('statement_timeout', %(scope_timeout)s, true),
 set_config('timezone', 'UTC', true),
 set_config('role', CASE WHEN %(scope_user_id)s IS NULL THEN 'none' ELSE {USER_ROLE} END, true),
 set_config('app.user_id', coalesce(%(scope_user_id)s, ''), true); """

logger = logging.getLogger(__name__)

T = TypeVar("T")
Rows = list[dict[str, Any]]


class Database:
    """The process's engine. Use it only through a `UserDatabase` or `unscoped`."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self._timeout = str(round(settings.database_statement_timeout * 1000))
        self._engine = create_engine(
            settings.database_url,
            isolation_level="AUTOCOMMIT",
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_use_lifo=True,
            pool_recycle=LONGEST_LIFE,
            use_native_hstore=False,
            hide_parameters=True,
        )
        event.listen(self._engine, "before_cursor_execute", _apply_scope, retval=True)
        event.listen(self._engine, "checkout", _check_alive)
        # One thread for each connection. A turn is the right to use one of them.
        self._threads = ThreadPoolExecutor(settings.database_pool_size, "database")
        self._turns = asyncio.Semaphore(settings.database_pool_size)
        self.waiting = 0  # for a turn

    async def unscoped(self, work: Callable[[Connection], T]) -> T:
        """Run `work` with the rights of the URL's own role, to check the database itself."""
        return await self.run(work, None)

    async def run(self, work: Callable[[Connection], T], user_id: str | None) -> T:
        """Run `work` in a thread, with a connection on which each statement is the user's.

        Raises Unavailable if the database cannot be reached, is silent for longer than a statement
        may take, or has no free connection within DATABASE_POOL_TIMEOUT.
        """
        self.waiting += 1
        try:
            async with asyncio.timeout(self.settings.database_pool_timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise Busy from None
        finally:
            self.waiting -= 1
        borrowed: list[Any] = []
        in_context = copy_context().run  # what the thread logs has the request's id
        future = asyncio.get_running_loop().run_in_executor(
            self._threads, in_context, self._work, work, user_id, borrowed
        )
        future.add_done_callback(self._give_back)
        timeout = self.settings.database_statement_timeout + GRACE
        while not (await asyncio.wait([future], timeout=timeout))[0]:
            _hang_up(borrowed)
        return future.result()

    def _give_back(self, done: asyncio.Future[Any]) -> None:
        """The thread is free, perhaps long after its request was cancelled."""
        self._turns.release()
        if not done.cancelled():
            done.exception()  # otherwise asyncio logs that nobody retrieved it

    def _work(self, work: Callable[[Connection], T], user_id: str | None, borrowed: list[Any]) -> T:
        """What `run` does in the thread. `borrowed` holds the driver's connection meanwhile."""
        scope = {"scope_timeout": self._timeout, "scope_user_id": user_id}
        try:
            with self._engine.connect() as connection:
                borrowed.append(connection.connection.driver_connection)
                try:
                    result = work(connection.execution_options(scope=scope))
                    if borrowed[0].info.transaction_status != TRANSACTION_STATUS_IDLE:
                        raise RuntimeError("A statement left its transaction open.")
                    return result
                finally:
                    if borrowed.pop().info.transaction_status != TRANSACTION_STATUS_IDLE:
                        connection.invalidate()  # no other request may get its transaction
        except exc.SQLAlchemyError as error:
            raise _translate(error) from error

    def dispose(self) -> None:
        self._engine.dispose()


@dataclass
class UserDatabase:
    """The database with the rights of one user."""

    database: Database
    user_id: UserId

    async def execute(self, statement: Executable, **values: object) -> Rows:
        """Run one statement, which is one transaction and one round trip."""

        def run(connection: Connection) -> Rows:
            result = connection.execute(statement, {**values, OWNER.key: self.user_id})
            if not result.returns_rows:
                return []
            names = tuple(result.keys())
            return [dict(zip(names, row, strict=True)) for row in result.all()]

        return await self.database.run(run, self.user_id)

    async def transaction(self, work: Callable[[Session], T]) -> T:
        """Run `work` as one transaction, for what one statement cannot do."""

        def run(connection: Connection) -> T:
            psycopg: Any = connection.connection.driver_connection
            psycopg.autocommit = False  # known to the client alone, unlike an isolation level
            try:
                with Session(connection) as session, session.begin():
                    return work(session)
            finally:
                if not psycopg.closed:
                    psycopg.isolation_level = None
                    psycopg.autocommit = True

        return await self.database.run(run, self.user_id)


def _hang_up(borrowed: list[Any]) -> None:
    """Close the connection to a server that is silent. The thread gets an OperationalError."""
    with suppress(OSError, InterfaceError):  # the thread has returned it, or it is closed already
        for connection in borrowed:
            with socket.socket(fileno=os.dup(connection.fileno())) as connected:
                connected.shutdown(socket.SHUT_RDWR)


def _apply_scope(
    connection: Connection, cursor: Any, statement: str, parameters: Any, *__: object
) -> tuple[str, Any]:
    """Set role and user with the statement: one round trip, and both end with it.

    A connection without a scope raises KeyError: nothing runs unscoped by omission.
    """
    scope = connection.get_execution_options()["scope"]
    if scope["scope_user_id"] and ";" in statement.rstrip(" ;\n"):
        raise NotImplementedError("Run one statement at a time: a COMMIT would end the scope.")
    if cursor.name:
        # A named cursor declares one statement, which would run after the scope, outside of it.
        raise NotImplementedError("A user's rows cannot be streamed: read them in pages.")
    if statement.startswith("ROLLBACK TO SAVEPOINT"):
        return statement, parameters  # a failed transaction takes nothing else, and has its scope
    if isinstance(parameters, list):  # executemany
        return _SCOPE + statement, [{**row, **scope} for row in parameters]
    return _SCOPE + statement, {**parameters, **scope} if parameters else scope


def _check_alive(connection: Any, *_: object) -> None:
    """Costs no round trip: an idle connection with something to read was closed by the server."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if poll.poll(0):
        raise exc.InvalidatePoolError


def _translate(error: exc.SQLAlchemyError) -> Exception:
    """The service's error for one of the driver's. An error of the code stays as it is.

    PostgreSQL's messages have values in them. Only class, SQLSTATE, constraint and table remain.
    """
    cause: Any = getattr(error, "orig", error)
    code = getattr(cause, "pgcode", None)
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    lost = lost or str(error) == "This connection is closed"  # the pool's, after two new ones
    where: dict[str, Any] = {}
    if code:
        where = {"constraint": cause.diag.constraint_name, "table": cause.diag.table_name}
        named = [f"{key} {value}" for key, value in where.items() if value]
        cause.args = error.args = (", ".join([f"{type(cause).__name__}, SQLSTATE {code}", *named]),)
    if code in CONFLICTS:
        logger.info("conflict", extra=where)
        return Conflict()
    reason = cause.diag.message_primary if code else " ".join(str(cause).split())
    behind = code in UNDEFINED or (code == NO_ROLE and reason.startswith('role "'))
    unready = lost or behind or code == READ_ONLY
    if unready or isinstance(error, exc.OperationalError | exc.InterfaceError):
        # None of these messages has a value in it.
        hint = ": /readyz says what to run" if behind else ""
        logger.warning("database unavailable", extra={"reason": reason + hint})
        return Unavailable()
    return error


def reason_of(error: BaseException) -> str:
    """The first line of what the driver said."""
    cause = error.__cause__ or error
    return str(getattr(cause, "orig", cause)).splitlines()[0]
