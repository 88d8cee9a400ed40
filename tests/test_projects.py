"""A rendered project passes its own checks, whatever the answers."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hooks.rendering import render, snapshot
from tests.projects import ANSWERS, UV, Project, project_environment

pytestmark = pytest.mark.slow


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
def test_its_pre_commit_hooks_pass(project: Project, tmp_path: Path) -> None:
    project.run("git", "init", "--quiet")
    project.run("git", "add", "--all")
    path = f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**project.environment, "PATH": path, "PRE_COMMIT_HOME": str(tmp_path)}
    replace(project, environment=environment).uv_run("pre-commit", "run", "--all-files")


@only_defaults
def test_the_template_passes_in_place(project: Project, tmp_path: Path) -> None:
    """What contributors edit is checked by the rules of what it renders to."""
    in_place = replace(project, root=snapshot(tmp_path) / "template")
    for file in ("pyproject.toml", "kit/pyproject.toml"):
        (in_place.root / file).write_bytes((project.root / file).read_bytes())
    with_its_tools = [UV, "run", "--no-sync", "--project", str(project.root)]
    for command in ("ruff format --check", "ruff check", "mypy", "pytest"):
        in_place.run(*with_its_tools, *command.split())
