"""The database itself keeps users apart: in every table with a `user_id`, whoever owns it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from devtools.postgres import Server
from sqlalchemy import (
    URL,
    Column,
    Connection,
    NullPool,
    String,
    Table,
    Uuid,
    create_engine,
    make_url,
    text,
)
from sqlalchemy.exc import ProgrammingError
from sqlmodel import SQLModel, col, delete, select

from app.database import USER_ROLE, Database
from app.database_url import parse_url
from app.identity import UserId
from app.tasks.models import Task, TaskCreate
from app.tasks.repository import TaskRepository
from tests.conftest import MIGRATIONS, alembic_on, make_settings, migrate

TABLES = """
    WITH role AS (SELECT * FROM pg_roles WHERE rolname = :role),
    relation AS (
        SELECT c.*, c.oid::regclass::text AS name, a.attnum AS owner
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        LEFT JOIN pg_attribute a ON attrelid = c.oid AND attname = 'user_id' AND NOT attisdropped
        WHERE nspname !~ '^(pg_.*|information_schema)$' AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'
        )
    ),
    owned AS (SELECT * FROM relation WHERE relkind IN ('r', 'p') AND owner IS NOT NULL)
"""

# What must not be, and the query that finds it.
FAULTS = {
    "row security is not forced: call enable_row_security in a migration": """
        SELECT name FROM owned WHERE NOT (relrowsecurity AND relforcerowsecurity)
    """,
    "a policy asks for something else than the owner, or there is none": """
        SELECT name FROM owned LEFT JOIN pg_policy ON polrelid = owned.oid AND polpermissive
        CROSS JOIN LATERAL (VALUES (polqual), (polwithcheck)) AS rule (expression)
        WHERE replace(pg_get_expr(expression, polrelid), '(user_id)::text', 'user_id')
              IS DISTINCT FROM
              $$(user_id = NULLIF(current_setting('app.user_id'::text, true), ''::text))$$
    """,
    "the primary key does not begin with user_id": """
        SELECT name FROM owned WHERE NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = owned.oid AND indisprimary AND indkey[0] = owner
        )
    """,
    "a unique index without user_id tells what others have": """
        SELECT indexrelid::regclass::text FROM owned JOIN pg_index ON indrelid = owned.oid
        WHERE (indisunique OR indisexclusion) AND owner <> ALL (indkey)
    """,
    "a foreign key without user_id can point to another's row": """
        SELECT conname FROM pg_constraint f JOIN owned target ON target.oid = confrelid
        LEFT JOIN owned source ON source.oid = conrelid
        WHERE contype = 'f' AND NOT EXISTS (
            SELECT FROM unnest(conkey, confkey) AS pair (here, there)
            WHERE here = source.owner AND there = target.owner
        )
    """,
    "everybody, or the users' role, has other rights than it needs": """
        SELECT name FROM role, owned CROSS JOIN aclexplode(relacl) AS acl
        WHERE grantee = 0 OR grantee = role.oid
              AND privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        UNION SELECT name FROM owned JOIN pg_attribute ON attrelid = owned.oid
        CROSS JOIN aclexplode(attacl) AS acl WHERE grantee = 0
    """,
    "users can write what belongs to nobody": """
        SELECT name FROM role, relation WHERE relkind IN ('r', 'p') AND owner IS NULL
        AND has_table_privilege(role.oid, relation.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    """,
    "users can read a view that reads with its owner's rights": """
        SELECT name FROM role, relation WHERE relkind IN ('v', 'm')
        AND has_table_privilege(role.oid, relation.oid, 'SELECT')
        AND NOT coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}'
    """,
    "the users' role can do more than row security allows": """
        SELECT rolname FROM role WHERE rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole
        OR rolcreatedb OR rolreplication
        OR EXISTS (SELECT FROM pg_auth_members WHERE member = role.oid)
        OR EXISTS (SELECT FROM pg_shdepend WHERE refobjid = role.oid AND deptype = 'o')
    """,
}


def faults(connection: Connection) -> dict[str, list[str]]:
    """What is at fault, and where."""
    found = {fault: names(connection, query) for fault, query in FAULTS.items()}
    return {fault: where for fault, where in found.items() if where}


def names(connection: Connection, query: str) -> list[str]:
    return list(connection.scalars(text(TABLES + query), {"role": USER_ROLE}))


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection
        connection.rollback()


@contextmanager
def connect(url: str | URL) -> Iterator[Connection]:
    with create_engine(parse_url(url), poolclass=NullPool).connect() as connection:
        yield connection


def test_every_table_of_users_keeps_them_apart(connection: Connection) -> None:
    assert "task" in names(connection, "SELECT name FROM owned")
    assert faults(connection) == {}


@pytest.mark.parametrize(
    ("mistake", "fault"),
    [
        ("ALTER TABLE task DISABLE ROW LEVEL SECURITY", "row security is not forced"),
        ("ALTER TABLE task NO FORCE ROW LEVEL SECURITY", "row security is not forced"),
        ("ALTER POLICY task_owner ON task USING (true)", "a policy asks"),
        ("ALTER POLICY task_owner ON task WITH CHECK (true)", "a policy asks"),
        ("CREATE POLICY shared ON task FOR SELECT USING (completed)", "a policy asks"),
        ("DROP POLICY task_owner ON task", "a policy asks"),
        ("ALTER TABLE task DROP CONSTRAINT pk_task, ADD PRIMARY KEY (id, user_id)", "the primary"),
        ("CREATE UNIQUE INDEX ON task (title) WHERE false", "a unique index"),
        (
            "CREATE TABLE a (user_id int, id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a)",
            "a foreign key",
        ),
        ("GRANT SELECT ON task TO PUBLIC", "everybody"),
        ("GRANT SELECT (title) ON task TO PUBLIC", "everybody"),
        (f"GRANT TRUNCATE ON task TO {USER_ROLE}", "everybody"),
        (f"GRANT UPDATE ON alembic_version TO {USER_ROLE}", "users can write"),
        (
            f"CREATE VIEW titles AS TABLE task; GRANT SELECT ON titles TO {USER_ROLE}",
            "users can read a view",
        ),
        (f"ALTER ROLE {USER_ROLE} LOGIN", "the users' role"),
        (f"CREATE ROLE other; GRANT other TO {USER_ROLE}", "the users' role"),
        ("CREATE TABLE quokka (user_id text, id uuid, PRIMARY KEY (user_id, id))", "row security"),
    ],
)
def test_a_mistake_is_noticed(connection: Connection, mistake: str, fault: str) -> None:
    connection.execute(text(mistake))
    assert any(found.startswith(fault) for found in faults(connection))


@pytest.mark.usefixtures("new_tables")
def test_autogenerate_secures_new_tables_of_users_and_no_others(
    empty_database: str, versions: Config
) -> None:
    with alembic_on(empty_database):
        command.upgrade(versions, "head")
        command.revision(versions, "add quokka", autogenerate=True)
        command.upgrade(versions, "head")
        with connect(empty_database) as connection:
            assert faults(connection) == {}
            secured = names(connection, "SELECT name FROM relation WHERE relrowsecurity")
            assert {"quokka", "task"} <= set(secured)
            assert "numbat" not in secured
        command.downgrade(versions, "base")


@pytest.fixture
def new_tables() -> Iterator[None]:
    """Two tables for which there is no migration yet, by names that no project has."""
    owner = Column("user_id", String, primary_key=True)
    key, code = (Column(name, Uuid, primary_key=True) for name in ("id", "code"))
    tables = [
        Table("quokka", SQLModel.metadata, owner, key),
        Table("numbat", SQLModel.metadata, code),
    ]
    yield
    for table in tables:
        SQLModel.metadata.remove(table)


@pytest.fixture
def versions(tmp_path: Path) -> Config:
    """A copy of the migrations, to which a test can add."""
    copy = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    config = Config()
    config.set_main_option("script_location", str(copy).replace("%", "%%"))
    return config


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A server of its own, because roles are common to all databases of one."""
    with Server(tmp_path_factory.mktemp("cluster"), durable=False) as server:
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
        f"DROP ROLE IF EXISTS {USER_ROLE}",
        f'DROP ROLE "{owner}"',
    )


