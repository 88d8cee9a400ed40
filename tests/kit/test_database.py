"""What the database layer promises, on a real server."""

import asyncio
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from threading import Event, Semaphore
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from kit.application import create_app
from kit.database import OWNER, USER_ROLE, Database, UserDatabase
from kit.database_url import parse_url
from kit.dev.postgres import Server
from kit.errors import Conflict, Unavailable
from kit.models import UserId
from kit.testing.servers import migrate, serve
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, InvalidatePoolError, ProgrammingError
from sqlmodel import Session, col, func, select, update

from app.resources import ROUTERS
from app.settings import Settings
from app.tasks.models import Task, TaskCreate
from app.tasks.repository import TaskRepository
from tests.kit.conftest import NewOwner
from tests.kit.services import TASKS, client_of, make_settings

OTHERS_KILLED = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'app' AND datname = current_database() AND pid <> pg_backend_pid()
""")
SLOW = ["/in-a-thread", "/plain"]
COUNT = select(func.count().label("tasks")).select_from(Task)


def run(call: Awaitable[Any]) -> Any:
    async def wait() -> Any:
        return await call

    return asyncio.run(wait())


def count(user: UserDatabase) -> int:
    ((number,),) = [row.values() for row in run(user.execute(COUNT))]
    return int(number)


def new_task(user: UserDatabase) -> Task:
    return Task(user_id=user.user_id, id=uuid4(), title="1", description="", completed=False)


@pytest.fixture
def alice(new_owner: NewOwner) -> UserDatabase:
    return new_owner()


@pytest.fixture
def bob(new_owner: NewOwner) -> UserDatabase:
    return new_owner()


def test_a_statement_without_its_filter_sees_and_changes_only_the_users_rows(
    alice: UserDatabase, bob: UserDatabase
) -> None:
    assert count(alice) == 1
    changed = run(alice.execute(update(Task).values(title="all").returning(col(Task.user_id))))
    assert changed == [{"user_id": alice.user_id}]
    assert run(bob.execute(select(col(Task.title)))) == [{"title": "mine"}]


def test_nobody_can_write_a_row_for_another(alice: UserDatabase, bob: UserDatabase) -> None:
    with pytest.raises(ProgrammingError, match="InsufficientPrivilege, SQLSTATE 42501"):
        run(alice.execute(update(Task).values(user_id=bob.user_id)))


def test_the_owner_in_a_statement_is_its_user_whatever_value_comes_with_it(
    alice: UserDatabase, bob: UserDatabase
) -> None:
    asked = run(alice.execute(select(OWNER.label("owner")), **{OWNER.key: bob.user_id}))
    assert asked == [{"owner": alice.user_id}]


def test_role_and_user_end_with_the_statement(database: Database, alice: UserDatabase) -> None:
    who = text(f"""
        SELECT current_user = {USER_ROLE} AS is_role, current_user = session_user AS is_itself,
               current_setting('app.user_id') AS name
    """)
    (of_user,) = run(alice.execute(who))
    assert of_user == {"is_role": True, "is_itself": False, "name": alice.user_id}
    assert run(database.unscoped(lambda connection: tuple(connection.execute(who).one()))) == (
        False,
        True,
        "",
    )


def test_times_are_in_utc_whatever_the_connections_time_zone(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1}))
    run(database.unscoped(lambda one: one.exec_driver_sql("SET timezone TO 'Asia/Kathmandu'")))
    user = UserDatabase(database, UserId(f"alice-{uuid4()}"))
    task = run(TaskRepository(user).create(TaskCreate(title="mine")))
    assert task.created_at.tzinfo == UTC
    database.dispose()


def test_a_statement_runs_in_its_own_transaction(alice: UserDatabase) -> None:
    with pytest.raises(ProgrammingError):
        run(alice.execute(text("SELECT 1 FROM")))
    assert count(alice) == 1


HINT = ": /readyz says what to run"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT no_such_column", f'column "no_such_column" does not exist{HINT}'),
        ("SELECT FROM no_such_table", f'relation "no_such_table" does not exist{HINT}'),
        ("INSERT INTO task SELECT * FROM task", "cannot execute INSERT in a read-only transaction"),
    ],
)
def test_a_database_that_is_behind_or_read_only_is_unavailable(
    alice: UserDatabase, caplog: pytest.LogCaptureFixture, statement: str, reason: str
) -> None:
    def run_it(session: Session) -> None:
        if "read-only" in reason:
            session.execute(text("SET TRANSACTION READ ONLY"))
        session.execute(text(statement))

    with pytest.raises(Unavailable):
        run(alice.transaction(run_it))
    assert [
        record.__dict__["reason"] for record in caplog.records if record.name == "kit.database"
    ] == [reason]
    assert count(alice) == 1


def test_a_database_without_the_users_role_is_unavailable(
    empty_database: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """As before its first migration, or restored on a server that has not this role."""
    url = parse_url(empty_database)
    database = Database(settings.model_copy(update={"database_url": url}))
    with pytest.raises(Unavailable):
        run(UserDatabase(database, UserId("alice")).execute(text("SELECT 1")))
    database.dispose()
    reason = f'role "{url.database}_rls" does not exist{HINT}'
    assert [record.__dict__["reason"] for record in caplog.records] == [reason]


def test_a_wrong_value_of_the_users_is_no_outage(alice: UserDatabase) -> None:
    with pytest.raises(DataError):
        run(alice.execute(text("SELECT now() AT TIME ZONE 'of_rls'")))


def test_several_statements_are_one_transaction_of_the_user(alice: UserDatabase) -> None:
    def add_one(session: Session) -> int:
        session.add(new_task(alice))
        session.flush()
        return len(session.exec(select(col(Task.title))).all())

    assert run(alice.transaction(add_one)) == 2
    assert count(alice) == 2


def test_a_transaction_that_fails_leaves_nothing(alice: UserDatabase) -> None:
    def add_and_fail(session: Session) -> None:
        session.add(new_task(alice))
        session.flush()
        raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        run(alice.transaction(add_and_fail))
    assert count(alice) == 1


def test_a_transaction_goes_on_after_a_savepoint(alice: UserDatabase) -> None:
    def fail_and_add(session: Session) -> None:
        with pytest.raises(ProgrammingError), session.begin_nested():
            session.execute(text("SELECT no_such_column"))
        session.add(new_task(alice))

    run(alice.transaction(fail_and_add))
    assert count(alice) == 2


def test_what_a_unique_key_refuses_is_a_conflict_and_nothing_is_stored(
    alice: UserDatabase,
) -> None:
    def add_twice(session: Session) -> None:
        first, second = new_task(alice), new_task(alice)
        second.id = first.id
        session.add_all([first, second])

    with pytest.raises(Conflict, match="conflicts with what is stored") as refused:
        run(alice.transaction(add_twice))
    assert "pk_task" in str(refused.value.__cause__)
    assert count(alice) == 1


def test_a_connection_that_does_not_come_back_idle_is_never_used_again(
    settings: Settings,
) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1}))

    def process(connection: Connection) -> int:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    def leave_open(connection: Connection) -> int:
        connection.exec_driver_sql("BEGIN")
        return process(connection)

    used = run(database.unscoped(process))
    with pytest.raises(RuntimeError, match="left its transaction open"):
        run(database.unscoped(leave_open))
    assert run(database.unscoped(process)) != used
    database.dispose()


def test_an_isolation_level_ends_with_its_transaction(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1}))
    alice = UserDatabase(database, UserId("alice"))

    def level(session: Session) -> str:
        return str(session.scalar(text("SHOW transaction_isolation")))

    def serializable(session: Session) -> str:
        psycopg: Any = session.connection().connection.driver_connection
        psycopg.set_session(isolation_level="SERIALIZABLE")
        return level(session)

    assert run(alice.transaction(level)) == "read committed"
    assert run(alice.transaction(serializable)) == "serializable"
    assert run(alice.transaction(level)) == "read committed"
    database.dispose()


def narrow(settings: Settings, size: int) -> Database:
    """One that has few connections, and lets nobody wait for long."""
    few = {"database_pool_size": size, "database_pool_timeout": 0.1}
    return Database(settings.model_copy(update=few))


def test_there_is_a_thread_for_each_connection_and_what_waits_too_long_is_refused(
    settings: Settings,
) -> None:
    database, release = narrow(settings, 2), Event()

    async def three() -> list[object]:
        calls = [database.unscoped(lambda _: release.wait(10)) for _ in range(3)]
        running = asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0.5)  # for the last to wait longer than it may
        release.set()
        return list(await running)

    done = asyncio.run(three())
    assert done[:2] == [True, True]
    assert isinstance(done[2], Unavailable)
    assert done[2].detail == "The service is busy. Try again."
    database.dispose()


def test_a_request_that_is_cancelled_keeps_its_turn_until_its_thread_is_free(
    settings: Settings,
) -> None:
    database, release = narrow(settings, 1), Event()

    async def cancel_and_go_on() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(database.unscoped(lambda _: release.wait(10)), 0.1)
        with pytest.raises(Unavailable, match="busy"):
            await database.unscoped(lambda _: None)
        release.set()
        await asyncio.sleep(0.1)
        await database.unscoped(lambda _: None)

    asyncio.run(cancel_and_go_on())
    database.dispose()


def test_slow_calls_in_asyncios_own_threads_make_no_statement_wait(alice: UserDatabase) -> None:
    """There are as many of those as CPUs, and some; the database has its own."""
    release = Event()

    async def count_meanwhile() -> int:
        slow = [asyncio.create_task(asyncio.to_thread(release.wait, 30)) for _ in range(99)]
        await asyncio.sleep(0)  # they begin
        (row,) = await alice.execute(select(func.count().label("tasks")).select_from(Task))
        assert not any(call.done() for call in slow)
        release.set()
        await asyncio.gather(*slow)
        return int(row["tasks"])

    assert asyncio.run(count_meanwhile()) == 1


def test_slow_routes_of_a_team_make_no_task_wait(settings: Settings) -> None:
    app, begun, release = create_app(settings, ROUTERS), Semaphore(0), Event()

    @app.get("/in-a-thread")
    async def wait_in_a_thread() -> None:
        begun.release()
        await asyncio.to_thread(release.wait, 30)

    @app.get("/plain")  # in one of the 40 threads that FastAPI has for these
    def wait_plainly() -> None:
        begun.release()
        release.wait(30)

    with serve(app) as url, client_of("alice", url) as alice, ThreadPoolExecutor(80) as callers:
        slow = [callers.submit(httpx2.get, f"{url}{path}", timeout=60) for path in SLOW * 40]
        assert all(begun.acquire(timeout=30) for _ in slow)
        for path in (TASKS, "/readyz", "/healthz"):
            assert alice.get(path, timeout=5).status_code == 200
        assert not any(call.done() for call in slow)
        release.set()
        assert {call.result().status_code for call in slow} == {200}


def test_a_user_without_a_name_sees_nothing(database: Database, alice: UserDatabase) -> None:
    assert count(alice) == 1
    nameless = UserDatabase(database, "")  # type: ignore[arg-type]  # what a careless seam returns
    assert count(nameless) == 0


def test_an_application_may_start_again(settings: Settings) -> None:
    app = create_app(settings, ROUTERS)
    for _ in range(2):
        with serve(app) as url, client_of("alice", url) as alice:
            assert alice.get(TASKS).status_code == 200


def test_a_slow_statement_is_stopped(settings: Settings) -> None:
    strict = settings.model_copy(update={"database_statement_timeout": 0.05})
    slow = UserDatabase(Database(strict), UserId("alice")).execute(text("SELECT pg_sleep(5)"))
    started = time.monotonic()
    with pytest.raises(Unavailable):
        run(slow)
    assert time.monotonic() - started < 4


def test_tasks_survive_a_restart_and_requests_an_outage() -> None:
    with Server() as server:
        migrate(server.url())
        app = create_app(make_settings(server.url()), ROUTERS)
        with serve(app) as url, client_of("alice", url) as alice:
            task = alice.post(TASKS, json={"title": "Buy milk"}).json()
            server.stop()
            outage = alice.get(f"{TASKS}/{task['id']}")
            assert outage.status_code == 503
            assert outage.headers["Retry-After"] == "1"
            assert alice.get("/healthz").status_code == 200
            server.start()
            assert alice.get(f"{TASKS}/{task['id']}").json() == task


def test_connections_that_the_server_closed_fail_no_request(settings: Settings) -> None:
    app = create_app(settings, ROUTERS)
    with serve(app) as url, client_of(f"alice-{uuid4()}", url) as alice:
        assert alice.get(TASKS).status_code == 200
        assert run(Database(settings).unscoped(lambda one: one.execute(OTHERS_KILLED).all()))
        time.sleep(0.2)  # until the kernel has closed their sockets
        assert alice.get(TASKS).status_code == 200


def test_connections_that_are_closed_as_soon_as_they_are_made_are_an_outage(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise InvalidatePoolError

    monkeypatch.setattr("kit.database._check_alive", closed)
    database = Database(settings)
    with pytest.raises(Unavailable):
        run(database.unscoped(lambda _: None))
    database.dispose()
