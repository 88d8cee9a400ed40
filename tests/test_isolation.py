"""No user ever sees or changes another's task: proven on a rendered project, and on broken ones.

Two layers say so, the filters in the repository and row security in the database. Each is broken
in turn, by a change to the source: the other one holds, and the project's own tests notice.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from hooks.rendering import ROOT, render
from tests.contract.conftest import SERVE
from tests.many_users import ManyUsers
from tests.projects import (
    UV,
    Project,
    migrated_database,
    passable_folder,
    project_environment,
)
from tests.servers import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="uses signals"),
    pytest.mark.xdist_group("isolation"),
]

DEBIAN = Path("/usr/lib/postgresql/15/bin")

HEADER = "X-Subject"
OF_THE_KIT = "tests/kit/test_isolation.py"
WALK = f"{OF_THE_KIT}::test_users_see_exactly_what_they_have_written"
INVARIANTS = "tests/test_invariants.py"
OVER_HTTP = (
    WALK,
    f"{OF_THE_KIT}::test_users_at_the_same_time_leave_nothing_on_a_connection",
    f"{OF_THE_KIT}::test_neither_answers_nor_logs_tell_of_anothers_task",
    INVARIANTS,
    "tests/tasks",
)
IN_THE_DATABASE = "tests/kit/test_row_security.py"
STATEMENTS = f"{INVARIANTS}::test_each_statement_names_the_user"
CATALOGUE = f"{INVARIANTS}::test_every_table_of_users_keeps_them_apart"


@dataclass(frozen=True)
class Mutation:
    file: str
    text: str
    instead: str

    def apply(self, root: Path) -> None:
        source = (root / self.file).read_text("utf-8")
        assert source.count(self.text) == 1, f"{self.file} has changed: {self.text}"
        (root / self.file).write_text(source.replace(self.text, self.instead), "utf-8")


AFTER = 'col(Task.id) < bindparam("cursor")'
BY_ID = 'col(Task.id) == bindparam("this_id")'


def unfiltered(statement: str, filters: str = "*OF_USER_BY_ID", instead: str = BY_ID) -> Mutation:
    where = f"{statement}.where("
    return Mutation("app/tasks/repository.py", f"{where}{filters})", f"{where}{instead})")


FILTERS = {
    "list": unfiltered("select(Task)\n    ", "OF_USER, " + AFTER, AFTER),
    "get": unfiltered("select(Task)"),
    "update": unfiltered("update(Task)"),
    "delete": unfiltered("delete(Task)"),
}

ROW_SECURITY = "kit/src/kit/row_security.sql"
OPEN = Mutation(
    ROW_SECURITY,
    "USING (user_id = nullif(current_setting('app.user_id', true), ''))",
    "USING (true)",
)
DISABLED = Mutation(ROW_SECURITY, "ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY")
SKIPPED = Mutation(ROW_SECURITY, "ARRAY[TABLES]", "ARRAY[]")
# Without row security the project's tests stop before the first: here they go on.
NOT_STOPPED = Mutation(
    "kit/src/kit/testing/fixtures.py", 'assert ready.is_success, ready.json()["detail"]', "pass"
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def project(template: Path, shared: Path, folder: Path) -> Project:
    root = render(template, folder / "todo-service", {"user_id_header": HEADER})
    shutil.copytree(ROOT / "tests/kit", root / "tests/kit")
    project = Project(root, project_environment(shared))
    project.sync()
    return project


@contextmanager
def mutated(project: Project, *mutations: Mutation) -> Iterator[None]:
    files = {project.root / mutation.file for mutation in mutations}
    originals = {file: file.read_text("utf-8") for file in files}
    try:
        for mutation in mutations:
            mutation.apply(project.root)
        yield
    finally:
        for file, original in originals.items():
            file.write_text(original, "utf-8")


def run(project: Project, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [UV, "run", "--no-sync", *command],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def failures(project: Project, *tests: str) -> set[str]:
    """The tests that fail, without their parameters."""
    done = run(project, "pytest", "--tb=no", "-p", "no:cacheprovider", *tests)
    failed = set(re.findall(r"^(?:FAILED|ERROR) ([\w/.:]+)", done.stdout, re.MULTILINE))
    assert done.returncode == bool(failed), done.stdout + done.stderr
    return failed


@contextmanager
def serving(project: Project) -> Iterator[httpx2.Client]:
    """By one process, as in production."""
    with migrated_database(project) as url:
        environment = {**project.environment, "DATABASE_URL": url, "USER_ID_HEADER": HEADER}
        with (
            running(SERVE, project.root, environment, HEADER) as server,
            httpx2.Client(base_url=server.url) as client,
        ):
            yield client


def test_many_users_see_exactly_what_each_has_written(project: Project) -> None:
    thorough = settings(
        max_examples=20,
        stateful_step_count=40,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    with serving(project) as gateway:
        machine = type("Users", (ManyUsers,), {"gateway": gateway, "header": HEADER})
        run_state_machine_as_test(machine, settings=thorough)


LONG = """
from tests.kit.test_isolation import hammer, left_on_connections

