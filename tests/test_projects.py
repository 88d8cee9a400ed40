"""A rendered project passes its own checks, whatever the answers."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hooks.rendering import ROOT, render, snapshot
from tests.documents import Step, section
from tests.projects import (
    ANSWERS,
    GIT_IDENTITY,
    UV,
    Project,
    migrated_database,
    project_environment,
)
from tests.test_docs import NAME, PATH, named

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/start.md").read_text("utf-8")

FIELD = "    completed: Completed = False\n"
NEW_FIELD = f"{FIELD}    urgent: bool = False\n"

# By the error that each leads to.
MISTAKES = {
    "Run: alembic revision --autogenerate -m": ("app/tasks/models.py", FIELD, NEW_FIELD),
    "SyntaxError": ("app/tasks/router.py", "async def create_task(", "async def create_task(:"),
    "No module named 'app.setings'": ("app/main.py", "app.settings", "app.setings"),
    "USER_ID_HEADER: is not set.": ("tests/conftest.py", '"USER_ID_HEADER"', '"OTHER"'),
    "the service does not start": ("app/main.py", "ROUTERS)", "ROUTERS, lifespan=1)"),
}

BILLING = """
import pytest


@pytest.fixture
def service() -> None:
    raise ConnectionError("of another program")


def test_with_it(service: None) -> None: ...
def test_without_it() -> None: ...
"""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(given, id=name, marks=pytest.mark.xdist_group(name))
        for name, given in ANSWERS.items()
    ],
)
def project(
    request: pytest.FixtureRequest,
    template: Path,
    shared: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    root = render(template, tmp_path_factory.mktemp("rendered") / "todo service", request.param)
    project = Project(root, project_environment(shared))
    project.sync()
    return project


def copied(project: Project, root: Path) -> Path:
    """The project as it was rendered, again. Faster than a second time by Copier."""
    made = ("uv.lock", ".git", ".postgres", ".*_cache")
    return shutil.copytree(project.root, root, ignore=shutil.ignore_patterns(*made))


only_defaults = pytest.mark.parametrize(
    "project",
    [pytest.param(ANSWERS["defaults"], marks=pytest.mark.xdist_group("defaults"), id="defaults")],
    indirect=True,
    scope="module",
)


def test_it_is_formatted(project: Project) -> None:
    project.uv_run("ruff", "format", "--check")


def test_it_is_linted(project: Project) -> None:
    project.uv_run("ruff", "check")


def test_it_is_typed(project: Project) -> None:
    project.uv_run("mypy")


def test_its_own_tests_pass_and_leave_nothing_that_git_would_add(project: Project) -> None:
    before = project.files_for_git()
    project.uv_run("pytest")
    assert project.files_for_git() == before


@only_defaults
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://host/production", "the database 'production' has no 'test' in its name."),
        ("mysql://host/test", "does not begin with postgresql://."),
    ],
)
def test_its_own_tests_refuse_a_database_that_may_not_be_theirs(
    project: Project, url: str, reason: str
) -> None:
    environment = {**project.environment, "TEST_DATABASE_URL": url}
    with pytest.raises(AssertionError) as refused:
        replace(project, environment=environment).uv_run("pytest")
    assert str(refused.value).rstrip().endswith(reason)


@only_defaults
@pytest.mark.parametrize("reason", list(MISTAKES))
def test_a_mistake_that_stops_the_application_is_said_once(
    project: Project, tmp_path: Path, reason: str
) -> None:
    broken = replace(project, root=copied(project, tmp_path / "broken"))
    make(broken, *MISTAKES[reason])
    with pytest.raises(AssertionError) as failed:
        broken.uv_run("pytest")
    said = str(failed.value)
    assert reason in said
    assert "Without the application no test can run" in said
    assert said.count("ERROR at setup of ") == 1
    if "is not set" in reason:
        assert "`environment` in tests/conftest.py" in said


def make(project: Project, name: str, old: str, new: str) -> None:
    """A change of a file."""
    source = (project.root / name).read_text("utf-8")
    assert source.count(old) == 1
    (project.root / name).write_text(source.replace(old, new), "utf-8")


@only_defaults
def test_a_revision_that_rows_would_stop_is_noticed(project: Project, tmp_path: Path) -> None:
    ours = replace(project, root=copied(project, tmp_path / "ours"))
    make(ours, "app/tasks/models.py", FIELD, NEW_FIELD)
    with migrated_database(project) as url:
        environment = {**project.environment, "DATABASE_URL": url}
        develop = replace(ours, environment=environment)
        develop.uv_run("alembic", "revision", "--autogenerate", "-m", "urgent")
    with pytest.raises(AssertionError, match=r'"urgent".* contains null values. Change the rows'):
        ours.uv_run("pytest", "tests/test_invariants.py", "-k", "down_and_up")


@only_defaults
def test_a_fixture_of_a_teams_own_stops_only_its_tests(project: Project, tmp_path: Path) -> None:
    ours = replace(project, root=copied(project, tmp_path / "ours"))
    (ours.root / "tests/test_billing.py").write_text(BILLING, "utf-8")
    with pytest.raises(AssertionError, match="1 passed, 1 error"):
        ours.uv_run("pytest", "tests/test_billing.py")


@only_defaults
def test_its_rules_fit_60_lines_and_name_tests_and_names_that_there_are(project: Project) -> None:
    rules = (project.root / "AGENTS.md").read_text("utf-8")
    assert len(rules.splitlines()) <= 60
    plain = replace(project, environment={**project.environment, "PYTEST_ADDOPTS": ""})
    tests = set(plain.uv_run("pytest", "--collect-only", "--quiet").splitlines())
    named_tests = set(re.findall(r"`(tests/\S+::\w+)`", rules))
    assert named_tests
    assert named_tests <= tests
    code = "".join(file.read_text("utf-8") for file in project.root.rglob("*.py"))
    assert [name for name in named(NAME, project.root / "AGENTS.md") if name not in code] == []


@only_defaults
def test_its_pages_name_commands_and_paths_that_there_are(project: Project, tmp_path: Path) -> None:
    root = copied(project, tmp_path / "project")
    pages = [root / "README.md", root / "AGENTS.md"]
    paths = {path for page in pages for path in named(PATH, page) if not path.startswith("/")}
    made = {".env", ".postgres/"}
    assert [path for path in paths - made if not any(root.rglob(path))] == []
    commands: dict[str, None] = {}  # each once: the second page repeats those of the first
    for page in pages:
        found = re.findall(r"\buv run [^`\n#]+", page.read_text("utf-8"))
        assert len(found) > 5
        commands |= dict.fromkeys(command.strip() for command in found)
    with migrated_database(project) as url:
        variables = {"DATABASE_URL": url, "USER_ID_HEADER": "X", "PYTEST_ADDOPTS": "--collect-only"}
        here = Project(root, {**project.environment, **variables})
        here.run("git", "init", "--quiet")
        for command in commands:
            if not re.match(r"uv run (dev|--no-dev uvicorn)\b", command):  # tests/test_dev.py
                Step("sh", command).take(here)


@pytest.fixture(params=["", "services/todo"], ids=["root", "folder"])
def ours(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> Project:
    """One in the root of a repository, or in a folder of it, as the page says."""
    root = copied(project, tmp_path / "repository" / request.param)
    shutil.copy(project.root / "uv.lock", root)
    if request.param:
        hooks, here = root / ".pre-commit-config.yaml", f"--directory {request.param}"
        assert "`uv run --directory todo-service`" in section(PAGE, "Commit it")
        hooks.write_text(hooks.read_text("utf-8").replace("uv run", f"uv run {here}"), "utf-8")
        assert hooks.read_text("utf-8").count(here) == 3
        (tmp_path / "repository" / "other.py").write_text("import   nothing_of_ours", "utf-8")
    environment = {
        **project.environment,
        **GIT_IDENTITY,
        "PATH": f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
    }
    return Project(root, environment)


@only_defaults
def test_its_hooks_let_a_commit_pass_or_refuse_it(ours: Project, tmp_path: Path) -> None:
    repository = str(tmp_path / "repository")
    ours.run("git", "init", "--quiet", repository)
    ours.uv_run("pre-commit", "install")
    ours.run("git", "add", "--all", repository)
    assert ours.run("git", "commit", "--message", "Start").count("Passed") == 3
    module = ours.root / "app/resources.py"
    as_it_was = module.read_text("utf-8")
    mistakes = {"ruff-check": "import os", "ruff-format": "x  =  1", "mypy": 'x: int = ""'}
    for hook, mistake in mistakes.items():
        module.write_text(f"{as_it_was}{mistake}\n", "utf-8")
        with pytest.raises(AssertionError, match=f"Failed\n- hook id: {hook}\n"):
            ours.run("git", "commit", "--all", "--message", mistake)
    assert "Start" in ours.run("git", "log", "-1", "--format=%s")


@only_defaults
def test_the_template_passes_in_place(project: Project, tmp_path: Path) -> None:
    """What contributors edit is checked by the rules of what it renders to."""
    in_place = replace(project, root=snapshot(tmp_path) / "template")
    for file in ("pyproject.toml", "kit/pyproject.toml"):
        (in_place.root / file).write_bytes((project.root / file).read_bytes())
    with_its_tools = [UV, "run", "--no-sync", "--project", str(project.root)]
    for command in ("ruff format --check", "ruff check", "mypy", "pytest"):
        in_place.run(*with_its_tools, *command.split())
