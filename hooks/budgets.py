"""Count the lines of code that a project is given, and hold them to their budgets.

Blank lines, comments and docstrings are free.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from hooks.rendering import TEMPLATE

BUDGETS = {
    "kit, what runs": 1_023,
    "kit.testing": 297,
    "kit.dev": 221,
    "app": 240,
    "app/tasks": 150,
    "tests": 220,
    "all": 1_865,
}
FOLDERS = {
    "kit.testing": "kit/src/kit/testing",
    "kit.dev": "kit/src/kit/dev",
    "kit, what runs": "kit",
    "app": "app",
    "tests": "tests",
}
LONGEST_FUNCTION = 25
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def lines_of_code(source: str) -> set[int]:
    """The numbers of the lines that have code on them."""
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return code - docstrings(source)


def docstrings(source: str) -> set[int]:
    """The lines of every string that stands alone, which is all that documents."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Each function's name, and how many lines of code it has."""
    code = lines_of_code(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            yield node.name, len(code.intersection(range(node.lineno, last + 1)))


def count(root: Path) -> dict[str, int]:
    """The lines of code of each folder that has a budget."""
    counted = dict.fromkeys(BUDGETS, 0)
    for path in root.rglob("*.py"):
        name, lines = str(path.relative_to(root)), len(lines_of_code(path.read_text("utf-8")))
        counted["all"] += lines
        counted["app/tasks"] += lines if name.startswith("app/tasks/") else 0
        folder = next((key for key, at in FOLDERS.items() if name.startswith(f"{at}/")), None)
        if folder:
            counted[folder] += lines
    return counted


def faults(root: Path) -> Iterator[str]:
    for name, lines in count(root).items():
        if lines > BUDGETS[name]:
            yield f"{name}: {lines} lines of code, {lines - BUDGETS[name]} more than its budget"
    for path in sorted(root.rglob("*.py")):
        for function, lines in functions(path.read_text("utf-8")):
            if lines > LONGEST_FUNCTION:
                yield f"{path.relative_to(root)}: {function} has {lines} lines of code: divide it"


def main() -> int:
    for name, lines in count(TEMPLATE).items():
        print(f"{name:15} {lines:5} of {BUDGETS[name]}")
    found = list(faults(TEMPLATE))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
