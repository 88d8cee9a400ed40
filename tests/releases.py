"""The releases of this template: its git tags, and one that could come next."""

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
    """Change the working tree's template as a next release might: its own, and the team's."""
    for name, old, new in CHANGES:
        file = root / "template" / name
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{name} has not this once: {old}"
        file.write_text(text.replace(old, new), "utf-8")
    for name in ("app/tasks/news.py", "kit/src/kit/news.py"):
        (root / "template" / name).touch()


SETTING = '    motto: str = ""\n    """What the service stands for."""\n'
CHANGES = (
    ("pyproject.toml.jinja", '    "UP", #', '    "PIE", # needless code\n    "UP", #'),
    (".env.example.jinja", "\n# Larger request", "\n# MOTTO=\n\n# Larger request"),
    ("kit/pyproject.toml.jinja", '    "alembic', '    "anyio>=4",\n    "alembic'),
    ("kit/src/kit/settings.py", "    max_body_bytes", f"{SETTING}    max_body_bytes"),
    ("kit/src/kit/health.py", "The process lives.", "The process runs."),
    ("app/tasks/router.py", "Deletes a task.", "Deletes a task, for ever."),
    ("tests/tasks/test_tasks.py", "Each operation on tasks", "Every operation on tasks"),
)
