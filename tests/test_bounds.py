"""A project works with the oldest versions that it declares, which anybody can install."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hooks.rendering import ROOT, render
from tests.projects import Project, project_environment

# The oldest are older than that: whoever installs nothing of the last weeks can have them.
A_MONTH_BEFORE_THE_RELEASE = "2026-10-30T00:00:00Z"


@pytest.mark.slow
def test_a_project_with_the_oldest_versions_passes_its_checks(
    template: Path, tmp_path: Path
) -> None:
    project = Project(render(template, tmp_path / "project", {}), project_environment(tmp_path))
    cutoff = {**project.environment, "UV_EXCLUDE_NEWER": A_MONTH_BEFORE_THE_RELEASE}
    replace(project, environment=cutoff).sync("--resolution", "lowest-direct")
    project.check()
    project.uv_run("pytest")


@pytest.mark.parametrize(
    "command", ["jactionlint", "zizmor --offline --persona=pedantic --no-progress"]
)
def test_the_scheduled_run_of_the_newest_versions_passes_the_linters(command: str) -> None:
    program, *options = command.split()
    subprocess.run(
        [Path(sys.executable).with_name(program), *options, *ROOT.glob(".github/workflows/*.yml")],
        check=True,
    )
