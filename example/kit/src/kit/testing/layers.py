"""What a module may use, by its name.

Everything that this forbids would work, so only a test can prevent it.
"""

import ast
import re
from collections.abc import Iterator

ENGINES = r"psycopg2?|(sqlalchemy|sqlmodel)\.(\w*[Ee]ngine|Connection|event|pool|ext)"
FORBIDDEN = {
    "router.py": {
        r"psycopg2?|sqlalchemy|sqlmodel\.(?!SQLModel\b|Field\b)": "Statements go in repository.py.",
        r"kit\.database": "A route may use only CallerDatabase of app/identity.py.",
        r"(\w+\.)*state\.database": "It reaches the rows of all users.",
    },
    "repository.py": {
        ENGINES: "Only self.database runs statements for its user.",
        r"kit\.database\.Database|(\w+\.)*unscoped": "It reaches the rows of all users.",
        r"fastapi|starlette|app\.identity": "Scripts use repositories too: no HTTP here.",
    },
}


def mistakes(module: str, source: str) -> list[str]:
    """What a module of this file name uses, and why it must not."""
    rules = FORBIDDEN.get(module, {})
    return [
        f"{name}: {reason}"
        for name in uses(ast.parse(source))
        for pattern, reason in rules.items()
        if re.match(rf"(?:{pattern})\b", name)
    ]


def uses(tree: ast.Module) -> Iterator[str]:
    """Imports and attributes, by their full names."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Attribute():
                yield ast.unparse(node)
