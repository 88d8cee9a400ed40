"""No user ever sees or changes another's task, whatever they ask for and whoever asks meanwhile."""

import asyncio
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from kit.database import Database, UserDatabase
from kit.testing.fixtures import NO_TLS
from sqlalchemy import bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, delete, insert, select, update

from app.tasks.models import Task
from app.tasks.repository import TaskRepository
from tests.kit.conftest import NewOwner
from tests.kit.services import TASKS, client_of

# Names that a careless comparison would take for one another.
NAMES = ("alice", "Alice", "alice%", "alic_", "alice'--", "a")
CLEAN = """
    SELECT current_user = session_user, coalesce(current_setting('app.user_id', true), ''),
           setting = reset_val FROM pg_settings WHERE name = 'statement_timeout'
"""


class Walk:
    """Random requests of several users over one connection, as a gateway sends them.

    Beside it goes a model: what each user must see is what they themselves have written.
    """

    def __init__(self, gateway: httpx2.Client, seed: int) -> None:
        self.gateway = gateway
        self.random = Random(seed)  # noqa: S311 - a test that repeats itself, not a secret
        suffix = uuid4().hex
        self.tasks: dict[str, dict[str, dict[str, Any]]] = {f"{n}{suffix}": {} for n in NAMES}
        self.ids = [str(uuid4())]

    def step(self) -> None:
        user = self.random.choice(list(self.tasks))
        self.random.choice([self.create, self.read, self.change, self.change, self.delete])(user)

    def create(self, user: str) -> None:
        new = {"title": self.title(), "completed": self.random.random() < 0.5}
        created = self.ask(user, "POST", "", 201, json=new)
        assert created == {**created, **new, "user_id": user}
        self.tasks[user][created["id"]] = created
        self.ids.append(created["id"])

    def read(self, user: str) -> None:
        completed = self.random.choice([None, True, False])
        cursor = self.random.choice([None, *self.ids])
        limit = self.random.randint(1, 5)
        query = {"completed": completed, "cursor": cursor, "limit": limit}
        given = {name: value for name, value in query.items() if value is not None}
        page = self.ask(user, "GET", "", 200, params=given)
        tasks = [
            task
            for key, task in sorted(self.tasks[user].items(), reverse=True)
            if completed in (None, task["completed"]) and (cursor is None or key < cursor)
        ]
        more = tasks[limit - 1]["id"] if len(tasks) > limit else None
        assert page == {"items": tasks[:limit], "next_cursor": more}

    def change(self, user: str) -> None:
        key, title = self.random.choice(self.ids), self.title()
        task = self.tasks[user].get(key, {})
        whole = {"title": title, "description": title, "completed": False}
        requests: tuple[tuple[str, str, Any, dict[str, Any]], ...] = (
            ("GET", "", None, {}),
            ("PUT", "", whole, whole),
            ("PATCH", "", {"title": title}, {"title": title}),
            ("POST", "/toggle", None, {"completed": not task.get("completed")}),
        )
        method, path, body, changes = self.random.choice(requests)
        changed = self.ask(user, method, f"/{key}{path}", 200 if task else 404, json=body)
        if task:
            assert changed == {**task, **changes, "updated_at": changed["updated_at"]}
            self.tasks[user][key] = changed

    def delete(self, user: str) -> None:
        key = self.random.choice(self.ids)
        found = self.tasks[user].pop(key, None)
        self.ask(user, "DELETE", f"/{key}", 204 if found else 404)

    def ask(self, user: str, method: str, path: str, status: int, **request: Any) -> Any:
        headers = {"X-User-ID": user}
        response = self.gateway.request(method, TASKS + path, headers=headers, **request)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def title(self) -> str:
        return f"{self.random.random()}"


def test_users_see_exactly_what_they_have_written(service: str) -> None:
    with httpx2.Client(base_url=service, verify=NO_TLS) as gateway:
        walk = Walk(gateway, seed=1)
        for _ in range(200):
            walk.step()
        for user, tasks in walk.tasks.items():
            page = walk.ask(user, "GET", "", 200)
            assert page["items"] == sorted(
                tasks.values(), key=lambda task: task["id"], reverse=True
            )


