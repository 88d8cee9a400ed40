"""The database as one user may use it: the only module that knows psycopg2, pools and roles."""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Any, TypeVar

from fastapi import Depends, Request
from psycopg2.extensions import POLL_OK, POLL_READ, parse_dsn, set_wait_callback
from psycopg2.extensions import connection as PsycopgConnection  # noqa: N812 - the driver's name
from psycopg2.extensions import cursor as PsycopgCursor  # noqa: N812
from sqlalchemy import Connection, Executable, String, bindparam, create_engine, event
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
    TimeoutError,  # noqa: A004 - SQLAlchemy's, for a pool that is exhausted
)
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session
from structlog import get_logger

from app.errors import Unavailable
from app.identity import CurrentUser, UserId
from app.settings import Settings

USER_ROLE = "app_user"
"""The role as which every user's statement runs. It cannot log in, and row security binds it."""

OWNER = bindparam("current_user_id", type_=String)
"""In a statement, the user on whose behalf it runs: `UserDatabase.execute` fills it in."""

PING_AFTER = 60.0
"""Seconds of idleness after which a connection may be dead without a sign of it."""

PING_PATIENCE = 3.0
"""Seconds that such a connection has to answer: another is quickly made."""

GRACE = 5.0
"""Seconds after the timeout of a statement in which the server can still say that it was one."""

_SCOPE = (
    "SELECT set_config('statement_timeout', %(scope_timeout)s, true),"
    " set_config('timezone', 'UTC', true),"
    " set_config('role', %(scope_role)s, true),"
    " set_config('app.user_id', %(scope_user_id)s, true); "
)

logger = get_logger()

Rows = list[dict[str, Any]]
"""By the names of their columns: pydantic reads a dict several times faster than attributes."""

Repository = TypeVar("Repository")


class BoundedConnection(PsycopgConnection):
    """A connection that waits so many seconds for a server that has gone silent, and no longer."""

    def __init__(self, dsn: str, *options: Any) -> None:
        # Where psycopg2 does the waiting, libpq does not look at its own connect_timeout.
        self.patience = float(parse_dsn(dsn)["connect_timeout"])
        super().__init__(dsn, *options)


class Database:
    """One engine for the process. It has no use but through `for_user` and `unscoped`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._engine = create_engine(
            settings.database_url,
            isolation_level="AUTOCOMMIT",
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=settings.database_pool_timeout,
            pool_use_lifo=True,
            use_native_hstore=False,
            hide_parameters=True,
            connect_args={"connection_factory": BoundedConnection},
        )
        event.listen(self._engine, "connect", self._bound_statements)
        event.listen(self._engine, "before_cursor_execute", _apply_scope, retval=True)
        event.listen(self._engine, "checkin", _remember_use)
        event.listen(self._engine, "checkout", _check_alive)

        set_wait_callback(_wait)

    def for_user(self, user_id: UserId) -> "UserDatabase":
        return UserDatabase(self, user_id)

    @contextmanager
    def unscoped(self) -> Iterator[Connection]:
        """A connection with the rights of the URL's own role, for checks of the database itself."""
        with self.connect(scope_role="none", scope_user_id="") as connection:
            yield connection

    @contextmanager
    def connect(self, **scope: str) -> Iterator[Connection]:
        timeout = str(round(self.settings.database_statement_timeout * 1000))
        options: dict[str, Any] = {"scope": {"scope_timeout": timeout, **scope}}
        with _unavailable_when_lost(), self._engine.connect() as connection:
            yield connection.execution_options(**options)

    def dispose(self) -> None:
        self._engine.dispose()

    def _bound_statements(self, connection: "BoundedConnection", _: object) -> None:
        connection.patience = self.settings.database_statement_timeout + GRACE


class UserDatabase:
    """The database with the rights of one user."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self.user_id = user_id
        self._database = database
        self._deadline = monotonic() + database.settings.database_pool_timeout

    def execute(self, statement: Executable, **values: object) -> Rows:
        """Run one statement, which is one transaction and one round trip."""
        with self._connect() as connection:
            result = connection.execute(statement, values | {OWNER.key: self.user_id})
            if not result.returns_rows:
                return []
            names = tuple(result.keys())
            return [dict(zip(names, row, strict=True)) for row in result.all()]

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Several statements as one transaction, for what one statement cannot do."""
        with self._connect() as connection:
            psycopg: Any = connection.connection.driver_connection
            psycopg.autocommit = False  # known to the client alone, unlike an isolation level
            try:
                with Session(connection) as session, session.begin():
                    yield session
            finally:
                if not psycopg.closed:
                    psycopg.autocommit = True

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        if monotonic() > self._deadline:  # waited for a thread so long that nobody may listen
            raise Unavailable("The service is busy. Try again.")
        self._deadline = inf
        with self._database.connect(scope_role=USER_ROLE, scope_user_id=self.user_id) as connection:
            yield connection


def of_caller(repository: Callable[[UserDatabase], Repository]) -> Any:
    """What a route depends on: a repository that is made for its caller."""

    async def make(request: Request, user_id: CurrentUser) -> Repository:
        request.state.user_id = user_id
        database: Database = request.app.state.database
        return repository(database.for_user(user_id))

    return Depends(make)


def _apply_scope(
    connection: Connection, cursor: PsycopgCursor, statement: str, parameters: Any, *__: object
) -> tuple[str, Any]:
    """Sets role and user with the statement: one round trip, and both end with it.

    A connection without a scope raises KeyError: nothing runs unscoped by omission.
    """
    scope = connection.get_execution_options()["scope"]
    if cursor.name:
        # Such a cursor declares one statement: it would run after the scope, and outside of it.
        raise NotImplementedError("A user's rows cannot be streamed: read them in pages.")
    if statement.startswith("ROLLBACK TO SAVEPOINT"):
        return statement, parameters  # all that a failed transaction takes; it has its scope
    if isinstance(parameters, list):  # executemany
        return _SCOPE + statement, [{**row, **scope} for row in parameters]
    return _SCOPE + statement, {**parameters, **scope} if parameters else scope


def _wait(connection: PsycopgConnection) -> None:
    """What psycopg2 calls to wait for the server: its own waits for ever, this one for a while."""
    patience = connection.patience if isinstance(connection, BoundedConnection) else inf
    deadline = monotonic() + patience
    while (state := connection.poll()) != POLL_OK:
        poll = select.poll()
        poll.register(connection, select.POLLIN if state == POLL_READ else select.POLLOUT)
        left = deadline - monotonic()
        if left <= 0 or not poll.poll(None if left == inf else left * 1000):
            raise connection.OperationalError("the database has gone silent")


def _remember_use(_: object, entry: ConnectionPoolEntry) -> None:
    entry.info["idle_since"] = monotonic()


def _check_alive(connection: BoundedConnection, entry: ConnectionPoolEntry, _: object) -> None:
    """Costs no round trip: an idle connection with something to read was closed by the server."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if poll.poll(0):
        raise InvalidatePoolError
    if monotonic() - entry.info.get("idle_since", inf) > PING_AFTER:
        _ping(connection)


def _ping(connection: BoundedConnection) -> None:
    patience, connection.patience = connection.patience, PING_PATIENCE
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (connection.OperationalError, connection.InterfaceError):
        raise InvalidatePoolError from None
    connection.patience = patience


@contextmanager
def _unavailable_when_lost() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, TimeoutError) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(error) from error
        raise


def _unavailable(error: Exception) -> Unavailable:
    cause = getattr(error, "orig", error)
    logger.warning("database unavailable", error=type(cause).__name__, reason=str(cause).strip())
    return Unavailable()
