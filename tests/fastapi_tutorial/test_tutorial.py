"""What FastAPI's documentation shows works in a rendered project, and passes its lint and types.

With the figures: uv run pytest tests/fastapi_tutorial --numprocesses=0 --capture=no
"""

import shutil
from pathlib import Path

import pytest

from hooks.rendering import render
from tests.fastapi_tutorial.sources import Tutorial, fetch
from tests.projects import Project, project_environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fastapi_tutorial")]

TESTS = ("tests/test_tutorial", "tests/test_frontend.py", "tests/test_exception_handlers.py")

EXCEPTIONS = {
    # The example makes a document of its own, of all routes: it has the health checks too.
    "tests.test_tutorial.test_extending_openapi.test_tutorial001.test_openapi_schema",
}

NOT_LINTED = {
    "custom_response/tutorial007.py": "B007",  # a loop that has no use for its variable
    "dependencies/tutorial0*.py": "F821",  # sketches, with names that are nowhere
    "json_base64_bytes/tutorial001.py": "UP012",  # "text".encode("utf-8")
    "query_params_str_validations/tutorial01*.py": "B006",  # a list as the default
}

WITHOUT_TYPES = {
    "body_updates/tutorial002.py",  # items of a dict are strings, numbers and lists
    "custom_docs_ui/tutorial00[12].py",  # a path that can be None
    "custom_response/tutorial009c.py",  # orjson is not installed
    "dependencies/tutorial008.py",  # names that are nowhere
    "metadata/tutorial004.py",  # items of a dict are strings and dicts
    "path_operation_advanced_configuration/tutorial007.py",  # yaml has no types
    "pydantic_v1_in_v2/tutorial004.py",  # a module that FastAPI no longer has
    "python_types/tutorial003.py",  # shows a mistake
    "response_model/tutorial006.py",  # a list in the place of a set
    "security/tutorial00[45].py",  # a user name that can be None
    "sql_databases/tutorial00[12].py",  # a sequence for a list, a field that can be None
    "using_request_directly/tutorial001.py",  # a client that can be None
    "wsgi/tutorial001.py",  # libraries that disagree about ASGI's and WSGI's types
}


@pytest.fixture(scope="module")
def tutorial(template: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Tutorial:
    folder = tmp_path_factory.mktemp("tutorial")
    project = Project(render(template, folder / "project", {}), project_environment(shared))
    project.sync()
    return fetch(project, folder)


@pytest.fixture(scope="module")
def examples(tutorial: Tutorial) -> Path:
    """In a folder of the project. `Annotated` alone, as FastAPI recommends."""
    examples = tutorial.project.root / "docs_src"
    shutil.copytree(tutorial.root / "docs_src", examples)
    for older in examples.rglob("*_non_an.py"):
        older.unlink()
    return examples


def test_what_passes_with_fastapi_passes_with_the_rendered_application(tutorial: Tutorial) -> None:
    here, output = tutorial.passed(TESTS, "-p", "rendered_application")
    with_fastapi_alone, _ = tutorial.passed(
        TESTS, "--last-failed", "--last-failed-no-failures=none"
    )
    print(f"passed: {len(here)}, and with FastAPI alone {len(with_fastapi_alone)} more")  # noqa: T201 - figures
    assert len(here) >= 1000, output
    assert with_fastapi_alone == EXCEPTIONS, output


def test_the_examples_pass_the_lint_of_the_project(tutorial: Tutorial, examples: Path) -> None:
    exceptions = ",".join(f"docs_src/{file}:{rule}" for file, rule in NOT_LINTED.items())
    tutorial.project.uv_run("ruff", "format", "docs_src")
    tutorial.project.uv_run(
        "ruff", "check", f"--extend-per-file-ignores={exceptions}", str(examples)
    )


def test_the_examples_pass_the_types_of_the_project(tutorial: Tutorial, examples: Path) -> None:
    exceptions = [f"--exclude={file}" for file in WITHOUT_TYPES]
    imports = ["--explicit-package-bases", f"--python-executable={tutorial.python}"]
    tutorial.project.uv_run("mypy", *imports, *exceptions, str(examples))
