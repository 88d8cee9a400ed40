"""`copier update` brings a release into a project that its team has changed, without trust."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import copier
import pytest
import yaml
from copier.errors import UnsafeTemplateError

from hooks.rendering import ROOT, configuration, render
from tests.documents import section, steps
from tests.projects import Project, project_environment
from tests.repositories import commit, git, release

PAGE = (ROOT / "docs/update.md").read_text("utf-8")
WRITTEN_ONCE = [path.removeprefix("/") for path in configuration()["_skip_if_exists"]]
MERGED = ".pre-commit-config.yaml"


def append(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text('utf-8')}{line}\n", "utf-8")


def update(project: Path, **answers: object) -> None:
    copier.run_update(project, data=answers, defaults=True, overwrite=True, quiet=True)


@pytest.fixture
def released(template: Path, tmp_path: Path) -> Path:
    """The template as a repository with one release: the working tree."""
    root = shutil.copytree(template, tmp_path / "template")
    release(root, "v1.0.0")
    return root


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    root = render(released, tmp_path / "project", {"project_name": "Ours"})
    commit(root, "Start")
    return root


def documented(name: str, project: Path, shared: Path, **environment: str) -> str:
    """Take the steps of a section of the documentation, in the project."""
    here = Project(project, project_environment(shared) | environment)
    return "".join(step.take(here) for step in steps(section(PAGE, name)))


def test_an_update_changes_the_kit_and_leaves_the_teams_own_alone(
    released: Path, project: Path
) -> None:
    append(project / "app/main.py", "# ours")
    append(project / "tests/conftest.py", "# ours")
    (project / "uv.lock").write_text("# ours\n")
    git(project, "mv", "app/tasks", "app/todos")
    git(project, "rm", "-r", "--quiet", "tests/tasks")
    commit(project, "Ours")
    for name in (
        "app/main.py",
        "app/tasks/router.py",
        "tests/conftest.py",
        "kit/src/kit/health.py",
    ):
        append(released / "template" / name, "# the template's")
    for name in ("app/new.py", "tests/new.py", "kit/src/kit/new.py"):
        (released / "template" / name).write_text("# the template's\n")
    release(released, "v1.1.0")

    update(project)

    assert git(project, "status", "--porcelain").splitlines() == [
        " M .copier-answers.yml",
        " M kit/src/kit/health.py",
        "?? kit/src/kit/new.py",
    ]
    assert "_commit: v1.1.0" in (project / ".copier-answers.yml").read_text("utf-8")
    assert git(project, "diff", "kit").endswith("\n+# the template's\n")


@pytest.mark.parametrize("name", [MERGED, "kit/src/kit/health.py"])
def test_both_sides_may_change_a_file_that_is_merged(
    released: Path, project: Path, name: str
) -> None:
    append(project / name, "# ours")
    commit(project, "Ours")
    file = released / "template" / name
    file.write_text(f"# the template's\n{file.read_text('utf-8')}", "utf-8")
    release(released, "v1.1.0")
    update(project)
    merged = (project / name).read_text("utf-8").splitlines()
    assert (merged[0], merged[-1]) == ("# the template's", "# ours")


def test_the_documentation_says_which_files_are_written_once() -> None:
    rows = re.findall(r"^\| `(.+?)` \| you \| written once", PAGE, re.MULTILINE)
    assert rows == WRITTEN_ONCE


@pytest.mark.parametrize("again", [copier.run_update, copier.run_recopy])
def test_files_that_are_the_teams_are_written_once(
    released: Path, project: Path, again: Callable[..., object]
) -> None:
    names = ("app/main.py", "tests/conftest.py", "README.md")
    for name in names:
        (project / name).write_text("# ours\n")
        (source,) = (released / "template").glob(f"{name}*")
        append(source, "# the template's")
    commit(project, "Ours")
    release(released, "v1.1.0")
    again(project, defaults=True, overwrite=True, quiet=True)
    assert [(project / name).read_text("utf-8") for name in names] == ["# ours\n"] * len(names)


def test_a_conflict_is_found_by_the_documented_command(
    released: Path, project: Path, shared: Path
) -> None:
    for file in (project / MERGED, released / "template" / MERGED):
        append(file, f"# {file}")
    commit(project, "Ours")
    release(released, "v1.1.0")
    update(project)
    assert "git diff --check\n" in section(PAGE, "Update")
    found = subprocess.run(
        ["git", "diff", "--check"], cwd=project, capture_output=True, text=True, check=False
    )
    assert found.returncode != 0
    assert MERGED in found.stdout
    documented("Conflicts", project, shared, TEMPLATE=str(released))
    assert (project.parent / "as-rendered" / MERGED).is_file()


def test_another_answer_changes_what_depends_on_it(project: Path, shared: Path) -> None:
    append(project / ".env.example", "OURS=1")
    commit(project, "Ours")
    documented("Change an answer", project, shared)
    settings = (project / ".env.example").read_text("utf-8").splitlines()
    assert "USER_ID_HEADER=Remote-User" in settings
    assert "OURS=1" in settings
    stored = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert stored["user_id_header"] == "Remote-User"
    assert stored["project_name"] == "Ours"


def test_a_project_takes_the_next_release_of_a_template_that_has_moved(
    released: Path, project: Path, tmp_path: Path
) -> None:
    moved = released.rename(tmp_path / "moved")
    answers = project / ".copier-answers.yml"
    (name,) = re.findall(r"`(_\w+)`", section(PAGE, "If the template has moved"))
    text = answers.read_text("utf-8")
    answers.write_text(text.replace(f"{name}: {released}\n", f"{name}: {moved}\n"), "utf-8")
    commit(project, "Moved")
    append(moved / "template" / MERGED, "# new")
    release(moved, "v1.1.0")
    update(project)
    assert (project / MERGED).read_text("utf-8").endswith("# new\n")


def test_recopy_keeps_what_is_the_teams_own(project: Path, shared: Path) -> None:
    append(project / MERGED, "# ours")
    append(project / "app/resources.py", "# ours")
    (project / "app/invoices.py").write_text("# ours\n")
    commit(project, "Ours")
    shown = documented("Start over", project, shared)
    assert "-# ours" in shown
    assert git(project, "diff", "--name-only").splitlines() == [MERGED]
    assert "project_name: Ours" in (project / ".copier-answers.yml").read_text("utf-8")


def test_many_projects_share_answers_and_learn_of_releases(
    released: Path, tmp_path: Path, shared: Path
) -> None:
    (answers,) = re.findall(r"```yaml\n# answers.yml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "answers.yml").write_text(answers)
    here = Project(tmp_path, project_environment(shared) | {"TEMPLATE": str(released)})
    copy, check = steps(section(PAGE, "Many projects"))
    copy.take(here)
    shop = Project(tmp_path / "shop-todos", here.environment)
    stored = yaml.safe_load((shop.root / ".copier-answers.yml").read_text("utf-8"))
    assert yaml.safe_load(answers).items() <= stored.items()
    assert stored["project_name"] == "Shop todos"

    commit(shop.root, "Start")
    check.take(shop)
    release(released, "v1.1.0")
    with pytest.raises(AssertionError):
        check.take(shop)


def test_a_step_in_existing_projects_runs_where_it_is_trusted(
    released: Path, project: Path
) -> None:
    """As docs/releasing.md has it: at the update that crosses its version, and at no other."""
    page = (ROOT / "docs/releasing.md").read_text("utf-8")
    (step,) = re.findall(r"```yaml\n(_migrations:.*?)```", page, re.DOTALL)
    append(released / "copier.yml", f"\n{step}")
    (released / "hooks/v2_0_0.py").write_text("open('stepped', 'a').write('once')\n")
    release(released, "v1.9.0")
    update(project)
    commit(project, "1.9.0")
    release(released, "v2.0.0")
    with pytest.raises(UnsafeTemplateError):
        update(project)
    assert git(project, "status", "--porcelain") == ""
    for _ in range(2):
        copier.run_update(project, defaults=True, overwrite=True, quiet=True, unsafe=True)
        commit(project, "2.0.0")
    assert (project / "stepped").read_text() == "once"
