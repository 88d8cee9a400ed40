"""The documents name nothing that is not there, and CI runs what they say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hooks.rendering import ROOT, TEMPLATE, is_asked, questions, render
from tests import readme
from tests.choices import ALL_ON, GITLAB

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ASKED = {name: question for name, question in questions().items() if is_asked(question)}

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
PATH = re.compile(r"\.?[\w{}.-]+(/[\w{}.-]*)+|\.?[\w-]+\.(md|py|toml|ya?ml)")
NAME = re.compile(r"[A-Z]+(_[A-Z]+)+|[a-z]+(_[a-z]+)+")
POSTGRESQLS = {"pg_dump", "pg_restore"}
MODULE = re.compile(r"python -m ([\w.]+)")


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """By default, and with all that can be chosen."""
    folder = tmp_path_factory.mktemp("rendered")
    cases = {"todo-service": {}, "github": ALL_ON, "gitlab": GITLAB}
    return [render(template, folder / name, case) for name, case in cases.items()]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def named(pattern: re.Pattern[str], page: Path) -> set[str]:
    """What stands alone, as code, and has this form."""
    return {code for code in CODE.findall(page.read_text("utf-8")) if pattern.fullmatch(code)}


def example(page: Path) -> str:
    """The page's code blocks: what they make is there, too."""
    return "\n".join(
        re.findall(r"^ *```.*?^ *```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )


def tree(block: str) -> Iterator[Path]:
    """The paths of a drawn tree, without its root."""
    folders: list[str] = []
    for branch, name in re.findall(r"^([│ ]*[├└]── )(\S+)", block, re.MULTILINE):
        folders[len(branch) // 4 - 1 :] = [name]
        yield Path(*folders)


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def shown(default: object) -> str:
    match default:
        case None | ():
            return ""
        case bool():
            return str(default).lower()
        case list():
            return ", ".join(default)
        case str() if "{" in default:
            return "made from the name"
    return str(default)


def settings() -> Iterator[tuple[str, ...]]:
    """The name, default and meaning of each."""
    for node in ast.walk(ast.parse((TEMPLATE / "app/settings.py").read_text("utf-8"))):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(keywords=keywords)):
                field = {each.arg: each.value for each in keywords}
                default = shown(ast.literal_eval(field["default"])) if "default" in field else None
                meaning = ast.literal_eval(field["description"])
                yield name.upper(), "setting", "required" if default is None else default, meaning


def test_ci_runs_exactly_the_command_that_the_readme_gives_for_the_tests() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert script[-1] == readme.TEST
    assert [line for line in script if "pytest" in line] == [readme.TEST]


def test_the_readme_lists_each_question_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", readme.TEXT, re.MULTILINE))
    assert {name: yaml.safe_dump(yaml.safe_load(row.strip("`"))) for name, row in rows.items()} == {
        name: yaml.safe_dump(yaml.safe_load(shown(question["default"])))
        for name, question in ASKED.items()
    }
    assert [*rows] == [*ASKED]


def test_one_table_has_every_answer_and_every_setting_as_the_code_describes_them() -> None:
    page = (ROOT / "docs/configure.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\| (.+) \|$", page, re.MULTILINE)
    answers = [
        (name, "answer", shown(question["default"]), question["help"].strip())
        for name, question in ASKED.items()
    ]
    assert [(n, kind, default.strip(), what) for n, kind, default, what in rows] == [
        *answers,
        *settings(),
    ]


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs/README.md"
    rows = [line for line in index.read_text("utf-8").splitlines() if line.startswith("| ")]
    listed = {path for path, _ in LINK.findall("\n".join(rows))}
    pages = {page.relative_to(index.parent).as_posix() for page in index.parent.rglob("*.md")}
    assert listed == pages - {index.name} | {"../CHANGELOG.md", "../CONTRIBUTING.md"}


def test_every_path_in_the_drawn_tree_is_rendered(projects: list[Path]) -> None:
    (block,) = re.findall(r"^```\n(todo-service/.*?)^```$", readme.TEXT, re.MULTILINE | re.DOTALL)
    paths = list(tree(block))
    assert len(paths) > 10
    assert not [path for path in paths if not (projects[0] / path).exists()]


def test_every_path_exists(page: Path, projects: list[Path]) -> None:
    places = [ROOT, *projects]
    paths = {path for path in named(PATH, page) if path not in example(page)}
    assert not {path for path in paths if not any((place / path).exists() for place in places)}


def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text("utf-8")):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), anchor


def test_every_name_is_known(page: Path, projects: list[Path]) -> None:
    """Each setting, question and identifier stands in a rendered file, or in the page's example."""
    files = [file for root in projects for file in root.rglob("*") if file.is_file()]
    known = set(re.findall(r"\w+", "\n".join(file.read_text("utf-8") for file in files)))
    known.update(re.findall(r"\w+", example(page)))
    known |= {name.upper() for name in known}  # settings are fields in lower case
    unknown = named(NAME, page) - known - questions().keys() - POSTGRESQLS
    assert not unknown


def test_every_module_that_is_run_exists(page: Path, projects: list[Path]) -> None:
    for module in MODULE.findall(page.read_text("utf-8")):
        path = module.replace(".", "/")
        files = (f"{path}.py", f"{path}/__main__.py")
        assert any((place / file).is_file() for place in (ROOT, *projects) for file in files), (
            module
        )
