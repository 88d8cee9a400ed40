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
from kit.migrations import ROLE_FAULTS
from kit.models import UserId
from kit.testing.invariants import faults
from kit.testing.servers import alembic_on, migrate
from sqlalchemy import URL, Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlmodel import col, delete, select

from app.tasks.models import Task, TaskCreate
from app.tasks.repository import TaskRepository
from tests.kit.services import make_settings

# The role's name depends on the database's: statements for a DO block.
ROLE = "' || quote_ident({}) || '".format(USER_ROLE)  # noqa: UP032 - braces of SQL
DATABASE = "DATABASE ' || quote_ident(current_database()) || '"

# It suits a name better than PostgreSQL's own, which takes text.
SHADOW = """CREATE FUNCTION "left"(name, int) RETURNS text LANGUAGE sql AS ''SELECT NULL::text''"""
FOREIGN = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w"
DEFINER = "RETURNS text LANGUAGE sql SECURITY DEFINER AS ''SELECT title FROM task''"


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
        (
            "ALTER TABLE task DISABLE ROW LEVEL SECURITY",
            "row security is off: run alembic upgrade head, or",
        ),
        ("ALTER POLICY owner ON task USING (true)", "a policy compares"),
        ("ALTER POLICY owner ON task WITH CHECK (true)", "a policy compares"),
        ("ALTER POLICY owner ON task TO PUBLIC", "a policy compares"),
        ("CREATE POLICY shared ON task FOR SELECT USING (completed)", "a policy compares"),
        ("DROP POLICY owner ON task", "a policy compares"),
        ("ALTER TABLE task DROP CONSTRAINT pk_task, ADD PRIMARY KEY (id, user_id)", "the primary"),
        ("CREATE UNIQUE INDEX ON task (title) WHERE false", "a unique index"),
        ("CREATE UNIQUE INDEX ON task (title) INCLUDE (user_id) WHERE false", "a unique index"),
        ("CREATE UNIQUE INDEX ON task (lower(user_id), title) WHERE false", "a unique index"),
        ("ALTER TABLE task ADD EXCLUDE USING hash (title WITH =) WHERE (false)", "a unique index"),
        (
            "CREATE TABLE a (user_id int4range, EXCLUDE USING gist (user_id WITH &&))",
            "an exclusion",
        ),
        (
            "CREATE TABLE a (user_id int, id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a)",
            "a foreign key",
        ),
        ("GRANT SELECT ON task TO PUBLIC", "everybody, or"),
        ("GRANT SELECT (title) ON task TO PUBLIC", "everybody, or"),
        (f"GRANT TRUNCATE ON task TO {ROLE}", "everybody, or"),
        (f"GRANT REFERENCES (title) ON task TO {ROLE}", "everybody, or"),
        (f"GRANT UPDATE ON alembic_version TO {ROLE}", "users can write"),
        (f"GRANT UPDATE (version_num) ON alembic_version TO {ROLE}", "users can write"),
        (
            f"{FOREIGN}; CREATE FOREIGN TABLE far () SERVER s; GRANT DELETE ON far TO {ROLE}",
            "users can write",
        ),
        (
            f"{FOREIGN}; CREATE FOREIGN TABLE far (user_id text) SERVER s; "
            f"GRANT SELECT ON far TO {ROLE}",
            "users can reach",
        ),
        (f"CREATE VIEW titles AS TABLE task; GRANT SELECT ON titles TO {ROLE}", "users can reach"),
        (f"CREATE VIEW titles AS TABLE task; GRANT DELETE ON titles TO {ROLE}", "users can reach"),
        ("CREATE VIEW v AS TABLE task; GRANT SELECT (title) ON v TO PUBLIC", "users can reach"),
        (
            f"CREATE MATERIALIZED VIEW titles AS TABLE task; GRANT SELECT ON titles TO {ROLE}",
            "users can reach",
        ),
        ("CREATE RULE r AS ON INSERT TO task DO ALSO DELETE FROM task", "a rule"),
        (f"CREATE FUNCTION title() {DEFINER}", "users can call"),
        (f"GRANT CREATE ON SCHEMA public TO {ROLE}", "users can create"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "users can create"),
        (f"GRANT CONNECT ON {DATABASE} TO PUBLIC", "everybody may connect"),
        (f"GRANT TEMPORARY ON {DATABASE} TO {ROLE}", "everybody may connect"),
        (f"GRANT CREATE ON {DATABASE} TO {ROLE}", "everybody may connect"),
        (f"ALTER ROLE {ROLE} LOGIN", "the role"),
        (f"{SHADOW}; ALTER ROLE {ROLE} LOGIN", "the role"),
        (f"CREATE ROLE other; GRANT other TO {ROLE}", "the role"),
        ("CREATE TABLE quokka (user_id text, id uuid, PRIMARY KEY (user_id, id))", "row security"),
    ],
)
def test_a_mistake_is_noticed(connection: Connection, mistake: str, fault: str) -> None:
    connection.execute(text(f"DO $$ BEGIN EXECUTE '{mistake}'; END $$"))
    assert any(found.startswith(fault) for found in faults(connection))


