"""`uv run add-resource` in a rendered project, and the documentation's walk on from there."""

import re
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT

import httpx2
import pytest

from hooks.rendering import ROOT, render
from tests.descriptions import parts, undescribed
from tests.documents import Step, section, steps
from tests.projects import DEV, Project, project_environment
from tests.repositories import commit
from tests.servers import running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("resources")]

# Two words, words of SQL, an irregular plural, and the longest.
NAMES = {
    "time_entry": "time_entries",
    "order": "orders",
    "person": "people",
    "long_name_of_twenty_nine_char": "long_name_of_twenty_nine_chars",
}

# Three fields more, as somebody would edit what `add-resource` has copied.
FIELDS = {
    "models.py": {
        "from typing import Annotated": """\
from datetime import date
from typing import Annotated, Any""",
        "from sqlmodel import": """\
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import""",
        'description="Whether the invoice is done.")]\n': """\
description="Whether the invoice is paid.")]
DueOn = Annotated[date | None, Field(description="When it has to be paid.")]
Number = Annotated[NonBlankText, Field(max_length=20, description="What the customer calls it.")]
Extra = Annotated[dict[str, Any] | None, Field(sa_type=JSONB, description="Anything else.")]
""",
        "    completed: Completed = False\n": """\
    completed: Completed = False
    due_on: DueOn = None
    number: Number = "0"
    extra: Extra = None
""",
        "    completed: Completed | MISSING = MISSING\n": """\
    completed: Completed | MISSING = MISSING
    due_on: DueOn | MISSING = MISSING
    number: Number | MISSING = MISSING
    extra: Extra | MISSING = MISSING
""",
    },
    "test_invoices.py": {
        '"completed": False}': '"completed": False, "due_on": None, "number": "0", "extra": None}',
    },
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
    rendered.run("git", "clean", "--quiet", "-ffdx", "app", "tests")


def test_what_it_prints_leads_to_a_resource_with_fields_of_its_own(project: Project) -> None:
    said = project.uv_run("add-resource", "invoice")
    edit(project.root / "app/invoices", "models.py")
    edit(project.root / "tests/invoices", "test_invoices.py")
    commands = re.findall(r"^  (uv run .*)$", said, re.MULTILINE)
    assert commands[-1] == "uv run pytest"
    for command in commands:
        Step("sh", command).take(project)
    project.check()
    changed = project.run("git", "status", "--porcelain", "-uall").splitlines()
    assert [line for line in changed if not line.startswith("??")] == [" M app/resources.py"]
    (revision,) = project.root.glob("app/migrations/versions/*_create_invoice.py")
    assert '"due_on"' in revision.read_text("utf-8")
    project.uv_run("alembic", "downgrade", "-1")


def edit(folder: Path, name: str) -> None:
    source = (folder / name).read_text("utf-8")
    for before, after in FIELDS[name].items():
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    (folder / name).write_text(source, "utf-8")


def test_resources_of_any_name_pass_every_check(project: Project) -> None:
    for names in NAMES.items():
        project.uv_run("add-resource", *names)
    project.check()
    for command in ("upgrade head", "revision --autogenerate -m more", "upgrade head"):
        project.uv_run("alembic", *command.split())
    project.uv_run("pytest")
    project.uv_run("alembic", "downgrade", "-1")


def test_a_new_resource_is_served_to_its_owner_alone(project: Project) -> None:
    project.uv_run("add-resource", "note")
    project.uv_run("alembic", "upgrade", "head")
    project.uv_run("alembic", "revision", "--autogenerate", "-m", "create note")
    with running(DEV, project.root, project.environment, "X-User-ID") as server:
        notes = f"{server.url}/api/v1/notes"
        alice, bob = ({"X-User-ID": name} for name in ("alice", "bob"))
        created = httpx2.post(notes, headers=alice, json={"title": "Hello"})
        assert created.status_code == 201
        at = server.url + created.headers["Location"]
        assert httpx2.get(at, headers=alice).json() == created.json()
        assert httpx2.get(at, headers=bob).status_code == 404
        assert httpx2.get(notes, headers=bob).json()["items"] == []
        document = httpx2.get(f"{server.url}/openapi.json").json()
        assert server.signal(SIGINT) == 0
    assert undescribed(document) == []
    said = [part["description"] for name, part in parts(document) if "note" in name.casefold()]
    assert [text for text in said if "task" in text.casefold()] == []
    project.uv_run("alembic", "downgrade", "-1")


def test_what_is_there_is_never_overwritten(project: Project) -> None:
    project.uv_run("add-resource", "note")
    before = project.run("git", "status", "--porcelain", "-uall")
    with pytest.raises(AssertionError, match="app/notes already exists"):
        project.uv_run("add-resource", "note")
    assert project.run("git", "status", "--porcelain", "-uall") == before


def test_the_walk_of_the_documentation_arrives(project: Project) -> None:
    page = (ROOT / "docs/add-a-resource.md").read_text("utf-8")
    *walk, last = steps(page)
    for step in walk:
        step.take(project)
    project.check()
    versions = project.root / "app/migrations/versions"
    assert list(versions.glob("*_create_note.py"))
    drop_tasks(*versions.glob("*_create_task.py"), *versions.glob("*_drop_task.py"))
    last.take(project)
    project.check()
    project.uv_run("alembic", "downgrade", "base")


def drop_tasks(create: Path, drop: Path) -> None:
    """What the page says of the revision."""
    (upgrade,) = re.findall(r"def upgrade.*?:\n(.*?)\n\n\n", create.read_text("utf-8"), re.DOTALL)
    head, _, _ = drop.read_text("utf-8").partition("def upgrade")
    body = 'def upgrade() -> None:\n    op.drop_table("task")\n\n\ndef downgrade() -> None:\n'
    drop.write_text(f"{head}{body}{upgrade}\n", "utf-8")


def test_the_documentation_quotes_what_alembic_refuses_and_leads_on(project: Project) -> None:
    page = section((ROOT / "docs/add-a-resource.md").read_text("utf-8"), "If Alembic refuses")
    behind, unknown, ambiguous, heads = re.findall(r"^\| `(.+?)`.* \| ", page, re.MULTILINE)
    (merge,) = re.findall(r"`(uv run alembic merge .+?)`", page)
    project.uv_run("alembic", "upgrade", "head")
    project.uv_run("alembic", "revision", "-m", "ours")
    with pytest.raises(AssertionError, match=behind):
        project.uv_run("alembic", "revision", "--autogenerate", "-m", "more")
    project.uv_run("alembic", "upgrade", "head")
    (ours,) = project.root.glob("app/migrations/versions/*_ours.py")
    away = ours.rename(project.root / "ours.py")
    with pytest.raises(AssertionError, match=unknown):
        project.uv_run("alembic", "upgrade", "head")
    project.uv_run("alembic", "revision", "-m", "theirs")
    away.rename(ours)
    with pytest.raises(AssertionError, match=heads):
        project.uv_run("alembic", "upgrade", "head")
    Step("sh", merge).take(project)
    project.uv_run("alembic", "upgrade", "head")
    with pytest.raises(AssertionError, match=ambiguous):
        project.uv_run("alembic", "downgrade", "-1")
    project.uv_run("alembic", "downgrade", "base")
