"""Rendered projects, and the tools that run in them."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

UV = os.environ.get("UV", "uv")  # set by `uv run`, also where uv is not on the PATH
DEV = [UV, "run", "--no-sync", "dev", "--port", "{port}"]
"""The development server, for `tests.servers.running`."""

GIT_IDENTITY = {
    f"GIT_{role}_{detail}": "tests@example.com"
    for role in ("AUTHOR", "COMMITTER")
    for detail in ("NAME", "EMAIL")
}

# What a developer's shell may hold, and a project must not notice.
_NOT_INHERITED = re.compile(r"DATABASE_URL.*|PYTHONPATH|UV_PROJECT.*|USER_ID_HEADER|VIRTUAL_ENV")

DEFAULTS: Mapping[str, str] = {}
# Together, the values that are most likely to break a format they are rendered into.
QUOTES = {
    "project_name": """1. He said: "it's 100% C:\\new" *#1* &amp; <b>more #""",
    "project_slug": "a",
    "description": """- key: [value], {x} <b>`"'''\"\"\"\\t\\ | $HOME ${HOME} %(here)s *!@""",
    "user_id_header": "Remote-User",
}
UNICODE = {
    "project_name": "日本語 👩‍💻 {{ name }} {% raw %} {# é",
    "description": "Größe 👍 Ω → \u200f한국어; {{ project_name }} {% endraw %} `{{ 7 * 7 }}`",
    "user_id_header": "x",
}
LONGEST = {
    "project_name": "n" * 80,
    "project_slug": "s" * 63,
    "description": "d" * 200,
    "user_id_header": "H" * 64,
    # and everything that can be chosen
    "deploy": ["docker", "fly", "render", "kubernetes"],
    "neon_branches": True,
}
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "defaults": DEFAULTS,
    "quotes": QUOTES,
    "unicode": UNICODE,
    "longest": LONGEST,
}


POSTGRES = """
import sys
from kit.dev.postgres import Server

with Server() as server:
    print(server.url(), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Project:
    root: Path
    environment: Mapping[str, str]

    def run(self, *command: str) -> str:
        """Run to success, and return what it printed."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def sync(self, *options: str) -> None:
        """Install exactly what the project declares: an undeclared import fails."""
        self.run(UV, "lock", "--quiet", *options)
        self.run(UV, "sync", "--quiet", "--frozen")

    def files_for_git(self) -> list[str]:
        """What `git add --all` would add to a new repository here."""
        self.run("git", "init", "--quiet")
        return self.run("git", "ls-files", "--others", "--exclude-standard").splitlines()

    def uv_run(self, *command: str) -> str:
        return self.run(UV, "run", "--no-sync", *command)

    def check(self) -> None:
        """Format, lint and types."""
        for command in ("ruff format --check", "ruff check", "mypy"):
            self.uv_run(*command.split())


@contextmanager
def passable_folder() -> Iterator[Path]:
    """Unlike pytest's, one that the account which runs the servers for root can pass."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


def project_environment(shared: Path) -> dict[str, str]:
    """One environment and one type cache in `shared`, for all projects of a test worker."""
    return {
        **{name: value for name, value in os.environ.items() if not _NOT_INHERITED.match(name)},
        "UV_PROJECT_ENVIRONMENT": str(shared / "venv"),
        "MYPY_CACHE_DIR": str(shared / "mypy"),
    }


@contextmanager
def temporary_postgres(project: Project) -> Iterator[str]:
    """The URL of an empty database on the PostgreSQL that the project's tests run on."""
    with subprocess.Popen(
        [UV, "run", "--no-sync", "python", "-c", POSTGRES],
        cwd=project.root,
        env=project.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


@contextmanager
def migrated_database(project: Project) -> Iterator[str]:
    """The same, with the schema of the project."""
    with temporary_postgres(project) as url:
        environment = {**project.environment, "DATABASE_URL": url}
        replace(project, environment=environment).uv_run("alembic", "upgrade", "head")
        yield url
