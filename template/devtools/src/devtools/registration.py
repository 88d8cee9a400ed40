"""One more router in `app/routers.py`, where the rest stays as its team wrote it."""

import ast
from typing import NamedTuple

from devtools.errors import DevtoolsError


class Insertion(NamedTuple):
    line: int  # from 0
    column: int  # in bytes, as in `ast`
    text: str


def register(source: str, plural: str) -> str:
    tree = ast.parse(source)
    routers = _routers(tree)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    if any(plural in {alias.asname or alias.name for alias in node.names} for node in imports):
        raise DevtoolsError(f"app/routers.py imports {plural} already.")
    after = imports[-1].end_lineno if imports else routers.lineno - 1
    insertions = [
        Insertion(after or 0, 0, f"from app.{plural}.router import router as {plural}\n"),
        *_entry(routers, plural, source.encode().splitlines()),
    ]
    return _insert(source, insertions)


def _routers(tree: ast.Module) -> ast.List:
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="ROUTERS")], value=ast.List() as routers)
                | ast.AnnAssign(target=ast.Name(id="ROUTERS"), value=ast.List() as routers)
            ):
                return routers
    raise DevtoolsError("app/routers.py has no ROUTERS = [...], a list to add to: restore it.")


def _entry(routers: ast.List, plural: str, lines: list[bytes]) -> list[Insertion]:
    if not routers.elts:
        return [Insertion(routers.lineno - 1, routers.col_offset + 1, plural)]
    last = routers.elts[-1]
    line, column = (last.end_lineno or 0) - 1, last.end_col_offset or 0
    if routers.end_lineno == last.end_lineno:
        return [Insertion(line, column, f", {plural}")]
    text = lines[last.lineno - 1]
    indent = " " * (len(text) - len(text.lstrip()))
    has_comma = b"," in lines[line][column:].partition(b"#")[0]
    return [
        *([] if has_comma else [Insertion(line, column, ",")]),
        Insertion(line + 1, 0, f"{indent}{plural},\n"),
    ]


def _insert(source: str, insertions: list[Insertion]) -> str:
    lines = source.encode().splitlines(keepends=True)
    for line, column, text in sorted(insertions, reverse=True):
        lines[line] = lines[line][:column] + text.encode() + lines[line][column:]
    return b"".join(lines).decode()
