"""What the template asks, and which answers it refuses."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from hooks.rendering import ROOT, configuration, is_asked, questions, render
from tests.projects import Project, project_environment

ASKED = {name: question for name, question in questions().items() if is_asked(question)}

REFUSED = [
    ("project_name", "", "Use one line of 1 to 80 printable characters"),
    ("project_name", " Todo", "no space at either end"),
    ("project_name", "Todo\nservice", "Use one line"),
    ("project_name", "Todo service\n", "Use one line"),
    ("project_name", "Todo\x7f", "printable"),
    ("project_name", "Todo\u2028service", "printable"),
    ("project_name", "Todo \udcff service", "printable"),
    ("project_name", "n" * 81, "1 to 80"),
    ("description", "", "Use one line of 1 to 200 printable characters"),
    ("description", "two\nlines", "Use one line"),
    ("description", "d" * 201, "1 to 200"),
    ("project_slug", "", "such as todo-service"),
    ("project_slug", "Todo", "lowercase letters, digits and single hyphens"),
    ("project_slug", "todo_service", "such as todo-service"),
    ("project_slug", "todo--service", "single hyphens"),
    ("project_slug", "todo-", "not ending with a hyphen"),
    ("project_slug", "3d", "beginning with a letter"),
    ("project_slug", "s" * 64, "1 to 63"),
    ("project_slug", "todo\n", "such as todo-service"),
    ("project_slug", "fastapi", "such as fastapi-service"),
    ("user_id_header", "", "such as X-User-ID"),
    ("user_id_header", "X User", "such as X-User-ID"),
    ("user_id_header", "X_User_ID", "letters, digits and hyphens"),
    ("user_id_header", "X-User-ID:", "such as X-User-ID"),
    ("user_id_header", "X-User-ID\n", "such as X-User-ID"),
    ("user_id_header", "Bénutzer", "such as X-User-ID"),
    ("user_id_header", "H" * 65, "1 to 64"),
    *(
        ("user_id_header", name, "Choose another header")
        for name in (
            "Accept",
            "accept-language",
            "Authorization",
            "Connection",
            "Content-Length",
            "content-type",
            "COOKIE",
            "Host",
            "If-Match",
            "Origin",
            "Proxy-Authorization",
            "Sec-Fetch-Site",
            "TE",
            "Transfer-Encoding",
            "X-Forwarded-For",
            "X-Request-ID",
        )
    ),
]


@pytest.mark.parametrize(("question", "answer", "advice"), REFUSED)
def test_a_bad_answer_is_refused_with_what_to_do_and_nothing_is_written(
    template: Path, tmp_path: Path, question: str, answer: str, advice: str
) -> None:
    with pytest.raises(ValueError, match=f"Validation error for question '{question}'") as refusal:
        render(template, tmp_path / "project", {question: answer})
    assert advice in str(refusal.value)
    assert "\n" not in str(refusal.value).removesuffix("\n")
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Todo service", "todo-service"),
        ("  ".join("AB"), "a-b"),
        ("Café & Söhne", "caf-s-hne"),
        ("3D printing", "todo-3d-printing"),
        ("日本語", "todo"),
        ("FastAPI", "todo-fastapi"),
        ("x" * 80, "x" * 50),
        (f"{'x' * 49} y", "x" * 49),
    ],
)
def test_every_name_has_a_valid_slug(template: Path, tmp_path: Path, name: str, slug: str) -> None:
    project = render(template, tmp_path / "project", {"project_name": name})
    assert f"project_slug: {slug}\n" in (project / ".copier-answers.yml").read_text("utf-8")


@pytest.mark.parametrize("header", ["Remote-User", "X-Forwarded-User", "Hosted-By", "X", "Tea"])
def test_a_header_that_only_resembles_a_reserved_one_is_accepted(
    template: Path, tmp_path: Path, header: str
) -> None:
    assert render(template, tmp_path / "project", {"user_id_header": header}).is_dir()


@pytest.mark.slow
def test_the_slug_cannot_be_the_name_of_a_package_that_is_installed(
    template: Path, shared: Path, tmp_path: Path
) -> None:
    project = Project(render(template, tmp_path / "project", {}), project_environment(shared))
    project.sync()
    lock = tomllib.loads((project.root / "uv.lock").read_text("utf-8"))
    names = {package["name"] for package in lock["package"]} - {"todo-service", "todo-service-kit"}
    assert names <= set(questions()["reserved_slugs"]["default"])


def test_an_answer_to_no_question_is_an_error_in_these_tests(
    template: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"No such question: project_nam$"):
        render(template, tmp_path / "project", {"project_nam": "Todo"})


@pytest.mark.parametrize("question", ASKED.values(), ids=list(ASKED))
def test_every_question_has_a_type_help_a_default_and_refuses_bad_answers(
    question: dict[str, Any],
) -> None:
    assert {"type", "help", "default"} <= question.keys()
    assert {"choices", "validator"} & question.keys()


@pytest.mark.parametrize("question", ASKED.values(), ids=list(ASKED))
def test_copier_shows_every_question_whole_in_a_terminal_of_80_columns(
    question: dict[str, Any],
) -> None:
    """Copier cuts a longer line. It begins with a microphone of two columns and a space."""
    assert 3 + len(question["help"]) < 80
    assert "\n" not in question["help"]


def test_there_are_at_most_eight_questions() -> None:
    assert len(ASKED) <= 8


def test_copying_needs_no_trust() -> None:
    assert not configuration().keys() & {"_tasks", "_jinja_extensions"}


def test_the_minimum_version_of_copier_is_the_least_that_these_tests_accept() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    least = configuration()["_min_copier_version"]  # quoted: 9.20 would be the number 9.2
    assert f"copier>={least}" in root["dependency-groups"]["dev"]
