"""`copier update` brings a release into a project that its team has changed."""

import subprocess
from pathlib import Path

import copier
import pytest

from hooks.rendering import render, snapshot
from tests.projects import GIT_IDENTITY


def git(folder: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=folder, text=True)


def release(root: Path, version: str) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", version)
    git(root, "tag", version)


def append(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text('utf-8')}{line}\n", "utf-8")


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The template as a repository with one release: the working tree."""
    for name, value in GIT_IDENTITY.items():
        monkeypatch.setenv(name, value)
    root = snapshot(tmp_path / "template")
    git(root, "init", "--quiet")
    release(root, "v1.0.0")
    return root


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    root = render(released, tmp_path / "project", {"project_name": "Ours"})
    git(root, "init", "--quiet")
    release(root, "start")
    return root


def test_an_update_brings_the_release_and_leaves_the_teams_own_alone(
    released: Path, project: Path
) -> None:
    append(project / "app/routers.py", "# ours")
    append(project / "app/errors.py", "# ours")
    (project / "app/invoices.py").write_text("# ours\n")
    (project / "uv.lock").write_text("# ours\n")
    release(project, "ours")
    before = {
        name: (project / name).read_bytes()
        for name in ("app/routers.py", "app/errors.py", "app/invoices.py", "uv.lock", "README.md")
    }
    append(released / "template/app/routers.py", "# the template's")
    append(released / "template/app/health.py", "# the template's")
    (released / "template/app/new.py").write_text("# the template's\n")
    release(released, "v1.1.0")

    copier.run_update(project, defaults=True, overwrite=True, quiet=True)

    assert {name: (project / name).read_bytes() for name in before} == before
    assert git(project, "status", "--porcelain").splitlines() == [
        " M .copier-answers.yml",
        " M app/health.py",
        "?? app/new.py",
    ]
    assert "_commit: v1.1.0" in (project / ".copier-answers.yml").read_text("utf-8")
    assert git(project, "diff", "app/health.py").endswith("\n+# the template's\n")