def as_dba(cluster: URL, *statements: str) -> list[object]:
    engine = create_engine(parse_url(cluster), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        results = [connection.exec_driver_sql(statement) for statement in statements]
        return [row for result in results if result.returns_rows for row in result.scalars()]


def assert_effective(url: str) -> None:
    database = Database(make_settings(url))
    alice, bob = (database.for_user(UserId(name)) for name in ("alice", "bob"))
    TaskRepository(alice).create(TaskCreate(title="hers"))
    assert bob.execute(select(col(Task.id))) == []
    assert bob.execute(delete(Task).returning(col(Task.id))) == []
    assert alice.execute(select(col(Task.title))) == [{"title": "hers"}]
    with connect(url) as connection:
        assert faults(connection) == {}
    database.dispose()


@pytest.mark.parametrize(
    "rights",
    ["SUPERUSER", "CREATEROLE BYPASSRLS", "CREATEROLE"],
    ids=["superuser", "Neon's", "least"],
)
def test_it_binds_every_kind_of_owner_and_goes_without_a_trace(cluster: URL, rights: str) -> None:
    with database_of(cluster, rights) as url:
        migrate(url)
        assert_effective(url)
        with alembic_on(url) as config:
            command.downgrade(config, "base")
        assert as_dba(cluster, f"SELECT to_regrole('{USER_ROLE}')") == [None]


def test_without_the_right_to_make_roles_it_says_what_a_dba_must_run(cluster: URL) -> None:
    with database_of(cluster) as url:
        as_dba(cluster, sql_for_dba(url))
        migrate(url)
        assert_effective(url)


def test_two_databases_share_the_role_and_the_last_takes_it_along(cluster: URL) -> None:
    with database_of(cluster, "CREATEROLE") as first, database_of(cluster) as second:
        migrate(first)
        as_dba(cluster, sql_for_dba(second))
        migrate(second)
        with alembic_on(first) as config:
            command.downgrade(config, "base")
        assert_effective(second)


def sql_for_dba(url: str) -> str:
    with pytest.raises(ProgrammingError, match="may not create or grant roles") as refused:
        migrate(url)
    (sql,) = re.findall(r"Let a DBA run: (.*;) and migrate again", str(refused.value))
    return str(sql)
