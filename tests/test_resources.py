"""`uv run add-resource` in a rendered project, and the documentation's walk on from there."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from hooks.rendering import ROOT, render
from tests.documents import steps
from tests.projects import UV, Project, project_environment
from tests.repositories import commit
from tests.servers import running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("resources")]

# Regular and irregular plurals, two words, words of SQL, and the longest.
NAMES = {
    "category": "categories",
    "person": "people",
    "time_entry": "time_entries",
    "order": "orders",
    "user": "users",
    "long_name_of_twenty_nine_char": "long_name_of_twenty_nine_chars",
}


@pytest.fixture(scope="module")
def rendered(template: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = render(template, tmp_path_factory.mktemp("rendered") / "todo service", {})
    project = Project(root, project_environment(shared))
    project.sync()
    commit(root, "Start")
    return project


@pytest.fixture
def project(rendered: Project) -> Iterator[Project]:
    """The project as it was rendered, before and after the test."""
    yield rendered
    rendered.run("git", "reset", "--quiet", "--hard")
    rendered.run("git", "clean", "--quiet", "-fd")  # bytecode stays, as where people work


def test_resources_pass_every_check_at_once_and_change_no_file_of_the_template(
    project: Project,
) -> None:
    for singular, plural in NAMES.items():
        said = project.uv_run("add-resource", singular)
        assert f"/api/v1/{plural}:" in said
    changed = project.run("git", "diff", "--name-only").splitlines()
    assert changed == ["app/routers.py"]
    project.check()
    project.uv_run("pytest")


def test_a_new_resource_is_served_to_its_owner_alone(project: Project) -> None:
    project.uv_run("add-resource", "note")
    command = [UV, "run", "--no-sync", "dev", "--port", "{port}"]
    with running(command, project.root, project.environment, "X-User-ID") as server:
        notes = f"{server.url}/api/v1/notes"
        alice, bob = ({"X-User-ID": name} for name in ("alice", "bob"))
        created = httpx2.post(notes, headers=alice, json={"title": "Hello"})
        assert created.status_code == 201
        at = server.url + created.headers["Location"]
        assert httpx2.get(at, headers=alice).json() == created.json()
        assert httpx2.get(at, headers=bob).status_code == 404
        assert httpx2.get(notes, headers=bob).json()["items"] == []
    project.uv_run("alembic", "downgrade", "-1")


def test_the_commands_that_it_prints_undo_it(project: Project) -> None:
    said = project.uv_run("add-resource", "note")
    undo = "\n".join(re.findall(r"^  (git .*)$", said, re.MULTILINE))
    project.uv_run("alembic", "upgrade", "head")
    project.uv_run("alembic", "downgrade", "-1")
    project.run("bash", "-euc", undo)
    assert project.run("git", "status", "--porcelain") == ""
    assert not (project.root / "app/notes").exists()


def test_what_is_there_is_never_overwritten(project: Project) -> None:
    project.uv_run("add-resource", "note")
    before = project.run("git", "status", "--porcelain", "-uall")
    with pytest.raises(AssertionError, match="app/notes is there already"):
        project.uv_run("add-resource", "note")
    assert project.run("git", "status", "--porcelain", "-uall") == before


def test_the_walk_of_the_documentation_arrives(project: Project) -> None:
    page = (ROOT / "docs/add-a-resource.md").read_text("utf-8")
    for step in steps(page):
        step.take(project)
    project.check()
    (shown,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (written,) = project.root.glob("app/migrations/versions/*_add_due_date_to_note.py")
    assert shown in written.read_text("utf-8")
    project.uv_run("alembic", "downgrade", "-2")
