"""The documents name nothing that is not there, and CI runs what they say."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.rendering import ROOT, TEMPLATE, is_asked, questions, render
from tests import readme

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SETTINGS = (TEMPLATE / "app/settings.py").read_text("utf-8")

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PATH = re.compile(r"\.?[\w{}.-]+(/[\w{}.-]*)+|\.?[\w-]+\.(md|py|toml|ya?ml)")
SETTING = re.compile(r"[A-Z]+(_[A-Z]+)+")
QUESTION = re.compile(r"[a-z]+(_[a-z]+)+")
MODULE = re.compile(r"python -m (hooks\.\w+)")


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("rendered") / "todo-service", {})


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text("utf-8")


def named(pattern: re.Pattern[str], page: str) -> set[str]:
    """What stands alone, as code, and has this form."""
    return {code for code in CODE.findall(page) if pattern.fullmatch(code)}


def tree(block: str) -> Iterator[Path]:
    """The paths of a drawn tree, without its root."""
    folders: list[str] = []
    for branch, name in re.findall(r"^([│ ]*[├└]── )(\S+)", block, re.MULTILINE):
        folders[len(branch) // 4 - 1 :] = [name]
        yield Path(*folders)


def test_ci_runs_exactly_the_command_that_the_readme_gives_for_the_tests() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    commands = [line for line in script if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', readme.TEST]


def test_the_readme_lists_each_question_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", readme.TEXT, re.MULTILINE))
    asked = {name: question for name, question in questions().items() if is_asked(question)}
    assert list(rows) == list(asked)
    for name, question in asked.items():
        computed = "{" in question["default"]
        assert rows[name].strip("`") == ("made from the name" if computed else question["default"])


def test_every_path_in_the_drawn_tree_is_rendered(project: Path) -> None:
    (block,) = re.findall(r"^```\n(todo-service/.*?)^```$", readme.TEXT, re.MULTILINE | re.DOTALL)
    paths = list(tree(block))
    assert len(paths) > 10
    assert not [path for path in paths if not (project / path).exists()]


def test_every_path_exists(page: str, project: Path) -> None:
    paths = named(PATH, page) | set(LINK.findall(page))
    assert not {path for path in paths if not any((at / path).exists() for at in (ROOT, project))}


def test_every_question_exists(page: str) -> None:
    assert named(QUESTION, page) <= questions().keys()


def test_every_setting_exists(page: str) -> None:
    settings = {name.upper() for name in re.findall(r"^    (\w+): ", SETTINGS, re.MULTILINE)}
    assert named(SETTING, page) <= settings


def test_every_command_of_this_repository_exists(page: str) -> None:
    for module in MODULE.findall(page):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
