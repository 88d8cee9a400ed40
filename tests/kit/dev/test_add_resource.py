"""`add-resource`, in a copy of this project. The names are ones that no project has."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.dev.add_resource import main, register, rename

ROOT = Path.cwd()

Add = Callable[..., None]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("app", "tests/tasks"):
        without_bytecode = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=without_bytecode)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Add:
    def run(*names: str) -> None:
        monkeypatch.setattr(sys, "argv", ["add-resource", *names])
        main()

    return run


def contents(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file() and ".ruff_cache" not in path.parts)
    return {str(path.relative_to(root)): path.read_text("utf-8") for path in files}


def test_a_resource_is_new_files_and_one_router_more(
    add: Add, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(project)
    add("odd_quokka")
    after = contents(project)

    assert {name for name, text in before.items() if after[name] != text} == {"app/resources.py"}
    assert "from app.odd_quokkas.router import router as odd_quokkas" in after["app/resources.py"]
    assert "ROUTERS = [odd_quokkas, tasks]" in after["app/resources.py"]

    new = after.keys() - before.keys()
    assert new == {rename(name, "odd_quokka", "odd_quokkas") for name in before if "tasks" in name}
    assert not [name for name in new if "task" in after[name].casefold()]
    assert "class OddQuokka(OddQuokkaBase" in after["app/odd_quokkas/models.py"]
    assert '"""Creates an odd_quokka of the caller.' in after["app/odd_quokkas/router.py"]
    said = capsys.readouterr().out
    assert 'uv run alembic revision --autogenerate -m "create odd_quokka"' in said


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["Quokka"], "'Quokka' cannot be used: take 2 to 29 of a-z"),
        (["_quokka"], "'_quokka' cannot be"),
        (["q" * 31], "cannot be"),
        (["quokka", "quokka/s"], "'quokka/s' cannot be"),
        (["quokka", "quokka"], "'quokka' cannot be used: .* the plural differs"),
        (["class", "classes"], "class is already used by Python"),
        (["request"], "request is already used by Python or by tasks"),
        (["task"], "app/tasks already exists"),
        (["setting"], "app/settings.py already exists"),
        (["settings", "many_settings"], "app/settings.py already exists"),
    ],
)
def test_names_that_cannot_be_are_refused(
    add: Add, project: Path, names: list[str], reason: str
) -> None:
    before = contents(project)
    with pytest.raises(SystemExit, match=reason):
        add(*names)
    assert contents(project) == before


def test_nothing_is_overwritten(add: Add, project: Path) -> None:
    (project / "tests/quokkas").mkdir()
    (project / "tests/quokkas/conftest.py").write_text("")
    before = contents(project)
    with pytest.raises(SystemExit, match="tests/quokkas already exists"):
        add("quokka")
    assert contents(project) == before


def test_without_tasks_there_is_nothing_to_copy(add: Add, project: Path) -> None:
    for source in (project / "app/tasks").glob("*.py"):
        source.unlink()
    (project / "app/tasks/__pycache__").mkdir()  # which git does not delete
    before = contents(project)
    with pytest.raises(SystemExit, match="no app/tasks to copy"):
        add("quokka")
    assert contents(project) == before


def test_a_folder_that_git_has_emptied_is_free(add: Add, project: Path) -> None:
    (project / "app/quokkas/__pycache__").mkdir(parents=True)
    add("quokka")
    assert (project / "app/quokkas/router.py").exists()


def test_without_a_list_of_routers_nothing_is_half_done(add: Add, project: Path) -> None:
    (project / "app/resources.py").write_text("from app.tasks.router import router\n")
    before = contents(project)
    with pytest.raises(SystemExit, match="no list `ROUTERS"):
        add("quokka")
    assert contents(project) == before


@pytest.mark.parametrize(
    ("source", "renamed"),
    [
        ("list_tasks(tasks, Tasks)", "list_time_entries(time_entries, TimeEntries)"),
        ('TASKS = "/api/v1/tasks"', 'TIME_ENTRIES = "/api/v1/time_entries"'),
        ('"/{task_id}/toggle"', '"/{time_entry_id}/toggle"'),
        ("test_a_task_is_one", "test_a_time_entry_is_one"),
        ("multitasking, taskbar, BackgroundTasks", "multitasking, taskbar, BackgroundTasks"),
    ],
)
def test_tasks_are_renamed_in_every_spelling_and_other_words_are_not(
    source: str, renamed: str
) -> None:
    assert rename(source, "time_entry", "time_entries") == renamed


@pytest.mark.parametrize(
    ("name", "phrase"),
    [("note", "a note"), ("invoice", "an invoice"), ("user", "a user"), ("order", "an order")],
)
def test_the_article_fits(name: str, phrase: str) -> None:
    assert rename("a task: A task", name, f"{name}s") == f"{phrase}: {phrase.capitalize()}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ROUTERS = [tasks]", "ROUTERS = [notes, tasks]"),
        ("ROUTERS: list[APIRouter] = []  # ours", "ROUTERS: list[APIRouter] = [notes, ]  # ours"),
        ("ROUTERS = [\n    tasks,  # [é]\n]", "ROUTERS = [notes, \n    tasks,  # [é]\n]"),
    ],
)
def test_the_list_of_routers_keeps_its_comments(before: str, after: str) -> None:
    head = '"""From here."""\n\n'
    line, first = "from app.notes.router import router as notes\n", "from app import x\n"
    assert register(f"{head}{first}{before}\n", "notes") == f"{head}{line}{first}{after}\n"