def test_users_at_the_same_time_leave_nothing_on_a_connection(app: FastAPI, service: str) -> None:
    hammer(service, users=16, rounds=3)
    assert left_on_connections(app.state.database) == {(True, "", True)}


def hammer(service: str, users: int, rounds: int) -> None:
    """Users work at the same time, each trying the tasks of all."""
    ids: list[str] = []

    def work(user: httpx2.Client) -> None:
        name = user.headers["X-User-ID"]
        for _ in range(rounds):
            mine = user.post(TASKS, json={"title": name}).json()["id"]
            ids.append(mine)
            assert user.post(f"{TASKS}/{mine}/toggle").json()["user_id"] == name
            tasks = user.get(TASKS, params={"limit": 200}).json()["items"]
            assert (
                {task["user_id"] for task in tasks} == {task["title"] for task in tasks} == {name}
            )
            strange = set(ids) - {task["id"] for task in tasks}
            for other in list(strange)[:2]:
                assert user.patch(f"{TASKS}/{other}", json={"title": "x"}).status_code == 404

    with ExitStack() as clients, ThreadPoolExecutor(users) as threads:
        each = [clients.enter_context(client_of(str(uuid4()), service)) for _ in range(users)]
        assert list(threads.map(work, each)) == [None] * users


def left_on_connections(database: Database) -> set[tuple[object, ...]]:
    """Role, user and timeout as the next one finds them on each connection of the pool."""
    engine = database._engine  # noqa: SLF001 - each connection as it is, without a scope
    assert engine.pool.checkedin() > 1  # type: ignore[attr-defined]  # QueuePool's
    connections = [engine.raw_connection() for _ in range(database.settings.database_pool_size)]
    found: set[tuple[object, ...]] = set()
    for connection in connections:
        cursor = connection.cursor()
        cursor.execute(CLEAN)
        found.update(cursor.fetchall())
        connection.close()
    return found


def titles(user: UserDatabase) -> list[str]:
    return [row["title"] for row in asyncio.run(user.execute(select(col(Task.title))))]


RENAME = update(Task).values(title="all")


@pytest.mark.parametrize(
    "rename_all",
    [
        lambda session: session.execute(RENAME),
        lambda session: session.execute(text("UPDATE task SET title = 'all'")),
        lambda session: session.connection().exec_driver_sql("UPDATE task SET title = 'all'"),
        lambda session: session.connection().execute(
            RENAME.where(col(Task.title) == bindparam("old")), [{"old": "mine"}, {"old": "other"}]
        ),
    ],
    ids=["statement", "text", "driver", "many"],
)
def test_however_a_statement_runs_it_changes_the_users_rows_alone(
    new_owner: NewOwner, rename_all: Callable[[Session], object]
) -> None:
    alice, bob = new_owner(), new_owner()
    asyncio.run(alice.transaction(rename_all))
    assert (titles(alice), titles(bob)) == (["all"], ["mine"])


def test_a_statement_that_would_run_out_of_scope_is_refused(new_owner: NewOwner) -> None:
    alice, bob = new_owner(), new_owner()

    def stream(session: Session) -> object:
        return session.execute(RENAME, execution_options={"stream_results": True})

    with pytest.raises(NotImplementedError, match="streamed"):
        asyncio.run(alice.transaction(stream))
    assert (titles(alice), titles(bob)) == (["mine"], ["mine"])


def test_a_connection_without_a_user_runs_nothing(new_owner: NewOwner) -> None:
    def escape(session: Session) -> object:
        with session.connection().engine.connect() as another:
            return another.execute(select(Task))

    with pytest.raises(KeyError, match="scope"):
        asyncio.run(new_owner().transaction(escape))


def test_users_may_have_tasks_of_the_same_id(new_owner: NewOwner) -> None:
    alice, bob = new_owner(), new_owner()
    same = uuid4()
    for user in (alice, bob):
        asyncio.run(user.execute(new_task(user.user_id, same)))
    asyncio.run(TaskRepository(alice).delete(same))
    assert asyncio.run(TaskRepository(bob).get(same)).user_id == bob.user_id


