"""The contestants' databases, on one PostgreSQL, and the tasks in them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg2
from kit.dev.postgres import Server

USERS_TASKS = {
    "app": """
        INSERT INTO task (user_id, id, title, description, completed)
        SELECT %(user)s, uuidv7(i * interval '1 s' - interval '1 year'), 'Task ' || i,
               'Two litres of it', false
        FROM generate_series(1, %(count)s) i
    """,
    "tutorial": """
        INSERT INTO task (user_id, id, title, description, completed, created_at, updated_at)
        SELECT %(user)s, gen_random_uuid(), 'Task ' || i, 'Two litres of it', false, at, at
        FROM generate_series(1, %(count)s) i, LATERAL (SELECT now() - interval '1 year'
             + i * interval '1 s' AS at)
    """,
}


@dataclass(frozen=True)
class Database:
    socket: Path

    @property
    def near(self) -> str:
        return f"postgresql://postgres@/{{database}}?host={self.socket.parent}&port=5432"

    @staticmethod
    def far(port: int) -> str:
        return f"postgresql://postgres@127.0.0.1:{port}/{{database}}?sslmode=disable"

    def round_trip(self, port: int) -> float:
        """The seconds that the least statement takes by a port."""
        with closing(psycopg2.connect(self.far(port).replace("{database}", "app"))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                took = [perf_counter()]
                for _ in range(30):
                    cursor.execute("SELECT 1")
                    took.append(perf_counter())
        return median(after - before for before, after in pairwise(took))

    def execute(self, name: str, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.near.replace("{database}", name))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []

    def seed(self, user: str, count: int) -> None:
        """Give the user so many tasks, in each database."""
        for name, statement in USERS_TASKS.items():
            self.execute(name, statement, user=user, count=count)
            self.execute(name, "VACUUM ANALYZE task")

    def ids(self, name: str, user: str) -> list[str]:
        """The user's tasks, at most 1,000, oldest first."""
        statement = """
            SELECT id::text FROM task WHERE user_id = %(user)s ORDER BY created_at, id LIMIT 1000
        """
        return [row[0] for row in self.execute(name, statement, user=user)]


@contextmanager
def database() -> Iterator[Database]:
    """A PostgreSQL with the service's schema in `app`, and an empty `tutorial`."""
    with Server() as server:
        sockets = server.url().partition("host=")[2].partition("&")[0]
        found = Database(Path(sockets, ".s.PGSQL.5432"))
        found.execute("app", "CREATE DATABASE tutorial")
        url = found.near.replace("{database}", "app")
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            env={"DATABASE_URL": url, "PATH": ""},
            check=True,
        )
        yield found
