"""The kit keeps its promises: its tests run in a rendered project, beside the project's own."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hooks.rendering import ROOT, render
from tests.projects import Project, project_environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kit")]


@pytest.fixture(scope="module")
def project(template: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = render(template, tmp_path_factory.mktemp("kit") / "project", {})
    shutil.copytree(ROOT / "tests/kit", root / "tests/kit")
    project = Project(root, project_environment(shared))
    project.sync()
    return project


def test_the_kit_passes_its_tests(project: Project) -> None:
    project.uv_run("pytest", "tests/kit")


def test_the_kit_and_its_tests_have_strict_types(project: Project) -> None:
    # Its options are others: one cache would be made anew at each change from these to those.
    cache = {"MYPY_CACHE_DIR": str(project.root / ".mypy_cache")}
    strict = replace(project, environment={**project.environment, **cache})
    strict.uv_run("mypy", "--config-file", "kit/pyproject.toml", "kit/src", "tests/kit")