def test_a_row_that_an_earlier_and_laxer_release_stored_can_be_read(
    service: str, new_owner: NewOwner
) -> None:
    alice, id_ = new_owner(), uuid4()
    asyncio.run(alice.execute(new_task(alice.user_id, id_, title=" ")))
    with client_of(alice.user_id, service) as client:
        assert client.get(f"{TASKS}/{id_}").json()["title"] == " "
        assert " " in {task["title"] for task in client.get(TASKS).json()["items"]}


def test_the_database_says_the_same_of_anothers_task_and_of_none(new_owner: NewOwner) -> None:
    alice, bob = new_owner(), new_owner()
    (task,) = asyncio.run(alice.execute(select(col(Task.id))))
    taken = task["id"]

    def refusal(task_id: UUID) -> str:
        with pytest.raises(DBAPIError) as refused:
            asyncio.run(bob.execute(new_task(alice.user_id, task_id)))
        return str(refused.value)

    assert refusal(taken) == refusal(uuid4())
    stolen = delete(Task).where(col(Task.id) == taken).returning(col(Task.id))
    assert asyncio.run(bob.execute(stolen)) == []


def test_an_error_of_the_database_holds_no_data(new_owner: NewOwner) -> None:
    alice = new_owner()
    with pytest.raises(DBAPIError) as refused:
        asyncio.run(alice.execute(new_task(alice.user_id, uuid4(), title="x" + "private" * 100)))
    assert "StringDataRightTruncation, SQLSTATE 22001" in str(refused.value)
    assert "private" not in str(refused.value)
    assert "xprivate" not in "".join(traceback.format_exception(refused.value))


def test_several_statements_in_one_text_do_not_leave_the_scope(new_owner: NewOwner) -> None:
    alice, bob = new_owner(), new_owner()
    for statements in ("COMMIT; SELECT title FROM task", "SELECT 1; SELECT title FROM task;"):
        with pytest.raises(NotImplementedError, match="one statement at a time"):
            asyncio.run(alice.execute(text(statements)))
        with pytest.raises(NotImplementedError, match="one statement at a time"):
            asyncio.run(alice.transaction(lambda session: session.execute(text(statements))))  # noqa: B023
    assert asyncio.run(alice.execute(text("SELECT title FROM task;"))) == [{"title": "mine"}]
    assert titles(bob) == ["mine"]


@pytest.mark.parametrize("field", ["id", "user_id", "created_at", "updated_at"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_client_sets_neither_id_nor_owner_nor_time(
    alice: httpx2.Client, bob: httpx2.Client, method: str, field: str
) -> None:
    hers = alice.post(TASKS, json={"title": "hers"}).json()
    his = bob.post(TASKS, json={"title": "his"}).json()
    path = TASKS if method == "POST" else f"{TASKS}/{his['id']}"
    body = {"title": "x", "description": "", "completed": True, field: hers[field]}
    refused = bob.request(method, path, json=body)
    assert refused.status_code == 400
    assert bob.get(TASKS).json()["items"] == [his]


def test_neither_answers_nor_logs_tell_of_anothers_task(
    alice: httpx2.Client, bob: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    task = alice.post(TASKS, json={"title": "private"}).json()
    path, new = f"{TASKS}/{task['id']}", {"title": "x"}
    whole = {**new, "description": "", "completed": True}
    caplog.set_level("INFO")
    answers = [
        *(bob.request(method, path) for method in ("GET", "DELETE", "PUT", "PATCH", "POST")),
        *(bob.request(method, path, json=whole) for method in ("PUT", "PATCH")),
        bob.post(f"{path}/toggle"),
        bob.get(TASKS, params={"cursor": task["id"]}),
        bob.get(TASKS, params={"cursor": "private"}),
    ]
    told = "".join(f"{answer.headers} {answer.text}" for answer in answers)
    assert alice.get(path).json() == task  # by now the others have left their lines
    logged = [str(vars(record)) for record in caplog.records if record.name == "kit.request"]
    assert len(logged) >= len(answers)
    assert "private" not in told + str(logged)
    assert alice.headers["X-User-ID"] not in told + str(logged)


def new_task(user_id: str, task_id: UUID, title: str = "x") -> Any:
    values = {"title": title, "description": "", "completed": False}
    return insert(Task).values(user_id=user_id, id=task_id, **values)
