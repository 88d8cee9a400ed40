"""What any answers render to."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from hooks import no_jinja_in_python
from hooks.rendering import is_asked, questions, render
from tests.choices import OPTIONAL
from tests.projects import ANSWERS
from tests.repositories import git, release

JINJA = re.compile(r"(?<!\$)\{\{|\{[%#]|\.jinja\b")  # `${{ … }}` is GitHub's


@pytest.fixture(scope="module", params=list(ANSWERS.values()), ids=list(ANSWERS))
def answers(request: pytest.FixtureRequest, template: Path) -> dict[str, str]:
    given: Mapping[str, str] = request.param
    plain = {name: question["default"] for name, question in questions(template).items()}
    return {"description": plain["description"], "project_name": plain["project_name"], **given}


@pytest.fixture(scope="module")
def project(
    template: Path, tmp_path_factory: pytest.TempPathFactory, answers: dict[str, str]
) -> Path:
    return render(template, tmp_path_factory.mktemp("rendered") / "project", answers)


def relative_files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_every_file_of_the_template_is_rendered(template: Path, project: Path) -> None:
    sources = relative_files(template / "template") - {"{{_copier_conf.answers_file}}.jinja"}
    expected = {name.removesuffix(".jinja") for name in sources} | {".copier-answers.yml"}
    assert relative_files(project) - OPTIONAL == expected - OPTIONAL


def test_files_without_the_suffix_are_copied_byte_for_byte(template: Path, project: Path) -> None:
    for name in relative_files(template / "template") & relative_files(project):
        if not name.endswith(".jinja"):
            assert (project / name).read_bytes() == (template / "template" / name).read_bytes()


@pytest.mark.parametrize("answers", [ANSWERS["defaults"], ANSWERS["quotes"]], indirect=True)
def test_nothing_of_jinja_is_left(project: Path) -> None:
    assert not list(no_jinja_in_python.faults(project))
    for name in relative_files(project):
        assert not JINJA.search(name)
        assert name.endswith(".py") or not JINJA.search((project / name).read_text("utf-8")), name


def test_the_answers_file_has_the_answers_and_nothing_computed(
    template: Path, project: Path, answers: dict[str, str]
) -> None:
    stored = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    asked = {name for name, question in questions(template).items() if is_asked(question)}
    assert stored.keys() == asked | {"_src_path"}
    assert answers.items() <= stored.items()


def test_answers_survive_toml(project: Path, answers: dict[str, str]) -> None:
    rendered = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    assert rendered["project"]["description"] == answers["description"]
    assert rendered["project"]["name"] == answers.get("project_slug", rendered["project"]["name"])


def test_answers_survive_markdown(project: Path, answers: dict[str, str]) -> None:
    """As the texts that a reader sees, not as markup."""
    blocks = MarkdownIt().parse((project / "README.md").read_text("utf-8"))
    texts = [block.children for block in blocks if block.type == "inline"]
    shown = ["".join(child.content for child in children or []) for children in texts]
    assert shown[0] == answers["project_name"]
    assert answers["description"] in shown


def test_answers_survive_the_environment_file(project: Path, answers: dict[str, str]) -> None:
    header = answers.get("user_id_header", "X-User-ID")
    lines = (project / ".env.example").read_text("utf-8").splitlines()
    assert f"USER_ID_HEADER={header}" in lines


BLOB = "blob/{}/docs/README.md"
# What Copier is told, what it gives git, and where a browser finds the documentation.
ADDRESSES = [
    (
        "gh:our/template",
        "https://github.com/our/template.git",
        f"https://github.com/our/template/{BLOB}",
    ),
    ("git@github.com:our/template.git", None, f"https://github.com/our/template/{BLOB}"),
    ("https://gitlab.com/a/b/template.git", None, f"https://gitlab.com/a/b/template/-/{BLOB}"),
    ("https://me:secret@git.example/template.git", None, "https://git.example/template"),
    (
        "git+ssh://git@git.example:2222/our/template",
        "ssh://git@git.example:2222/our/template",
        "https://git.example/our/template",
    ),
    ("{}", None, None),
]


@pytest.mark.parametrize(("address", "gits", "link"), ADDRESSES)
def test_the_readme_links_to_the_documentation_of_its_release(
    template: Path, tmp_path: Path, address: str, gits: str | None, link: str | None
) -> None:
    source = shutil.copytree(template, tmp_path / "template")
    release(source, "v1.0.0")
    instead = {"KEY_0": f"url.{source}.insteadOf", "VALUE_0": gits or address, "COUNT": "1"}
    subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", address.format(source), "project"],
        cwd=tmp_path,
        env=os.environ | {f"GIT_CONFIG_{name}": value for name, value in instead.items()},
        check=True,
    )
    readme = (tmp_path / "project/README.md").read_text("utf-8")
    links = [link.format(git(source, "rev-parse", "HEAD").strip())] if link else []
    assert re.findall(r"\]\((.*?)\)", readme) == links
    assert ("`.copier-answers.yml`" in readme) == (not links)
    assert str(tmp_path) not in readme
    assert "secret" not in readme
