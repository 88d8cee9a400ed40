"""The page about code outside a request: its modules work as they stand, each for one user."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import psycopg2
import pytest
from psycopg2 import sql

from hooks.rendering import ROOT, render
from tests.documents import section, steps
from tests.projects import DEV, Project, project_environment
from tests.servers import NO_TLS, Server, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scripts")]

PAGE = (ROOT / "docs/scripts.md").read_text("utf-8")
FASTAPI = (ROOT / "docs/fastapi.md").read_text("utf-8")
MODULE = re.compile(r"^`(app/\w+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROWS = sql.SQL("SELECT to_jsonb({0}) FROM {0} ORDER BY user_id, id")
URL = """
from pathlib import Path
from kit.dev.postgres import Server

print(Server(Path(".postgres")).url())
"""


@pytest.fixture
def project(template: Path, shared: Path, folder: Path) -> Project:
    project = Project(render(template, folder / "todo", {}), project_environment(shared))
    for path, source in MODULE.findall(PAGE):
        (project.root / path).write_text(source, "utf-8")
    project.sync()
    return project


@contextmanager
def served(project: Project) -> Iterator[tuple[Server, Project]]:
    """The project while `dev` runs, and where its database is known."""
    with running(DEV, project.root, project.environment, "X-User-ID") as server:
        url = project.uv_run("python", "-c", URL).strip()
        settings = {"DATABASE_URL": url, "USER_ID_HEADER": "X-User-ID"}
        yield server, replace(project, environment={**project.environment, **settings})


def test_the_modules_of_the_page_act_for_their_user_alone(project: Project) -> None:
    for command in ("ruff check", "ruff format --check", "mypy"):
        project.uv_run(*command.split(), "app", "tests")
    with served(project) as (server, here):
        server.add("bob", "Buy milk")

        (seed,) = steps(section(PAGE, "Run code for a user"))
        seed.take(here)
        assert server.tasks("alice") == ["Write a task of your own", "Look around"]

        (forget,) = steps(section(PAGE, "Delete the data of a user"))
        assert forget.take(here).splitlines()[-1] == "{'task': 2}"
        assert server.tasks("alice") == []
        assert server.tasks("bob") == ["Buy milk"]


def test_nothing_of_a_user_stays_in_any_table_and_everything_of_another(project: Project) -> None:
    """Also where rows refer to rows which are not deleted with them."""
    *relate, migrate = steps(section(FASTAPI, "A Relationship"))
    for step in relate:
        step.take(project)
    models = project.root / "app/tasks/models.py"
    without = models.read_text("utf-8").replace(', "project", cascade=True)', ', "project")')
    models.write_text(without, "utf-8")
    project.uv_run("add-resource", "note")
    project.uv_run("alembic", "upgrade", "head")
    migrate.take(project)
    with served(project) as (server, here):
        for user in ("alice", "bob"):
            fill(server, user)
        before = rows(here)
        for table in ("note", "project", "task"):
            assert [row["user_id"] for row in before[table]] == ["alice", "bob"]
        (forget,) = steps(section(PAGE, "Delete the data of a user"))
        forget.take(here)
        assert rows(here) == {
            table: [row for row in found if row["user_id"] == "bob"]
            for table, found in before.items()
        }


def fill(server: Server, user: str) -> None:
    """Something in each table, and a task that refers to a project."""
    with httpx2.Client(headers={"X-User-ID": user}, verify=NO_TLS) as client:

        def create(path: str, **fields: str) -> Any:
            created = client.post(f"{server.url}/api/v1/{path}", json={"title": user, **fields})
            assert created.status_code == 201, created.text
            return created.json()

        create("notes")
        create("tasks", project_id=create("projects")["id"])


def rows(project: Project) -> dict[str, list[dict[str, Any]]]:
    """Everything in each table that has owners, as the owner of the tables sees it."""
    url = project.environment["DATABASE_URL"]
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'user_id' AND table_schema = 'public'"
        )
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(ROWS.format(sql.Identifier(table)))
            found[table] = [row for (row,) in cursor.fetchall()]
        return found
