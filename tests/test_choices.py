"""The answers about deployment choose whole files, and change nothing else."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

from hooks import no_jinja_in_python
from hooks.rendering import questions, render, snapshot
from tests.choices import ALL_OFF, ALL_ON, CI, GITLAB, IMAGE, NEON, OPTIONAL, TARGETS, cover
from tests.projects import ANSWERS, GIT_IDENTITY
from tests.test_render import JINJA, relative_files

CASES: list[dict[str, str]] = [{}, ALL_OFF, ALL_ON, GITLAB, *cover()]


@pytest.fixture(scope="module")
def everything(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Each file that there is in any project, by its path."""
    folder = tmp_path_factory.mktemp("everything")
    both = [render(template, folder / case["ci"], case) for case in (ALL_ON, GITLAB)]
    return {name: (root / name).read_bytes() for root in both for name in relative_files(root)}


def chosen(answers: Mapping[str, str]) -> set[str]:
    stated: dict[str, Any] = {name: questions()[name]["default"] for name in ALL_ON}
    stated |= {name: yaml.safe_load(answer) for name, answer in answers.items()}
    files = CI[stated["ci"]].union(*(TARGETS[target] for target in stated["deploy"]))
    image = IMAGE if stated["deploy"] else set()
    return files | image | (NEON if stated["neon_branches"] else set())


@pytest.mark.parametrize("answers", CASES, ids=lambda answers: str([*answers.values()]))
def test_a_project_has_the_chosen_files_and_is_the_same_otherwise(
    template: Path, tmp_path: Path, everything: dict[str, bytes], answers: dict[str, str]
) -> None:
    """So its own checks, and those of each file, need to run in one project only."""
    project = render(template, tmp_path / "project", answers)
    files = everything.keys() - OPTIONAL | chosen(answers)
    assert relative_files(project) == files
    folders = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_dir()}
    assert folders == {str(folder) for name in files for folder in Path(name).parents} - {"."}
    for name in files - {".copier-answers.yml", "README.md"}:
        assert (project / name).read_bytes() == everything[name], name


@pytest.mark.parametrize("choices", [ALL_ON, GITLAB], ids=["github", "gitlab"])
@pytest.mark.parametrize("texts", [ANSWERS["defaults"], ANSWERS["quotes"]])
def test_nothing_of_jinja_is_left(
    template: Path, tmp_path: Path, texts: dict[str, str], choices: dict[str, str]
) -> None:
    project = render(template, tmp_path / "project", {**texts, **choices})
    assert not list(no_jinja_in_python.faults(project))
    for name in relative_files(project) & OPTIONAL:
        assert not JINJA.search((project / name).read_text("utf-8")), name


def test_what_is_no_choice_is_refused(template: Path, tmp_path: Path) -> None:
    for answer in ({"deploy": "[flyio]"}, {"ci": "jenkins"}):
        with pytest.raises(ValueError, match=r"Invalid choice for '(deploy|ci)': '.+' is not in"):
            render(template, tmp_path / "project", answer)
    assert not (tmp_path / "project").exists()


def test_neon_branches_without_github_are_refused(template: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Choose github for ci, or no here"):
        render(template, tmp_path / "project", {"ci": "gitlab", "neon_branches": "true"})


def test_an_update_follows_the_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIT_IDENTITY.items():
        monkeypatch.setenv(name, value)
    project = render(commit(snapshot(tmp_path / "template")), tmp_path / "project", ALL_ON)
    copier.run_update(commit(project), data=GITLAB, defaults=True, overwrite=True, quiet=True)
    assert not relative_files(project) & CI["github"].union(NEON)
    assert relative_files(project) >= CI["gitlab"]
    assert "neon_branches" not in (project / ".copier-answers.yml").read_text("utf-8")


def commit(folder: Path) -> Path:
    for command in ("init --quiet", "add --all", "commit --quiet --message 1", "tag v1.0.0"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder
