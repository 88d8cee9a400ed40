"""How a text on tasks becomes the same text on another resource."""

import ast
import re
import textwrap
from collections.abc import Iterator
from string import ascii_uppercase

from devtools.naming import Names, camel

WIDTH = 100  # of a line, as in pyproject.toml
AN = re.compile(r"(?!eu|one|uni|us[aeu]|uti)[aeiou]|hour|hono|heir")
TASK = re.compile(
    r"((?<![A-Za-z])(?P<article>[Aa])(?P<gap>[ _]))?"
    r"(?<![A-Za-z])(?P<form>[Tt]asks?|TASKS?)(?![a-z])"
)
IN_CODE = {*"_`/{}", *ascii_uppercase}  # what stands beside the word where prose quotes code


def rename(text: str, names: Names, *, prose: bool = False) -> str:
    """Prose has spaces where code has underscores."""

    def replace(match: re.Match[str]) -> str:
        form = match["form"]
        name = names.plural if form[-1] in "sS" else names.singular
        article = match[1] or ""
        if article and AN.match(name):
            article = f"{match['article']}n{match['gap']}"
        beside = {text[: match.start("form")][-1:], text[match.end() :][:1]}
        return article + _spell(name, form, prose=prose and not beside & IN_CODE)

    return TASK.sub(replace, text)


def rename_module(source: str, names: Names) -> str:
    """The same of a whole module, where docstrings and comments are prose."""
    prose = set(_prose(source))
    return "".join(
        _wrap(rename(line, names, prose=True)) if number in prose else rename(line, names)
        for number, line in enumerate(source.splitlines(keepends=True), 1)
    )


def conflicts(source: str, names: Names) -> set[str]:
    """The names that would then stand for two things in one module."""
    found = set(_names(ast.parse(source)))
    kept = {name for name in found if not TASK.search(name)}
    return kept & {rename(name, names) for name in found - kept}


def _spell(name: str, form: str, *, prose: bool) -> str:
    if prose:
        phrase = name.replace("_", " ")
        return phrase.capitalize() if form[0] == "T" else phrase
    if form.isupper():
        return name.upper()
    return camel(name) if form[0] == "T" else name


def _wrap(line: str) -> str:
    if len(line) <= WIDTH + 1:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    again = f"{indent}# " if line.lstrip().startswith("#") else indent
    return textwrap.fill(line.rstrip(), WIDTH, subsequent_indent=again) + "\n"


def _prose(source: str) -> Iterator[int]:
    """The numbers of the lines of docstrings and comments."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)
    for number, line in enumerate(source.splitlines(), 1):
        if line.lstrip().startswith("#"):
            yield number


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ClassDef(name=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name
