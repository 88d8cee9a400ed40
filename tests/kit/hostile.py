"""Run in a project: hostile uses of the database layer by some users, and what the others see.

Prints how many there were. Exits with an error if somebody saw or changed what is another's.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from kit.database import Database, UserDatabase
from kit.models import UserId
from kit.settings import DatabaseSettings
from sqlalchemy import text
from sqlmodel import Session

TEXTS = [
    *(
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "ROLLBACK TO a",
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
    ),
    *("RESET ROLE", "SET ROLE none", "SET LOCAL ROLE none", "RESET ALL", "DISCARD ALL"),
    *("SET SESSION AUTHORIZATION DEFAULT", "SET app.user_id = '{victim}'", "RESET app.user_id"),
    *("SELECT set_config('role', 'none', false)", "SELECT set_config('role', 'none', true)"),
    "SELECT set_config('app.user_id', '{victim}', false)",
    *("SELECT 1; COMMIT; SELECT * FROM task", "COMMIT; SELECT * FROM task", "; SELECT * FROM task"),
    "COMMIT; UPDATE task SET title = 'stolen'; BEGIN",
    "RESET ROLE; UPDATE task SET title = 'stolen'",
    *("UPDATE task SET title = 'stolen'", "UPDATE task SET user_id = '{victim}'", "TRUNCATE task"),
    *("DELETE FROM task WHERE user_id = '{victim}'", "LOCK TABLE task", "COPY task TO STDOUT"),
    "INSERT INTO task SELECT '{victim}', gen_random_uuid(), 'stolen', '', false",
    "INSERT INTO task (user_id, id, title) SELECT user_id, id, 'stolen' FROM task"
    " ON CONFLICT (user_id, id) DO UPDATE SET title = 'stolen'",
    *("DECLARE c CURSOR WITH HOLD FOR SELECT * FROM task", "FETCH ALL FROM c", "CLOSE ALL"),
    *("PREPARE p AS SELECT * FROM task", "EXECUTE p", "DEALLOCATE ALL", "LISTEN x", "UNLISTEN *"),
    *("CREATE TEMP TABLE task AS SELECT 1", "CREATE VIEW all_tasks AS SELECT * FROM task"),
    *("ALTER TABLE task DISABLE ROW LEVEL SECURITY", "DROP POLICY owner ON task", "SELECT 1 / 0"),
    *("SELECT pg_sleep(2)", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT FROM nowhere"),
    *(
        "SELECT title FROM task",
        "TABLE task",
        "SELECT * FROM task FOR UPDATE",
        "EXPLAIN TABLE task",
    ),
    "DO $$ BEGIN EXECUTE 'RESET ROLE'; UPDATE task SET title = 'stolen'; END $$",
]


def rollback_and_go_on(session: Session) -> None:
    session.rollback()
    session.execute(text("UPDATE task SET title = 'stolen'"))
    session.commit()
    session.execute(text("UPDATE task SET title = 'stolen'"))


def fail_and_go_on(session: Session) -> None:
    with suppress(Exception):
        session.execute(text("SELECT 1 / 0"))
    session.execute(text("UPDATE task SET title = 'stolen'"))


def raw(session: Session) -> None:
    psycopg: Any = session.connection().connection.driver_connection
    psycopg.autocommit = True
    psycopg.cursor().execute("BEGIN")


def close(session: Session) -> None:
    psycopg: Any = session.connection().connection.driver_connection
    psycopg.close()


def nested(session: Session) -> None:
    with suppress(Exception), session.begin_nested():
        session.execute(text("UPDATE task SET title = 'stolen'"))
        raise RuntimeError
    session.execute(text("UPDATE task SET title = 'mine'"))


WORK: list[Callable[[Session], object]] = [rollback_and_go_on, fail_and_go_on, raw, close, nested]
VICTIMS = [UserId(f"victim-{uuid4()}") for _ in range(4)]
NEW = text(
    "INSERT INTO task (user_id, id, title, description, completed) VALUES"
    " (:current_user_id, gen_random_uuid(), 'mine', '', false)"
)
SEEN = text("SELECT user_id, title FROM task")


async def attack(user: UserDatabase, done: Counter[str]) -> None:
    for statement in TEXTS:
        hostile = text(statement.format(victim=VICTIMS[0]).replace(":", r"\:"))
        for how in (user.execute(hostile), user.transaction(lambda s: s.execute(hostile))):  # noqa: B023
            done["statements"] += 1
            with suppress(Exception):
                expect_own(user, await how)
    for work in WORK:
        done["transactions"] += 1
        with suppress(Exception):
            await user.transaction(work)
    for statement in ("SELECT pg_sleep(0.3)", "SELECT title FROM task FOR UPDATE"):
        done["cancelled"] += 1
        with suppress(TimeoutError, Exception):
            await asyncio.wait_for(user.execute(text(statement)), 0.01)


def expect_own(user: UserDatabase, rows: object) -> None:
    for row in rows if isinstance(rows, list) else []:
        if row.get("user_id", user.user_id) != user.user_id:
            sys.exit(f"{user.user_id} saw {row}")


async def watch(user: UserDatabase, stop: asyncio.Event, done: Counter[str]) -> None:
    while not stop.is_set():
        with suppress(Exception):  # an attack may have cost the connection
            rows = await user.execute(SEEN)
            if rows != [{"user_id": user.user_id, "title": "mine"}]:
                print(f"{user.user_id} saw {rows}")  # noqa: T201
                stop.set()
            done["looks"] += 1


async def main() -> None:
    database = Database(DatabaseSettings.load())
    done: Counter[str] = Counter()
    victims = [UserDatabase(database, name) for name in VICTIMS]
    for victim in victims:
        await victim.execute(NEW)
    stop = asyncio.Event()
    watching = [asyncio.create_task(watch(victim, stop, done)) for victim in victims]
    for _ in range(int(sys.argv[1])):
        attackers = [UserDatabase(database, UserId(f"attacker-{uuid4()}")) for _ in range(4)]
        await asyncio.gather(*(attack(each, done) for each in attackers))
    seen_too_much = stop.is_set()
    stop.set()
    await asyncio.gather(*watching)
    print(dict(done))  # noqa: T201 - the test reads it
    sys.exit(1 if seen_too_much else 0)


asyncio.run(main())
