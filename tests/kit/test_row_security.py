"""The database itself keeps users apart: in every table with a `user_id`, whoever owns it."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from alembic import command
from kit.database import USER_ROLE, Database, UserDatabase
from kit.database_url import parse_url
from kit.dev.postgres import Server
from kit.models import UserId
from kit.testing.invariants import faults
from kit.testing.servers import alembic_on, migrate
from sqlalchemy import URL, Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlmodel import col, delete, select

from app.tasks.models import Task, TaskCreate
from app.tasks.repository import TaskRepository
from tests.kit.services import make_settings

# The role's name depends on the database's: statements for a DO block.
ROLE = "' || quote_ident({}) || '".format(USER_ROLE)  # noqa: UP032 - braces of SQL


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection
        connection.rollback()


@contextmanager
def connect(url: str | URL) -> Iterator[Connection]:
    with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("mistake", "fault"),
    [
        ("ALTER TABLE task DISABLE ROW LEVEL SECURITY", "row security is off"),
        ("ALTER POLICY owner ON task USING (true)", "a policy asks"),
        ("ALTER POLICY owner ON task WITH CHECK (true)", "a policy asks"),
        ("ALTER POLICY owner ON task TO PUBLIC", "a policy asks"),
        ("CREATE POLICY shared ON task FOR SELECT USING (completed)", "a policy asks"),
        ("DROP POLICY owner ON task", "a policy asks"),
        ("ALTER TABLE task DROP CONSTRAINT pk_task, ADD PRIMARY KEY (id, user_id)", "the primary"),
        ("CREATE UNIQUE INDEX ON task (title) WHERE false", "a unique index"),
        (
            "CREATE TABLE a (user_id int, id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a)",
            "a foreign key",
        ),
        ("GRANT SELECT ON task TO PUBLIC", "everybody"),
        ("GRANT SELECT (title) ON task TO PUBLIC", "everybody"),
        (f"GRANT TRUNCATE ON task TO {ROLE}", "everybody"),
        (f"GRANT UPDATE ON alembic_version TO {ROLE}", "users can write"),
        (f"CREATE VIEW titles AS TABLE task; GRANT SELECT ON titles TO {ROLE}", "users can read"),
        (f"ALTER ROLE {ROLE} LOGIN", "the users' role"),
        (f"CREATE ROLE other; GRANT other TO {ROLE}", "the users' role"),
        ("CREATE TABLE quokka (user_id text, id uuid, PRIMARY KEY (user_id, id))", "row security"),
    ],
)
def test_a_mistake_is_noticed(connection: Connection, mistake: str, fault: str) -> None:
    connection.execute(text(f"DO $$ BEGIN EXECUTE '{mistake}'; END $$"))
    assert any(found.startswith(fault) for found in faults(connection))


@pytest.mark.parametrize(
    "damage",
    [
        "ALTER TABLE task DISABLE ROW LEVEL SECURITY",
        "ALTER POLICY owner ON task USING (true)",
        "DROP POLICY owner ON task",
        "GRANT SELECT ON task TO PUBLIC",
        f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}",
    ],
)
def test_an_upgrade_repairs_a_restored_database(empty_database: str, damage: str) -> None:
    migrate(empty_database)
    with connect(empty_database) as connection:
        connection.execute(text(f"DO $$ BEGIN EXECUTE '{damage}'; END $$"))
        connection.commit()
    migrate(empty_database)
    assert_effective(empty_database)


def test_the_owner_of_the_tables_sees_every_row_to_dump_and_backfill(cluster: URL) -> None:
    with database_of(cluster, "CREATEROLE") as url:
        migrate(url)
        assert_effective(url)
        with connect(url) as connection:
            assert connection.scalars(text("SELECT user_id FROM task")).all() == ["alice"]


@pytest.fixture
def sql(database_url: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `alembic upgrade head --sql` prints."""
    with alembic_on(database_url) as config:
        command.upgrade(config, "head", sql=True)
    return capsys.readouterr().out


