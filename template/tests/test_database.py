"""What the database layer promises, on a real server."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from uuid import uuid4

import pytest
from devtools.postgres import Server
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlmodel import col, func, select, update

from app.database import OWNER, USER_ROLE, Database, UserDatabase
from app.errors import Unavailable
from app.identity import UserId
from app.main import create_app
from app.settings import Settings
from app.tasks.models import Task, TaskCreate
from app.tasks.repository import TaskRepository
from tests.conftest import client_of, make_settings, migrate, serve

TASKS = "/api/v1/tasks"
OTHERS_KILLED = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'app' AND datname = current_database() AND pid <> pg_backend_pid()
"""
COUNT = select(func.count().label("tasks")).select_from(Task)


@pytest.fixture
def database(settings: Settings) -> Database:
    return Database(settings)


@pytest.fixture
def alice(database: Database) -> UserDatabase:
    return database.for_user(UserId(f"alice-{uuid4()}"))


@pytest.fixture
def bob(database: Database) -> UserDatabase:
    return database.for_user(UserId(f"bob-{uuid4()}"))


def test_a_statement_without_its_filter_sees_and_changes_only_the_users_rows(
    alice: UserDatabase, bob: UserDatabase
) -> None:
    for user in (alice, bob):
        TaskRepository(user).create(TaskCreate(title="mine"))
    assert alice.execute(COUNT) == [{"tasks": 1}]
    changed = alice.execute(update(Task).values(title="all").returning(col(Task.user_id)))
    assert changed == [{"user_id": alice.user_id}]
    assert bob.execute(select(col(Task.title))) == [{"title": "mine"}]


def test_nobody_can_write_a_row_for_another(alice: UserDatabase, bob: UserDatabase) -> None:
    task = TaskRepository(alice).create(TaskCreate(title="mine"))
    stolen = update(Task).where(col(Task.id) == task.id).values(user_id=bob.user_id)
    with pytest.raises(ProgrammingError, match="row-level security"):
        alice.execute(stolen)


def test_the_owner_in_a_statement_is_its_user_whatever_value_comes_with_it(
    alice: UserDatabase, bob: UserDatabase
) -> None:
    asked = alice.execute(select(OWNER.label("owner")), **{OWNER.key: bob.user_id})
    assert asked == [{"owner": alice.user_id}]


def test_role_and_user_end_with_the_statement(database: Database, alice: UserDatabase) -> None:
    who = text("SELECT current_user AS role, current_setting('app.user_id') AS name")
    assert alice.execute(who) == [{"role": USER_ROLE, "name": alice.user_id}]
    with database.unscoped() as connection:
        assert connection.execute(who).one() == (connection.engine.url.username, "")


def test_times_are_in_utc_whatever_the_connections_time_zone(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1}))
    with database.unscoped() as connection:
        connection.execute(text("SET timezone TO 'Asia/Kathmandu'"))
    task = TaskRepository(database.for_user(UserId(f"alice-{uuid4()}"))).create(
        TaskCreate(title="mine")
    )
    assert task.created_at.tzinfo == UTC
    database.dispose()


def test_a_statement_runs_in_its_own_transaction(alice: UserDatabase) -> None:
    TaskRepository(alice).create(TaskCreate(title="kept"))
    with pytest.raises(ProgrammingError):
        alice.execute(text("SELECT no_such_column"))
    assert alice.execute(COUNT) == [{"tasks": 1}]


def test_several_statements_are_one_transaction_of_the_user(
    alice: UserDatabase, bob: UserDatabase
) -> None:
    TaskRepository(bob).create(TaskCreate(title="theirs"))
    with alice.transaction() as session:
        task = Task(user_id=alice.user_id, id=uuid4(), title="1", description="", completed=False)
        session.add(task)
        session.flush()
        assert session.exec(select(col(Task.title))).all() == ["1"]
    assert alice.execute(COUNT) == [{"tasks": 1}]


def test_a_transaction_that_fails_leaves_nothing(alice: UserDatabase) -> None:
    def add_and_fail() -> None:
        with alice.transaction() as session:
            session.add(
                Task(user_id=alice.user_id, id=uuid4(), title="1", description="", completed=False)
            )
            session.flush()
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        add_and_fail()
    assert alice.execute(COUNT) == [{"tasks": 0}]


def test_a_transaction_goes_on_after_a_savepoint(alice: UserDatabase) -> None:
    with alice.transaction() as session:
        with pytest.raises(ProgrammingError), session.begin_nested():
            session.execute(text("SELECT no_such_column"))
        session.add(
            Task(user_id=alice.user_id, id=uuid4(), title="1", description="", completed=False)
        )
    assert alice.execute(COUNT) == [{"tasks": 1}]


def test_a_request_that_waited_too_long_is_refused(settings: Settings) -> None:
    impatient = settings.model_copy(update={"database_pool_timeout": -1.0})
    with pytest.raises(Unavailable) as refused:
        Database(impatient).for_user(UserId("alice")).execute(COUNT)
    assert refused.value.detail == "The service is busy. Try again."


def test_there_is_a_thread_for_each_connection_and_what_waits_for_one_is_refused(
    settings: Settings, alice: UserDatabase
) -> None:
    narrow = settings.model_copy(update={"database_pool_size": 2, "database_pool_timeout": 0.1})
    task = TaskRepository(alice).create(TaskCreate(title="held"))
    with (
        serve(create_app(narrow)) as url,
        client_of(alice.user_id, url) as client,
        ThreadPoolExecutor(3) as callers,
    ):
        with alice.transaction() as session:
            session.execute(select(Task).with_for_update())
            toggle = f"{TASKS}/{task.id}/toggle"
            calls = [callers.submit(client.post, toggle) for _ in range(3)]
            time.sleep(1)  # for the last to arrive, and to wait longer than it may
        answers = [call.result() for call in calls]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
    (refused,) = (answer for answer in answers if answer.status_code == 503)
    assert refused.json()["detail"] == "The service is busy. Try again."


def test_a_slow_statement_is_stopped(settings: Settings) -> None:
    strict = settings.model_copy(update={"database_statement_timeout": 0.05})
    with pytest.raises(Unavailable):
        Database(strict).for_user(UserId("alice")).execute(text("SELECT pg_sleep(5)"))


def test_tasks_survive_a_restart_and_requests_an_outage(tmp_path: Path) -> None:
    with Server(tmp_path / "data", durable=False) as server:
        migrate(server.url())
        app = create_app(make_settings(server.url()))
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
    app = create_app(settings)
    with serve(app) as url, client_of(f"alice-{uuid4()}", url) as alice:
        assert alice.get(TASKS).status_code == 200
        with Database(settings).unscoped() as connection:
            assert connection.execute(text(OTHERS_KILLED)).all()
        time.sleep(0.2)  # until the kernel has closed their sockets
        assert alice.get(TASKS).status_code == 200
