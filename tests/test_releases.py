"""Every release can be updated to this working tree, and is in the changelog."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from hooks.rendering import ROOT, render, snapshot
from tests.documents import section, steps
from tests.projects import UV, Project, project_environment
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


@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS or [None])
def test_a_project_that_its_team_has_extended_takes_the_next_release(
    tag: str | None, tmp_path: Path, shared: Path
) -> None:
    template = check_out(tag, tmp_path / "template")
    release(template, tag or "v1.0.0")
    root = render(template, tmp_path / "project", {"project_name": "Ours"})
    project = Project(root, project_environment(shared))
    project.sync()
    commit(root, "Start")
    ours = extend(project)

    git(template, "rm", "-r", "--quiet", ".")
    snapshot(template)
    plausible_next(template)
    release(template, "v999.0.0")
    page = (ROOT / "docs/update.md").read_text("utf-8")
    update, test = steps(section(page, "Update"))
    update.take(project)

    assert not list(root.rglob("*.rej"))
    assert {name: (root / name).read_text("utf-8") for name in ours} == ours
    assert_both_are_in(root)
    briefly = {**project.environment, "PYTEST_ADDOPTS": "-k test_there_is_one_head"}
    with pytest.raises(AssertionError, match="uv run alembic merge heads"):
        test.take(replace(project, environment=briefly))
    for step in steps(section(page, "Two heads")):
        step.take(project)
    project.check()
    project.uv_run("pytest")


def extend(project: Project) -> dict[str, str]:
    """Work on the project as a team does. Returns the files that are theirs alone."""
    before = set(git(project.root, "ls-files").splitlines())
    project.uv_run("add-resource", "note")
    project.run(UV, "add", "--quiet", "click")
    (project.root / "README.md").write_text("# Our notes and tasks\n")
    with (project.root / ".env.example").open("a") as settings:
        settings.write("\n# Where our notes go.\nOUR_NOTES=here\n")
    commit(project.root, "Ours")
    new = set(git(project.root, "ls-files").splitlines()) - before - {"uv.lock"}
    names = new | {"app/routers.py", "README.md"}
    return {name: (project.root / name).read_text("utf-8") for name in names}


def assert_both_are_in(root: Path) -> None:
    for name, *texts in (
        ("pyproject.toml", '    "click>=', '    "anyio>=4",'),
        (".env.example", "OUR_NOTES=here", "# MOTTO="),
        ("app/settings.py", "motto: str"),
        ("app/tasks/models.py", "Index("),
        ("app/tasks/router.py", "Deletes a task, for ever."),
        (".copier-answers.yml", "_commit: v999.0.0", "project_name: Ours"),
    ):
        content = (root / name).read_text("utf-8")
        assert all(text in content for text in texts), name
        assert "<<<<<<<" not in content
