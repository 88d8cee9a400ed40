"""Check that Python files of the template are what they look like: Python, copied byte for byte.

Copier renders `*.jinja` files only, so Jinja in another one would reach the user as it stands.
Braces are also Python's own. Not Jinja: `{{` in an f-string, which is an escaped `{`. Jinja:
a file name with a tag or ending in `.py.jinja`; text that is no Python (`{% if … %}`); a set
in a set (`{{ name }}`, which parses, and always fails); a whole tag in a comment or a string.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from hooks.rendering import TEMPLATE

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PYTHON = re.compile(r"\.pyi?(\.jinja)?$")


def faults(root: Path) -> Iterator[str]:
    """One line for each fault, beginning with `path:line:`."""
    for path in sorted(path for path in root.rglob("*") if _PYTHON.search(path.name)):
        name = path.relative_to(root)
        if path.suffix == ".jinja" or _TAG.search(str(name)):
            yield f"{name}:1: a Python file cannot depend on an answer: use a setting"
            continue
        for line, what in _tags(path.read_text("utf-8")):
            yield f"{name}:{line}: {what}"


def _tags(source: str) -> Iterator[tuple[int, str]]:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        yield error.lineno or 1, "this is no Python"
        return
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if _TAG.search(text):
                yield node.lineno, "a string with a Jinja tag"
            case ast.Set(elts=[ast.Set(), *_]):
                yield node.lineno, "a Jinja expression"
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and _TAG.search(token.string):
            yield token.start[0], "a comment with a Jinja tag"


def main() -> int:
    found = list(faults(TEMPLATE))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
