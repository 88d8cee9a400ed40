"""The checks of this repository find what they are for."""

from pathlib import Path

import pytest

from hooks import budgets, no_jinja_in_python, questions
from hooks.rendering import TEMPLATE


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py.jinja", "x = 1\n"),
        ("{{ project_slug }}.py", "x = 1\n"),
        ("a.py", "{% if x %}\nx = 1\n{% endif %}\n"),
        ("a.py", "title = {{ project_name }}\n"),
        ("a.py", "title = '{{ project_name }}'\n"),
        ("a.py", '"""{{ description }}"""\n'),
        ("a.py", "x = 1  # {{ project_name }}\n"),
        ("a.py", "x = 1\n# {# a remark #}\n"),
        ("a.py", "x = f'{{{{ project_name }}}}'\n"),
        ("a.pyi", "x: str = '{{ project_name }}'\n"),
    ],
)
def test_jinja_in_a_python_file_is_a_fault(tmp_path: Path, name: str, source: str) -> None:
    (tmp_path / name).write_text(source)
    (fault,) = no_jinja_in_python.faults(tmp_path)
    assert fault.startswith(f"{name}:")


@pytest.mark.parametrize(
    "source",
    [
        "x = f'{{{1}}}'\n",
        "x = f'{{x}} and {{{{'\n",
        "x = {1: {2: 3}, 4: {5}}\n",
        "x = {(1, 2), frozenset({3})}\n",
        "x = '{%s}' % 1\n",
        "x = '{}'.format(1)  # {\n",
    ],
)
def test_pythons_own_braces_are_no_jinja(tmp_path: Path, source: str) -> None:
    (tmp_path / "a.py").write_text(source)
    assert not list(no_jinja_in_python.faults(tmp_path))


def test_files_that_are_no_python_may_be_templates(tmp_path: Path) -> None:
    (tmp_path / "README.md.jinja").write_text("# {{ project_name }}\n")
    assert not list(no_jinja_in_python.faults(tmp_path))


def repository(root: Path, copier: str, files: dict[str, str]) -> list[str]:
    (root / "template").mkdir()
    (root / "copier.yml").write_text(copier)
    for name, text in files.items():
        (root / "template" / name).write_text(text)
    return list(questions.faults(root))


def test_a_question_that_nothing_uses_is_a_fault(tmp_path: Path) -> None:
    validator = "name: {type: str, validator: '{% if name %}no{% endif %}'}"
    assert repository(tmp_path, validator, {}) == ["copier.yml: name: nothing uses it"]


@pytest.mark.parametrize(
    ("copier", "files"),
    [
        ("name: {type: str}", {"a.jinja": "{{ name }}"}),
        ("name: {type: str}", {"{{ name }}.txt": ""}),
        ("{name: {type: str}, slug: {default: '{{ name }}'}}", {"a.jinja": "{{ slug }}"}),
        ("{name: {type: bool}, _exclude: ['{% if name %}a{% endif %}']}", {}),
    ],
)
def test_a_question_is_used_by_a_file_a_path_a_setting_or_another_question(
    tmp_path: Path, copier: str, files: dict[str, str]
) -> None:
    assert not repository(tmp_path, copier, files)


@pytest.mark.parametrize(
    ("copier", "files", "fault"),
    [
        ("{}", {"a.jinja": "{{ nam }}"}, "template/a.jinja: nam is no question"),
        ("{}", {"{{ nam }}.txt": ""}, "template/{{ nam }}.txt: nam is no question"),
        ("{_exclude: ['{{ nam }}']}", {}, "copier.yml: _exclude: nam is no question"),
    ],
)
def test_a_variable_that_nobody_is_asked_for_is_a_fault(
    tmp_path: Path, copier: str, files: dict[str, str], fault: str
) -> None:
    assert repository(tmp_path, copier, files) == [fault]


def test_copiers_own_variables_and_names_of_files_that_are_copied_are_no_faults(
    tmp_path: Path,
) -> None:
    files = {"{{_copier_conf.answers_file}}.jinja": "{{ _copier_answers }}", "a.txt": "{{ x }}"}
    assert not repository(tmp_path, "{}", files)


def test_the_template_is_within_its_budgets() -> None:
    assert not list(budgets.faults(TEMPLATE))
    assert budgets.count(TEMPLATE).keys() == budgets.BUDGETS.keys()


def test_blank_lines_comments_and_docstrings_are_free() -> None:
    source = '''
"""A docstring
of two lines."""

x = 1
"""What x is."""

# A comment.
def f(a):
    """Another."""
    return """text
    that is code"""  # and a comment
'''
    assert budgets.lines_of_code(source) == {5, 9, 11, 12}
    assert list(budgets.functions(source)) == [("f", 3)]


def test_code_over_its_budget_is_a_fault(tmp_path: Path) -> None:
    resource = tmp_path / "app/tasks"
    resource.mkdir(parents=True)
    statements = "\n".join(f"    x = {number}" for number in range(200))
    (resource / "a.py").write_text(f"def f():\n{statements}\n")
    assert list(budgets.faults(tmp_path)) == [
        "app/tasks: 201 lines of code, 51 more than its budget",
        "app/tasks/a.py: f has 201 lines of code: divide it",
    ]
