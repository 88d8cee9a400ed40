"""Every release can be updated to this working tree, and is in the changelog."""

import os
import re
import shutil
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from hooks.rendering import ROOT, render, snapshot
from tests import readme
from tests.documents import Step, section, steps
from tests.projects import GIT_IDENTITY, UV, Project, project_environment
from tests.releases import check_out, plausible_next, tags
from tests.repositories import commit, git, release

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
HEADINGS = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", CHANGELOG, re.MULTILINE)
TAGS = tags()


def test_the_changelog_begins_with_what_is_unreleased_and_goes_back_in_time() -> None:
    (first, date), *others = HEADINGS
    assert (first, date) == ("Unreleased", "")
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version, _ in others)
    assert others == sorted(others, key=lambda each: Version(each[0]), reverse=True)
    assert all(date for _, date in others)


def test_every_tag_has_its_section_in_the_changelog() -> None:
    assert set(TAGS) <= {f"v{version}" for version, _ in HEADINGS}


def test_a_major_release_says_what_a_team_must_do() -> None:
    for text in CHANGELOG.split("\n## ")[1:]:
        if re.match(r"\[\d+\.0\.0\]", text) and not text.startswith("[1.0.0]"):
            assert "*Action needed:*" in text


def test_no_migration_of_a_release_is_edited(tmp_path: Path) -> None:
    versions = "template/app/migrations/versions"
    for tag in TAGS:
        for file in (check_out(tag, tmp_path / tag) / versions).glob("*.py"):
            assert (ROOT / versions / file.name).read_bytes() == file.read_bytes()


def test_the_page_leads_from_the_first_release_to_an_update(tmp_path: Path) -> None:
    """In a clone, with a remote that has no tag yet: every command of the page."""
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    origin = (tmp_path / "origin.git").as_uri()
    git(tmp_path, "clone", "--quiet", origin, "template")
    template = snapshot(tmp_path / "template")
    maintainer = Project(template, {**os.environ, **GIT_IDENTITY})
    release_by_the_page(maintainer, "1.0.0")
    project = Project(tmp_path / "release", maintainer.environment)
    assert rendered_from(project) == ("v1.0.0", origin)
    commit(project.root, "Start")

    plausible_next(template)
    commit(template, "Not released yet")
    maintainer.run("git", "push", "--quiet")
    update = next(steps(section((ROOT / "docs/update.md").read_text("utf-8"), "Update")))
    update.take(project)
    assert git(project.root, "status", "--porcelain") == ""

    shutil.move(project.root, ours := tmp_path / "ours")
    release_by_the_page(maintainer, "1.1.0")
    project = replace(project, root=ours)
    update.take(project)
    project.run("git", "diff", "--check")
    assert rendered_from(project) == ("v1.1.0", origin)
    assert "The process runs." in (ours / "kit/src/kit/health.py").read_text("utf-8")


def release_by_the_page(maintainer: Project, version: str) -> None:
    """Take the steps of the page in a clone, with this number."""
    unreleased = "## [Unreleased]\n"
    heading = f"{unreleased}\n## [{version}] - 2026-12-01\n"
    edit(maintainer.root / "CHANGELOG.md", (unreleased, heading))
    commit(maintainer.root, version)
    page = (ROOT / "docs/releasing.md").read_text("utf-8")
    commands = textwrap.dedent(section(page, "A release").replace("1.2.0", version))
    for block in re.findall(r"^ *```sh\n(.*?)^ *```$", commands, re.MULTILINE | re.DOTALL):
        Step("sh", block).take(maintainer)


def rendered_from(project: Project) -> tuple[str, str]:
    """The release and the address of the template."""
    answers = yaml.safe_load((project.root / ".copier-answers.yml").read_text("utf-8"))
    return answers["_commit"], answers["_src_path"]


def test_the_readme_names_no_version_and_renders_a_release_as_such(tmp_path: Path) -> None:
    assert not re.search(r"\bv\d+\.\d", readme.TEXT)
    template = snapshot(tmp_path / "template")
    release(template, "v1.0.0")
    copy = re.findall(r"copier (copy .+?) &&", readme.START)[0]
    project = Project(template, {**os.environ, "PWD": str(template)})
    Step("sh", f"uvx copier {copy}").take(project)
    assert rendered_from(replace(project, root=tmp_path / "todo"))[0] == "v1.0.0"


