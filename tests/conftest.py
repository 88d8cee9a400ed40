import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.rendering import leave_git_hook, snapshot
from tests import readme
from tests.neon.programs import POSTGRES, find
from tests.projects import passable_folder

# They run in a rendered project: test_kit.py, fastapi_tutorial/test_tutorial.py.
collect_ignore = ["kit", "fastapi_tutorial/plugin"]


# Beside PostgreSQL: tests/neon/programs.py finds it.
PROGRAMS = ("caddy", "chromium", "haproxy", "javac", "nginx", "pgbouncer")


def pytest_report_header(config: pytest.Config) -> list[str]:
    missing = [name for name in PROGRAMS if not find(name)]
    missing += [] if POSTGRES else ["Debian's postgresql"]
    about = [] if config.option.markexpr else [f"{readme.ABOUT_TESTS}."]
    return [*about, *([f"Some are skipped without {', '.join(missing)}."] if missing else [])]


def pytest_xdist_auto_num_workers() -> int:
    """One more than CPUs, as a test waits for a quarter of its time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests come last: no worker waits long for the other's last test."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither the developer's Copier settings nor a surrounding git hook reaches a test."""
    settings = tmp_path_factory.mktemp("copier") / "settings.yml"
    settings.write_text("{}\n")
    leave_git_hook()
    # Containers set it. Each of hundreds of processes would compile all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["COPIER_SETTINGS_PATH"] = str(settings)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as a template, apart from the repository itself."""
    return snapshot(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """Where the projects of this test worker have their environment and type cache.

    In a folder of pytest's, each start of PostgreSQL for root would copy its programs: 1 s of CPU.
    """
    with passable_folder() as shared:
        yield shared


@pytest.fixture
def folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder
