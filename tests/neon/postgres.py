"""A PostgreSQL that tests stop, kill and start again."""

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGINT, SIGKILL
from urllib.parse import quote, urlencode
from uuid import uuid4

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor

from tests.neon.certificates import Certificate
from tests.neon.programs import own, run, start, until
from tests.servers import free_port

# What a URL must escape, and PgBouncer's list of users too.
PASSWORD = """p@ss:/w?o#r%d[&]= +"'\\é"""  # noqa: S105 - of servers that the tests start
OWNER = "neondb_owner"

CONNECTIONS = 57  # at once, of roles that are no superusers
RESERVED = 10  # of which each process that is refused takes one for a moment

# More than 16 MB, which files of PostgreSQL's log of writes have.
FILL = """
    INSERT INTO task (user_id, id, title, description, completed)
    SELECT 'filler', gen_random_uuid(), 'x', repeat('x', 1900), false
    FROM generate_series(1, 10000)
"""


class Postgres:
    def __init__(self, programs: Path, home: Path, certificate: Certificate | None = None) -> None:
        home.mkdir(mode=0o700)
        own(home)
        self.port = free_port()
        self.programs = programs
        self._home = home
        self._log = home / "log"
        self._tls: list[str] = []
        if certificate:
            files = {"ssl_cert_file": certificate.certificate, "ssl_key_file": certificate.key}
            self._tls = ["--ssl=on", *(f"--{name}={path}" for name, path in files.items())]
        self._process: subprocess.Popen[bytes] | None = None
        access = ["--auth-local=trust", "--auth-host=scram-sha-256", "--username=postgres"]
        text = ["--locale=C", "--encoding=UTF8", "--no-sync"]
        run([programs / "initdb", *access, *text, "-D", home / "data"], self._log)

    def start(self) -> None:
        command: list[str | Path] = [
            *(self.programs / "postgres", "-D", self._home / "data", "-k", self._home),
            *("-c", "listen_addresses=127.0.0.1", "-p", str(self.port), *self._tls),
            *("-c", f"max_connections={CONNECTIONS + RESERVED}", "-c", "timezone=UTC"),
            *("-c", f"superuser_reserved_connections={RESERVED}", "-c", "shared_buffers=32MB"),
            *("-c", "fsync=off"),  # what it has written outlives its process, not the machine's end
        ]

        def runs() -> bool:
            # After a crash, what is left of the last server may still hold its memory.
            if self._process is None or self._process.poll() is not None:
                self._process = start(command, self._log)
            return self._answers()

        until(runs)

    def stop(self) -> None:
        self._end(SIGINT)

    def signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    def kill(self) -> None:
        self._end(SIGKILL)

    @contextmanager
    def session(self, database: str = "postgres") -> Iterator[cursor]:
        """A superuser's, past the network, under AUTOCOMMIT."""
        where = f"host={self._home} port={self.port} dbname={database} user=postgres"
        with closing(psycopg2.connect(where)) as connection:
            connection.autocommit = True
            with connection.cursor() as session:
                yield session

    def url(
        self,
        database: str,
        *,
        scheme: str = "postgresql",
        user: str = OWNER,
        host: str = "127.0.0.1",
        port: object = 0,
        **parameters: object,
    ) -> str:
        where = f"{user}:{quote(PASSWORD, safe='')}@{host}:{port or self.port}/{database}"
        return f"{scheme}://{where}?{urlencode({'connect_timeout': 2, **parameters})}"

    def create_role(self, name: str, rights: str) -> None:
        create = sql.SQL("CREATE ROLE {} {} PASSWORD {}")
        with self.session() as session:
            session.execute(
                create.format(sql.Identifier(name), sql.SQL(rights), sql.Literal(PASSWORD))
            )

    def create_database(self, owner: str = OWNER) -> str:
        name = f"db_{uuid4().hex}"
        create = sql.SQL("CREATE DATABASE {} OWNER {}")
        with self.session() as session:
            session.execute(create.format(sql.Identifier(name), sql.Identifier(owner)))
        return name

    @contextmanager
    def full_disk(self, database: str) -> Iterator[None]:
        """The table of tasks cannot grow: the next page is cut short, as on a full disk."""
        with self.session(database) as session:
            session.execute(FILL)
            session.execute("SELECT pg_relation_size('task')")
            ((size,),) = session.fetchall()
        self._limit_files(database, str(size + 100))
        try:
            yield
        finally:
            self._limit_files(database, "unlimited")

    @contextmanager
    def locked(self, database: str, mode: str = "ACCESS EXCLUSIVE") -> Iterator[cursor]:
        """Another session has locked the table of tasks."""
        with self.session(database) as session:
            session.execute("BEGIN")
            session.execute(f"LOCK TABLE task IN {mode} MODE")
            yield session

    def wait_for_lock(self) -> None:
        """Until a statement waits for a lock."""

        def waits() -> bool:
            with self.session() as session:
                session.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return session.fetchall() != [(0,)]

        until(waits)

    def connections(self, database: str = "%") -> int:
        """Those of the owner, to one database or to all."""
        return self._count("count(*)", database)

    def terminate_connections(self, database: str) -> int:
        """Those of the service, as a compute does that goes to sleep."""
        return self._count("count(pg_terminate_backend(pid))", database)

    def terminate_statements(self, database: str) -> None:
        """The service's connections, while some of them are waiting for their answer."""
        with self.locked(database):
            self.wait_for_lock()
            self.terminate_connections(database)

    def _limit_files(self, database: str, size: str) -> None:
        """By a program: root may not be allowed to do it to another account's process."""
        assert self._process
        limit = ["prlimit", f"--pid={self._process.pid}", f"--fsize={size}:unlimited"]
        run(limit, self._log)
        self.terminate_connections(database)  # the next ones have the limit
        until(lambda: self.connections(database) == 0)

    def _count(self, what: str, database: str) -> int:
        where = "FROM pg_stat_activity WHERE usename = %s AND datname LIKE %s"
        with self.session() as session:
            session.execute(f"SELECT {what} {where}", [OWNER, database])
            ((count,),) = session.fetchall()
        return int(count)

    def _answers(self) -> bool:
        try:
            with self.session():
                return True
        except psycopg2.OperationalError:
            return False

    def _end(self, signal: int) -> None:
        if self._process:
            self._process.send_signal(signal)
            self._process.wait(timeout=30)
            self._process = None


def users_of(database: str) -> str:
    """The role as which the service runs its users' statements."""
    return f"{database}_rls"


@contextmanager
def running(
    programs: Path, home: Path, certificate: Certificate | None = None
) -> Iterator[Postgres]:
    """With an owner role as Neon's are: no superuser, but exempt from row security."""
    postgres = Postgres(programs, home, certificate)
    try:
        postgres.start()
        postgres.create_role(OWNER, "LOGIN CREATEROLE BYPASSRLS")
        yield postgres
    finally:
        postgres.stop()
