"""Write the migration that creates a resource's tables. It reads the models, and no database.

Run as `python -m devtools.create_table notes "create note"` in a project; the last line that it
prints is the file's path.
"""

import sys
from importlib import import_module
from pathlib import Path

from alembic.autogenerate import render_op_text
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations.ops import (
    CreateIndexOp,
    CreateTableOp,
    MigrateOperation,
    MigrationScript,
    UpgradeOps,
)
from alembic.script import ScriptDirectory
from alembic.util import rev_id
from sqlalchemy import Table
from sqlmodel import SQLModel

STYLE = {
    "alembic_module_prefix": "op.",
    "sqlalchemy_module_prefix": "sa.",
    "user_module_prefix": None,
    "render_as_batch": False,
    "render_item": None,
}


def main(plural: str, message: str) -> None:
    config = Config(toml_file="pyproject.toml")
    scripts = ScriptDirectory.from_config(config)
    if len(scripts.get_heads()) > 1:
        sys.exit("There is more than one head: run `uv run alembic merge heads` first.")
    context = MigrationContext.configure(dialect_name="postgresql")
    upgrade = UpgradeOps(_create(_tables_of(f"app.{plural}.router")))
    script = MigrationScript(rev_id(), upgrade, downgrade := upgrade.reverse())
    import_module("app.migrations.row_security").secure_user_tables(context, (), [script])
    autogenerate = AutogenContext(context, opts=STYLE)
    written = scripts.generate_revision(
        str(script.rev_id),
        message,
        upgrades=_render(autogenerate, upgrade.ops),
        downgrades=_render(autogenerate, downgrade.ops),
        imports="\n".join(sorted(autogenerate.imports)),
        config=config,
    )
    assert written  # noqa: S101 - for the type checker: one was asked for
    print(Path(written.path).relative_to(Path.cwd()))


def _tables_of(module: str) -> list[Table]:
    """The tables that the module brings, each after those that it refers to."""
    import_module("app.routers")
    before = set(SQLModel.metadata.tables)
    if not hasattr(import_module(module), "router"):
        sys.exit(f"{module} has no router.")
    if not (tables := [t for t in SQLModel.metadata.sorted_tables if t.name not in before]):
        sys.exit(f"{module} brings no table.")
    return tables


def _create(tables: list[Table]) -> list[MigrateOperation]:
    operations: list[MigrateOperation] = []
    for table in tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        operations.append(CreateTableOp.from_table(table))
        operations.extend(CreateIndexOp.from_index(index) for index in indexes)
    return operations


def _render(context: AutogenContext, operations: list[MigrateOperation]) -> str:
    return "\n".join(render_op_text(context, each) for each in operations).replace("\n", "\n    ")


if __name__ == "__main__":
    main(*sys.argv[1:])
