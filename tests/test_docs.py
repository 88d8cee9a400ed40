"""The documents name nothing that is not there, and CI runs what they say."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from hooks.rendering import ROOT, TEMPLATE, is_asked, questions, render
from tests import readme
from tests.choices import ALL_ON, GITLAB
from tests.documents import section

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TODAY = [page for page in PAGES if page.name != "CHANGELOG.md"]  # which names what is gone, too
ASKED = {name: question for name, question in questions().items() if is_asked(question)}

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
PATH = re.compile(r"\.?[\w{}.-]+(/[\w{}.-]*)+|\.?[\w-]+\.(md|py|toml|ya?ml)")
NAME = re.compile(r"[A-Z]+(_[A-Z]+)+|[a-z]+(_[a-z]+)+")
POSTGRESQLS = {"max_connections", "pg_dump", "pg_restore"}
MODULE = re.compile(r"python -m ([\w.]+)")
MADE = re.compile(r"^`([\w/]+\.py)`:\n\n```python$", re.MULTILINE)


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """By default, and with all that can be chosen."""
    folder = tmp_path_factory.mktemp("rendered")
    cases = {"todo-service": {}, "github": ALL_ON, "gitlab": GITLAB}
    return [render(template, folder / name, case) for name, case in cases.items()]


@pytest.fixture(params=TODAY, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def named(pattern: re.Pattern[str], page: Path) -> set[str]:
    """What stands alone, as code, and has this form."""
    return {code for code in CODE.findall(page.read_text("utf-8")) if pattern.fullmatch(code)}


def example(page: Path) -> str:
    """The page's code blocks, and the files that they are: what they make is there, too."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"^ *```.*?^ *```$", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *MADE.findall(text)])


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
    """The name, default and meaning of each: a field, and the docstring below it."""
    for file in ("kit/src/kit/settings.py", "app/settings.py"):
        tree = ast.parse((TEMPLATE / file).read_text("utf-8"))
        for body in (node.body for node in tree.body if isinstance(node, ast.ClassDef)):
            for field, docstring in pairwise(body):
                match field, docstring:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name), value=value),
                        ast.Expr(value=ast.Constant(value=str(meaning))),
                    ):
                        yield name.upper(), "setting", default(value), " ".join(meaning.split())


def default(value: ast.expr | None) -> str:
    if isinstance(value, ast.Call):
        value = {each.arg: each.value for each in value.keywords}.get("default")
    return "required" if value is None else shown(ast.literal_eval(value))


def test_the_first_command_is_one_short_line() -> None:
    assert len(readme.START) <= 132


def test_who_has_uv_is_given_the_same_command_without_its_installation() -> None:
    _, _, start = readme.START.partition(" && ")
    with_uv = start.replace("python3 -m uv tool run", "uvx").replace("python3 -m uv", "uv")
    assert with_uv == readme.START_WITH_UV


def test_ci_runs_exactly_the_command_that_the_readme_gives_for_the_tests() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert script[-1] == readme.TEST
    assert [line for line in script if "pytest" in line] == [readme.TEST]


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
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
        files = (f"{path}.py", f"{path}/__main__.py", f"kit/src/{path}.py")
        found = [place / file for place in (ROOT, *projects) for file in files]
        assert any(file.is_file() for file in found) or f"{path}.py" in example(page), module


@pytest.mark.parametrize(
    ("name", "heading"), [("start.md", "Run it"), ("add-a-resource.md", "If it refuses")]
)
def test_a_page_quotes_what_a_command_says_when_it_refuses(name: str, heading: str) -> None:
    sources = "".join(path.read_text("utf-8") for path in TEMPLATE.glob("kit/src/kit/dev/*.py"))
    page = section((ROOT / "docs" / name).read_text("utf-8"), heading)
    quoted = re.findall(r"^\| (?:… )?([^|]+) \| ", page, re.MULTILINE)[1:]
    assert quoted
    assert not [each for each in quoted if each.replace("8000", "{port}") not in sources]