def test_what_keeps_users_apart_is_no_mistake(connection: Connection) -> None:
    right = (
        "CREATE POLICY unfinished ON task AS RESTRICTIVE USING (NOT completed)",
        "CREATE UNIQUE INDEX ON task (user_id, title) INCLUDE (completed) WHERE false",
        "ALTER TABLE task ADD parent uuid, ADD FOREIGN KEY (user_id, parent) REFERENCES task",
        f"CREATE TABLE country (code text PRIMARY KEY); GRANT SELECT ON country TO {ROLE}",
        "ALTER TABLE task ADD country text REFERENCES country",
        "CREATE VIEW titles WITH (security_invoker = true) AS TABLE task",
        f"GRANT SELECT, DELETE ON titles TO {ROLE}",
        "CREATE VIEW the_owners_titles AS TABLE task",
        f"CREATE FUNCTION title() {DEFINER}; REVOKE ALL ON FUNCTION title() FROM PUBLIC",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS ''SELECT 1''",
    )
    connection.execute(text(f"DO $$ BEGIN EXECUTE '{'; '.join(right)}'; END $$"))
    assert faults(connection) == []


@pytest.mark.parametrize(
    "damage",
    [
        "ALTER TABLE task DISABLE ROW LEVEL SECURITY",
        "ALTER POLICY owner ON task USING (true)",
        "DROP POLICY owner ON task",
        "GRANT SELECT ON task TO PUBLIC",
        f"GRANT TRUNCATE, REFERENCES (title) ON task TO {ROLE}",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        f"GRANT CONNECT, TEMPORARY ON {DATABASE} TO PUBLIC",
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
    """Also where an earlier release had forced row security on it."""
    with database_of(cluster, "CREATEROLE") as url:
        migrate(url)
        with connect(url) as connection:
            connection.execute(text("ALTER TABLE task FORCE ROW LEVEL SECURITY"))
            connection.commit()
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
    as_dba(cluster, f'DROP DATABASE IF EXISTS "{owner}" WITH (FORCE)')


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


def test_a_login_that_a_host_names_after_the_database_owns_it(cluster: URL) -> None:
    """Render and many guides name the owner so."""
    with database_of(cluster, "CREATEROLE") as owned:
        url = make_url(owned)
        login = f"{url.database}_user"
        as_dba(cluster, f'ALTER ROLE "{url.username}" RENAME TO "{login}"')
        renamed = url.set(username=login).render_as_string()
        migrate(renamed)
        assert_effective(renamed)


def test_without_the_right_to_make_roles_it_says_what_a_dba_must_run(cluster: URL) -> None:
    with database_of(cluster) as url:
        as_dba(cluster, sql_for_dba(url))
        migrate(url)
        assert_effective(url)


def test_two_services_in_one_cluster_cannot_reach_each_others_rows(cluster: URL) -> None:
    with database_of(cluster, "CREATEROLE") as first, database_of(cluster, "CREATEROLE") as second:
        for url in (first, second):
            migrate(url)
            assert_effective(url)
        restore_from(second, first)
        migrate(second)
        for one, other in ((first, second), (second, first)):
            owner, database = make_url(one).username, make_url(other).database
            intruder = make_url(other).set(username=owner)
            assert not can_connect(intruder)
            as_dba(cluster, f'GRANT CONNECT ON DATABASE "{database}" TO "{owner}"')
            with connect(intruder) as connection:
                for role in (owner, f"{owner}_rls", f"{database}_rls"):
                    with pytest.raises(ProgrammingError, match="permission denied"):
                        connection.exec_driver_sql(f'SET ROLE "{role}"; TABLE task')
                    connection.rollback()


def restore_from(other: str, one: str) -> None:
    """Leave in the database what restoring a dump of the other does: its policy and its grants."""
    database, role = make_url(other).database, f'"{make_url(one).database}_rls"'
    with connect(other) as connection:
        connection.exec_driver_sql(f"ALTER POLICY owner ON task TO {role}")
        connection.exec_driver_sql(f"GRANT SELECT ON task TO {role}")
        connection.exec_driver_sql(f'GRANT CONNECT ON DATABASE "{database}" TO PUBLIC')
        connection.commit()


def can_connect(url: URL) -> bool:
    try:
        with connect(url):
            return True
    except OperationalError as error:
        assert "permission denied for database" in str(error)  # noqa: PT017 - or it is returned
        return False


def make_login(cluster: URL, rights: str = "") -> str:
    as_dba(cluster, f"CREATE ROLE {(name := f'r{uuid4().hex}')} LOGIN {rights}")
    return name


def test_only_the_roles_of_the_database_may_connect(cluster: URL) -> None:
    """A role of the service's own is one of them, also if it inherits nothing."""
    stranger, granted, service, late = (make_login(cluster) for _ in range(4))
    aloof = make_login(cluster, "NOINHERIT")
    with database_of(cluster, "CREATEROLE") as owned:
        url = make_url(owned)
        users = f'"{url.database}_rls"'
        as_dba(
            cluster,
            f'GRANT CONNECT ON DATABASE "{url.database}" TO {granted}',
            f"CREATE ROLE {users}",
            f'GRANT {users} TO "{url.username}", {service}, {aloof}',
        )
        migrate(owned)
        as_dba(cluster, f"GRANT {users} TO {late}")
        roles = (stranger, granted, service, late, aloof, url.username)
        connected = {role for role in roles if can_connect(url.set(username=role))}
        assert connected == {*roles} - {stranger}
        assert_effective(url.set(username=service).render_as_string())


def test_a_role_that_migrates_as_the_owner_is_not_locked_out(cluster: URL) -> None:
    with database_of(cluster, "SUPERUSER") as owned:
        url = make_url(owned)
        as_dba(cluster, f'CREATE ROLE "{url.database}_rls"')  # of which no superuser is a member
        login = make_login(cluster, f'NOINHERIT IN ROLE "{url.username}"')
        as_dba(cluster, f'ALTER ROLE {login} SET role = "{url.username}"')
        for _ in range(2):
            migrate(url.set(username=login).render_as_string())
        assert_effective(owned)


def test_where_everybody_could_create_objects_the_owner_still_can(cluster: URL) -> None:
    """As PostgreSQL 14 made databases, of which the schema is the superuser's."""
    with database_of(cluster, "CREATEROLE") as owned:
        database = cluster.set(database=make_url(owned).database)
        old = ("ALTER SCHEMA public OWNER TO postgres", "GRANT CREATE ON SCHEMA public TO PUBLIC")
        as_dba(database, *old)
        migrate(database.render_as_string())
        with connect(owned) as connection:
            connection.exec_driver_sql("CREATE TABLE another ()")
            assert faults(connection) == []


def test_a_role_that_does_not_own_the_database_migrates_and_says_what_its_owner_must_run(
    cluster: URL, caplog: pytest.LogCaptureFixture
) -> None:
    stranger, migrator = make_login(cluster), make_login(cluster, "CREATEROLE")
    with database_of(cluster) as owned:
        url = make_url(owned).set(username=migrator)
        as_dba(cluster.set(database=url.database), f"GRANT CREATE ON SCHEMA public TO {migrator}")
        caplog.set_level("INFO", "sqlalchemy.dialects.postgresql")
        migrate(url.render_as_string())
        (needed,) = re.findall(r"may connect. Let .* run: (.*;)", caplog.text)
        as_dba(cluster, needed)
        caplog.clear()
        migrate(url.render_as_string())
        assert "may connect" not in caplog.text
        assert_effective(url.render_as_string())
        assert not can_connect(url.set(username=stranger))


def sql_for_dba(url: str) -> str:
    with pytest.raises(DBAPIError, match="Let a DBA run") as refused:
        migrate(url)
    (sql,) = re.findall(r"Let a DBA run: (.*;) and migrate again", str(refused.value))
    return str(sql)


@pytest.mark.parametrize(
    ("fault", "prepare"),
    [
        ("can log in", "ALTER ROLE {users} LOGIN"),
        ("is a superuser", "ALTER ROLE {users} SUPERUSER"),
        ("is exempt from row security", "ALTER ROLE {users} BYPASSRLS"),
        ("can create roles", "ALTER ROLE {users} CREATEROLE"),
        ("is a member of", "CREATE ROLE {other} SUPERUSER ROLE {users}"),
        ("is a member of", "CREATE ROLE {other} IN ROLE postgres ROLE {users}"),
        ("is a member of", "GRANT pg_read_server_files TO {users}"),
        ("owns something in", "CREATE TABLE mine (); ALTER TABLE mine OWNER TO {users}"),
        (
            "owns something in",
            "ALTER DATABASE {owner} OWNER TO {users}; GRANT CREATE ON SCHEMA public TO {owner}",
        ),
        ("owns something in", "CREATE DATABASE {other} OWNER {users}"),
    ],
)
def test_a_role_that_row_security_does_not_bind_is_refused_until_a_dba_mends_it(
    cluster: URL, fault: str, prepare: str
) -> None:
    with database_of(cluster, "CREATEROLE") as url:
        database = cluster.set(database=make_url(url).database)
        users, owner = f'"{database.database}_rls"', f'"{database.database}"'
        names = {"users": users, "owner": owner, "other": f"r{uuid4().hex}"}
        as_dba(database, f"CREATE ROLE {users}", *prepare.format(**names).split("; "))
        with pytest.raises(DBAPIError, match=f"Row security would not hold: .*{fault}"):
            migrate(url)
        as_dba(database, sql_for_dba(url), f"GRANT {users} TO {owner}")
        migrate(url)
        assert_effective(url)


def test_a_running_service_can_ask_for_the_same_faults(database: Database) -> None:
    def ask(connection: Connection) -> list[tuple[str, str]]:
        return [(fault, remedy) for fault, remedy in connection.exec_driver_sql(ROLE_FAULTS)]

    assert asyncio.run(database.unscoped(ask)) == []


def test_a_renamed_database_is_secured_for_its_new_name_alone(cluster: URL) -> None:
    """As is one that was restored under another name: its policy is for a role of another one."""
    with database_of(cluster, "CREATEROLE") as url:
        migrate(url)
        assert_effective(url)
        old, new = make_url(url).database, f"r{uuid4().hex}"
        as_dba(cluster, f'ALTER DATABASE "{old}" RENAME TO {new}')
        renamed = make_url(url).set(database=new)
        with connect(renamed) as connection:
            connection.exec_driver_sql("DELETE FROM task; CREATE SEQUENCE s OWNED BY task.title")
            connection.exec_driver_sql(f'GRANT USAGE ON SEQUENCE s TO "{old}_rls"')
            connection.commit()
        migrate(renamed.render_as_string())
        assert_effective(renamed.render_as_string())
        as_dba(cluster, f'REVOKE CONNECT ON DATABASE {new} FROM "{old}_rls"')
        as_dba(cluster, f'DROP ROLE "{old}_rls"')


@pytest.mark.parametrize(
    ("column", "sequence"),
    [
        ("serial", "task_number_seq"),
        ("int DEFAULT nextval('free')", "free"),
        ("int; ALTER SEQUENCE free OWNED BY task.number", "free"),
    ],
)
def test_users_may_use_the_sequences_of_their_tables(
    empty_database: str, column: str, sequence: str
) -> None:
    migrate(empty_database)
    with connect(empty_database) as connection:
        connection.exec_driver_sql("CREATE SEQUENCE free")
        connection.exec_driver_sql(f"ALTER TABLE task ADD number {column}")
        connection.commit()
    migrate(empty_database)
    with connect(empty_database) as connection:
        connection.execute(text(f"SELECT set_config('role', {USER_ROLE}, true)"))
        assert connection.scalar(text("SELECT nextval(:sequence)"), {"sequence": sequence}) == 1
