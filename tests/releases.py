"""The releases of this template: its git tags, and one that could come next."""

import re
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from packaging.version import InvalidVersion, Version

from hooks.rendering import ROOT, snapshot


def tags() -> list[str]:
    """Those that Copier takes for releases, oldest first."""
    listed = subprocess.check_output(["git", "tag"], cwd=ROOT, text=True).split()
    return sorted(filter(_is_version, listed), key=Version)


def _is_version(tag: str) -> bool:
    try:
        Version(tag)
    except InvalidVersion:
        return False
    return True


def check_out(tag: str | None, folder: Path) -> Path:
    """The files of a release, or those of the working tree."""
    if tag is None:
        return snapshot(folder)
    archive = subprocess.check_output(["git", "archive", tag], cwd=ROOT)
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def plausible_next(root: Path) -> None:
    """Change the working tree's template as a next release might: code, settings, schema."""
    template = root / "template"
    head = _head(template / "app/migrations/versions")
    for name, old, new in (
        ("pyproject.toml.jinja", '    "alembic', '    "anyio>=4",\n    "alembic'),
        (".env.example.jinja", "\n# Larger request", "\n# MOTTO=\n\n# Larger request"),
        ("app/settings.py", "    max_body_bytes", f"{SETTING}\n    max_body_bytes"),
        ("app/tasks/router.py", "Deletes a task.", "Deletes a task, for ever."),
        (
            "app/tasks/models.py",
            "import CheckConstraint, DateTime\n",
            "import CheckConstraint, DateTime, Index\n",
        ),
        ("app/tasks/models.py", "__table_args__ = (\n", f"__table_args__ = (\n{INDEX}"),
    ):
        text = (template / name).read_text("utf-8")
        assert text.count(old) == 1, f"{name} has not this once: {old}"
        (template / name).write_text(text.replace(old, new), "utf-8")
    migration = MIGRATION.format(head=head)
    (template / "app/migrations/versions/2027_01_01_index_task.py").write_text(migration)


def _head(versions: Path) -> str:
    texts = "".join(path.read_text("utf-8") for path in versions.glob("*.py"))
    revisions = set(re.findall(r'^revision = "(\w+)"', texts, re.MULTILINE))
    (head,) = revisions - set(re.findall(r'^down_revision = "(\w+)"', texts, re.MULTILINE))
    return str(head)


SETTING = '    motto: str = Field(default="", description="What the service stands for.")'
INDEX = '        Index("ix_task_user_id_updated_at", "user_id", "updated_at"),\n'
MIGRATION = '''"""index task"""

from alembic import op

revision = "0a1b2c3d4e5f"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_task_user_id_updated_at", "task", ["user_id", "updated_at"])


def downgrade() -> None:
    op.drop_index("ix_task_user_id_updated_at", "task")
'''