@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS or [None])
def test_a_project_that_its_team_has_made_its_own_takes_the_next_release(
    tag: str | None, tmp_path: Path, shared: Path
) -> None:
    template = check_out(tag, tmp_path / "template")
    release(template, tag or "v1.0.0")
    root = render(template, tmp_path / "project", {"project_name": "Ours"})
    project = Project(root, project_environment(shared))
    project.sync()
    commit(root, "Start")
    make_it_theirs(project)
    commit(root, "Ours")
    before = of_the_team(root)

    git(template, "rm", "-r", "--quiet", ".")
    snapshot(template)
    plausible_next(template)
    release(template, "v999.0.0")
    page = (ROOT / "docs/update.md").read_text("utf-8")
    for step in steps(section(page, "Update")):
        step.take(project)

    assert not list(root.rglob("*.rej"))
    assert of_the_team(root) == before
    assert_the_release_is_in(root)
    project.check()


SETTINGS = '''"""Ours."""

from kit.settings import Settings as KitSettings


class Settings(KitSettings):
    our_limit: int = 3
'''
MIDDLEWARE = '''"""Ours."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Ours:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {**scope.get("state", {}), "ours": True}
        await self.app(scope, receive, send)
'''
IDENTITY = '''"""Who is calling: the name in a bearer token, which is enough for a test."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from kit.database import UserDatabase
from kit.errors import Unauthenticated
from kit.models import UserId

bearer = HTTPBearer(auto_error=False)


async def current_user(
    token: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> UserId:
    if token is None:
        raise Unauthenticated(scheme="Bearer")
    return UserId(token.credentials)


CurrentUser = Annotated[UserId, Depends(current_user)]


async def user_database(request: Request, user_id: CurrentUser) -> UserDatabase:
    return UserDatabase(request.app.state.database, user_id)


CallerDatabase = Annotated[UserDatabase, Depends(user_database)]
'''


def make_it_theirs(project: Project) -> None:
    """Rename `tasks`; add a dependency, a setting, a middleware and an authentication."""
    root = project.root
    for folder in ("app", "tests"):
        git(root, "mv", f"{folder}/tasks", f"{folder}/todos")
    git(root, "mv", "tests/todos/test_tasks.py", "tests/todos/test_todos.py")
    for file in (*root.glob("app/**/*.py"), *root.glob("tests/**/*.py")):
        edit(file, ("app.tasks", "app.todos"), ('"/tasks"', '"/todos"'), ("v1/tasks", "v1/todos"))
    project.run(UV, "add", "--quiet", "click")
    (root / "README.md").write_text("# Our todos\n")
    (root / "app/settings.py").write_text(SETTINGS)
    (root / "app/middleware.py").write_text(MIDDLEWARE)
    (root / "app/identity.py").write_text(IDENTITY)
    load = "from app.resources"
    edit(root / "app/main.py", (load, f"from app.middleware import Ours\n{load}"))
    edit(root / "app/main.py", ("ROUTERS)\n", "ROUTERS)\napp.add_middleware(Ours)\n"))
    bearer = '{"Authorization": f"Bearer {user_id}"}'
    edit(root / "tests/conftest.py", ('{"X-User-ID": user_id}', bearer))
    edit(root / ".env.example", ("# LOG_FORMAT=auto\n", "# LOG_FORMAT=auto\n\nOUR_LIMIT=3\n"))
    project.check()
    project.uv_run("pytest")


def edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text("utf-8")
    for old, new in changes:
        text = text.replace(old, new)
    file.write_text(text, "utf-8")


def of_the_team(root: Path) -> dict[str, str]:
    """What is in every file that no update may touch."""
    listed = git(root, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    theirs = [name for name in listed if name.startswith(("app/", "tests/"))]
    return {name: (root / name).read_text("utf-8") for name in [*theirs, "README.md"]}


def assert_the_release_is_in(root: Path) -> None:
    for name, *texts in (
        ("pyproject.toml", '    "click>=', '    "PIE", # needless code'),
        (".env.example", "OUR_LIMIT=3", "# MOTTO="),
        ("kit/pyproject.toml", '    "anyio>=4",'),
        ("kit/src/kit/settings.py", "motto: str"),
        ("kit/src/kit/health.py", "The process runs."),
        ("kit/src/kit/news.py", ""),
        (".copier-answers.yml", "_commit: v999.0.0", "project_name: Ours"),
    ):
        content = (root / name).read_text("utf-8")
        assert all(text in content for text in texts), name
        assert "<<<<<<<" not in content
