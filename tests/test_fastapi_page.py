"""The page about FastAPI's documentation: what it has in place of a session and a relationship."""

from pathlib import Path

import pytest

from hooks.rendering import ROOT, render
from tests.documents import steps
from tests.projects import Project, project_environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fastapi_page")]

PAGE = (ROOT / "docs/fastapi.md").read_text("utf-8")
TEST = """
import asyncio
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from kit.database import UserDatabase
from kit.models import UserId
from kit.testing.invariants import anonymous

from app.tasks.models import TaskCreate
from app.tasks.repository import TaskRepository


def test_the_steps_of_the_page(
    alice: httpx2.Client, bob: httpx2.Client, nobody: httpx2.Client
) -> None:
    assert nobody.get("/status").json() == "fine"
    project = alice.post("/api/v1/projects", json={"title": "Home"}).json()["id"]
    task = {"title": "Buy milk", "project_id": project}
    created = alice.post("/api/v1/tasks", json=task).json()
    details = f"/api/v1/tasks/{created['id']}/details"
    assert alice.get(details).json() == {**created, "project_id": project, "project_title": "Home"}
    assert bob.get(details).status_code == 404
    anothers = bob.post("/api/v1/tasks", json=task)
    missing = bob.post("/api/v1/tasks", json={**task, "project_id": str(uuid4())})
    assert anothers.status_code == missing.status_code == 409
    assert anonymous(anothers) == anonymous(missing)
    assert bob.post("/api/v1/tasks", json={"title": "Buy bread"}).status_code == 201
    assert alice.post("/api/v1/tasks/complete").json() == 1
    assert bob.get("/api/v1/tasks", params={"completed": True}).json()["items"] == []
    assert alice.delete(f"/api/v1/projects/{project}").status_code == 204
    assert alice.get("/api/v1/tasks").json()["items"] == []


def test_the_repository_of_the_page(app: FastAPI) -> None:
    asyncio.run(use(UserDatabase(app.state.database, UserId(f"user-{uuid4()}"))))


async def use(database: UserDatabase) -> None:
    tasks = TaskRepository(database)
    await tasks.replace_all(TaskCreate(title="a"), TaskCreate(title="b"))
    with pytest.raises(AttributeError):
        await tasks.replace_all(TaskCreate(title="c"), None)
    page = await tasks.page(completed=None, limit=9, cursor=None)
    assert [task.title for task in page.items] == ["b", "a"]
    details = await tasks.details(page.items[0].id)
    assert (details.title, details.project_title) == ("b", None)
"""


def test_what_the_page_has_in_place_of_a_session_and_a_relationship(
    template: Path, shared: Path, folder: Path
) -> None:
    project = Project(render(template, folder / "todo", {}), project_environment(shared))
    project.sync()
    project.uv_run("alembic", "upgrade", "head")
    for step in steps(PAGE):
        step.take(project)
    for command in ("ruff check", "ruff format --check", "mypy"):
        project.uv_run(*command.split(), "app", "tests")
    (project.root / "tests/test_page.py").write_text(TEST, "utf-8")
    project.uv_run("pytest")