def test_a_dba_can_read_the_sql_first(sql: str) -> None:
    assert "CREATE TABLE task" in sql
    assert "ENABLE ROW LEVEL SECURITY" in sql


def test_that_sql_makes_what_an_upgrade_makes(empty_database: str, sql: str) -> None:
    with connect(empty_database) as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql(sql.replace("%", "%%"))
        connection.exec_driver_sql("COMMIT")
    with alembic_on(empty_database) as config:
        command.check(config)
    assert_effective(empty_database)


@pytest.fixture(scope="module")
def cluster() -> Iterator[URL]:
    """A server of its own, because roles are common to all databases of one."""
    with Server() as server:
        yield make_url(server.url())


@contextmanager
def database_of(cluster: URL, rights: str = "") -> Iterator[str]:
    """A database whose owner is no superuser, unless `rights` say so."""
    owner = f"it's {uuid4().hex}"
    as_dba(
        cluster,
        f'CREATE ROLE "{owner}" LOGIN {rights}',
        f'CREATE DATABASE "{owner}" OWNER "{owner}"',
    )
    yield cluster.set(username=owner, database=owner).render_as_string(hide_password=False)
    as_dba(
        cluster,
        f'DROP DATABASE "{owner}" WITH (FORCE)',
        f'DROP ROLE IF EXISTS "{owner}_user"',
        f'DROP ROLE "{owner}"',
    )


def as_dba(cluster: URL, *statements: str) -> None:
    engine = create_engine(parse_url(cluster), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def assert_effective(url: str) -> None:
    asyncio.run(_assert_effective(url))


async def _assert_effective(url: str) -> None:
    database = Database(make_settings(url))
    alice, bob = (UserDatabase(database, UserId(name)) for name in ("alice", "bob"))
    await TaskRepository(alice).create(TaskCreate(title="hers"))
    assert await bob.execute(select(col(Task.id))) == []
    assert await bob.execute(delete(Task).returning(col(Task.id))) == []
    assert await alice.execute(select(col(Task.title))) == [{"title": "hers"}]
    with connect(url) as connection:
        assert faults(connection) == []
    database.dispose()


@pytest.mark.parametrize(
    "rights",
    ["SUPERUSER", "CREATEROLE BYPASSRLS", "CREATEROLE"],
    ids=["superuser", "Neon's", "least"],
)
def test_it_binds_the_service_whoever_owns_the_tables(cluster: URL, rights: str) -> None:
    with database_of(cluster, rights) as url:
        migrate(url)
        assert_effective(url)


def test_without_the_right_to_make_roles_it_says_what_a_dba_must_run(cluster: URL) -> None:
    with database_of(cluster) as url:
        as_dba(cluster, sql_for_dba(url))
        migrate(url)
        assert_effective(url)


def test_two_services_in_one_cluster_do_not_share_a_role(cluster: URL) -> None:
    with database_of(cluster, "CREATEROLE") as first, database_of(cluster, "CREATEROLE") as second:
        for url in (first, second):
            migrate(url)
            assert_effective(url)


def sql_for_dba(url: str) -> str:
    with pytest.raises(ProgrammingError, match="may not create or grant roles") as refused:
        migrate(url)
    (sql,) = re.findall(r"Let a DBA run: (.*;) and migrate again", str(refused.value))
    return str(sql)


@pytest.mark.parametrize("rights", ["LOGIN", "SUPERUSER"])
def test_a_role_of_somebody_is_not_taken_for_the_users(cluster: URL, rights: str) -> None:
    with database_of(cluster, "CREATEROLE") as url:
        as_dba(cluster, f'CREATE ROLE "{make_url(url).database}_user" {rights}')
        with pytest.raises(DBAPIError, match="is somebody's: row security needs it"):
            migrate(url)
