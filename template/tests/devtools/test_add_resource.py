"""`add-resource`, in a copy of this project. The name is one that no project has."""

import shutil
import sys
from pathlib import Path

import pytest
from devtools.add_resource import add, install, main
from devtools.errors import DevtoolsError
from devtools.naming import Names, pluralize
from devtools.registration import register
from devtools.renaming import rename, rename_module

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "a project"
    without_bytecode = shutil.ignore_patterns("__pycache__")
    for folder in ("app", "tests/tasks"):
        shutil.copytree(ROOT / folder, root / folder, ignore=without_bytecode)
    shutil.copy(ROOT / "pyproject.toml", root)
    monkeypatch.chdir(root)
    return root


def contents(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_text("utf-8") for path in files}


def test_a_resource_is_new_files_and_one_entry_in_the_list_of_routers(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(project)
    monkeypatch.setattr(sys, "argv", ["add-resource", "odd_quokka"])
    assert main() == 0
    after = contents(project)

    changed = {name for name, text in before.items() if after[name] != text}
    assert changed == {"app/routers.py"}
    assert "from app.odd_quokkas.router import router as odd_quokkas" in after["app/routers.py"]

    new = after.keys() - before.keys()
    copied = {name.replace("tasks/", "odd_quokkas/") for name in before if "tasks/" in name}
    (migration,) = new - copied
    assert copied < new
    assert f"  {migration}\n" in capsys.readouterr().out
    assert "op.create_table(" in after[migration]
    assert after[migration].count("enable_row_security(") == 1
    assert not [name for name in copied if "task" in after[name].casefold()]
    assert '"""Creates an odd quokka of the caller."""' in after["app/odd_quokkas/router.py"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["Quokka"], "'Quokka' cannot name a resource"),
        (["q" * 31], "in at most 30 characters"),
        (["quokka", "--plural", "quokka/s"], "'quokka/s' cannot name"),
        (["quokkas"], "quokkas looks like a plural"),
        (["quokka", "--plural", "quokka"], "must differ from its singular"),
        (["class"], "class is a name of Python's own"),
        (["list"], "list is a name of Python's own"),
        (["exception"], "Exception is a name of Python's own"),
        (["task"], "app/tasks is there already"),
        (["error"], "app/errors.py is there already"),
        (["response"], "app/tasks/router.py uses response otherwise"),
        (["title"], "app/tasks/models.py uses Title otherwise"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    before = contents(project)
    monkeypatch.setattr(sys, "argv", ["add-resource", *arguments])
    assert main() == 1
    assert reason in capsys.readouterr().err
    assert contents(project) == before


def test_without_tasks_there_is_nothing_to_copy(project: Path) -> None:
    shutil.rmtree(project / "app/tasks")
    with pytest.raises(DevtoolsError, match="no app/tasks to copy"):
        add(Names.of("quokka"))


def test_tasks_that_do_not_work_leave_nothing_half_done(project: Path) -> None:
    (project / "app/tasks/models.py").write_text("import nothing_of_this_name\n")
    before = contents(project)
    with pytest.raises(DevtoolsError, match="nothing_of_this_name"):
        add(Names.of("quokka"))
    assert contents(project) == before


def test_with_two_heads_there_is_no_place_for_a_migration(project: Path) -> None:
    versions = project / "app/migrations/versions"
    (versions / "another.py").write_text('revision = "another"\ndown_revision = None\n')
    with pytest.raises(DevtoolsError, match="alembic merge heads"):
        add(Names.of("quokka"))


def test_a_failure_while_writing_leaves_nothing_half_done(project: Path, tmp_path: Path) -> None:
    (tmp_path / "stage/app/quokkas").mkdir(parents=True)
    before = contents(project)
    with pytest.raises(FileNotFoundError):
        install(tmp_path / "stage", [Path("app/quokkas"), Path("app/missing.py")])
    assert contents(project) == before
    assert not (project / "app/quokkas").exists()


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("note", "notes"),
        ("category", "categories"),
        ("key", "keys"),
        ("box", "boxes"),
        ("address", "addresses"),
        ("status", "statuses"),
        ("analysis", "analyses"),
        ("branch", "branches"),
        ("person", "people"),
        ("contact_person", "contact_people"),
        ("time_entry", "time_entries"),
    ],
)
def test_the_plural_is_the_regular_one_or_well_known(singular: str, plural: str) -> None:
    assert pluralize(singular) == plural


@pytest.mark.parametrize(
    ("source", "renamed"),
    [
        ("list_tasks(tasks, Tasks)", "list_time_entries(time_entries, TimeEntries)"),
        ('TASKS = "/api/v1/tasks"', 'TIME_ENTRIES = "/api/v1/time_entries"'),
        ('"""Tasks: a `TaskRead`."""', '"""Time entries: a `TimeEntryRead`."""'),
        ('"/{task_id}/toggle"', '"/{time_entry_id}/toggle"'),
        ("# one task", "# one time entry"),
        ("multitasking, taskbar, BackgroundTasks", "multitasking, taskbar, BackgroundTasks"),
    ],
)  # fmt: skip
def test_names_are_renamed_in_every_case_and_other_words_are_not(source: str, renamed: str) -> None:
    assert rename_module(source, Names("time_entry", "time_entries")) == renamed


@pytest.mark.parametrize(
    ("singular", "phrase"),
    [("note", "a note"), ("order", "an order"), ("user", "a user"), ("hour", "an hour")],
)
def test_the_article_fits_the_sound(singular: str, phrase: str) -> None:
    names = Names.of(singular)
    assert rename("a task", names) == phrase
    assert rename("test_a_task_is", names) == f"test_{phrase.replace(' ', '_')}_is"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ROUTERS = [tasks]", "ROUTERS = [tasks, notes]"),
        ("ROUTERS: list[APIRouter] = []  # ours", "ROUTERS: list[APIRouter] = [notes]  # ours"),
        ("ROUTERS = [\n  tasks,  # é\n  # z\n]", "ROUTERS = [\n  tasks,  # é\n  notes,\n  # z\n]"),
        ("ROUTERS = [\n  tasks # ours\n]", "ROUTERS = [\n  tasks, # ours\n  notes,\n]"),
    ],
)  # fmt: skip
def test_the_list_of_routers_keeps_its_form_and_comments(before: str, after: str) -> None:
    head = '"""Ours."""\n\nfrom app.tasks.router import router as tasks  # first\n'
    line = "from app.notes.router import router as notes\n"
    assert register(f"{head}\n{before}\n", "notes") == f"{head}{line}\n{after}\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("ROUTERS = make()\n", "no ROUTERS = "),
        ("from ours import notes\nROUTERS = [notes]\n", "imports notes already"),
    ],
)
def test_a_list_of_routers_that_cannot_be_added_to_is_refused(source: str, reason: str) -> None:
    with pytest.raises(DevtoolsError, match=reason):
        register(source, "notes")