def test_long(app, service):
    hammer(service, users=16, rounds=25)
    assert left_on_connections(app.state.database) == {(True, "", True)}
"""


def test_many_users_at_the_same_time_leave_nothing_on_a_connection(project: Project) -> None:
    (project.root / "tests/test_long.py").write_text(LONG)
    assert not failures(project, "tests/test_long.py")


def test_there_is_a_mutation_for_each_filter(project: Project) -> None:
    repository = project.root / "app/tasks/repository.py"
    with mutated(project, *FILTERS.values()):
        found = re.findall(r"^.*\bOF_USER.*$", repository.read_text("utf-8"), re.MULTILINE)
    assert found == ["OF_USER = col(Task.user_id) == OWNER", f"OF_USER_BY_ID = (OF_USER, {BY_ID})"]


def test_row_security_holds_without_any_filter_and_a_test_notices(project: Project) -> None:
    """So it holds without one of them, too: each is a statement of its own."""
    with mutated(project, *FILTERS.values()):
        assert failures(project, *OVER_HTTP, OF_THE_KIT, IN_THE_DATABASE) == {STATEMENTS}


@pytest.mark.parametrize("name", FILTERS)
def test_a_test_names_the_statement_without_its_filter(project: Project, name: str) -> None:
    with mutated(project, FILTERS[name]):
        said = run(project, "pytest", STATEMENTS).stdout
    assert f"app/tasks/repository.py: {name.upper()} names no OWNER" in said


@pytest.mark.parametrize("mutation", [OPEN, DISABLED], ids=["open", "disabled"])
def test_the_filters_hold_without_row_security_and_a_test_notices(
    project: Project, mutation: Mutation
) -> None:
    with mutated(project, mutation, NOT_STOPPED):
        assert failures(project, *OVER_HTTP) == {CATALOGUE}


def test_a_table_that_is_not_secured_serves_nobody(project: Project) -> None:
    with mutated(project, SKIPPED, NOT_STOPPED):
        failed = failures(project, "tests/tasks", CATALOGUE)
    assert {CATALOGUE, "tests/tasks/test_tasks.py::test_a_deleted_task_is_gone"} <= failed


@pytest.mark.parametrize("mutation", FILTERS.values(), ids=list(FILTERS))
def test_with_neither_layer_the_projects_own_tests_fail(
    project: Project, mutation: Mutation
) -> None:
    with mutated(project, OPEN, mutation):
        assert failures(project, WALK) == {WALK}


MISTAKES = """
from app.tasks.repository import TaskRepository
from kit.database import Database, UserDatabase


def mistakes(database: Database, user_id: str) -> None:
    UserDatabase(database, "alice")
    UserDatabase(database, user_id)
    TaskRepository(database)
    TaskRepository(user_id)
    TaskRepository()
"""


def test_types_refuse_a_user_that_nobody_vouches_for(project: Project) -> None:
    (project.root / "app/mistakes.py").write_text(MISTAKES)
    said = run(project, "mypy", "app/mistakes.py").stdout
    (project.root / "app/mistakes.py").unlink()
    lines = re.findall(r"^app/mistakes.py:(\d+): error", said, re.MULTILINE)
    assert lines == ["7", "8", "9", "10", "11"], said


ON_DEBIAN = f"""
from pathlib import Path

from kit.dev import postgres

LOCALE = "--locale-provider=builtin --builtin-locale=C.UTF8"
assert LOCALE in postgres.RUN
postgres.RUN = postgres.RUN.replace(LOCALE, "--locale=C.UTF-8")
postgres.Server._find_programs = lambda self: Path("{DEBIAN}")
"""
VERSION = """
from kit.database_url import parse_url
from sqlalchemy import create_engine, text

def test_version(database_url):
    with create_engine(parse_url(database_url)).connect() as connection:
        assert connection.scalar(text("SHOW server_version")).startswith("15.")
"""


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs Debian's postgresql-15")
def test_it_all_holds_on_debians_postgresql(project: Project) -> None:
    (project.root / "on_debian.py").write_text(ON_DEBIAN)
    (project.root / "tests/test_version.py").write_text(VERSION)
    environment = {**project.environment, "PYTHONPATH": str(project.root)}
    debian = replace(project, environment=environment)
    tests = ["tests/test_version.py", OF_THE_KIT, "tests/kit/test_database.py", IN_THE_DATABASE]
    assert not failures(debian, "-p", "on_debian", *tests, INVARIANTS, "tests/tasks")
