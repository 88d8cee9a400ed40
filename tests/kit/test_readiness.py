"""What makes every request fail makes the service not ready, and what it says mends it."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from kit.application import create_app
from kit.database import Database
from kit.database_url import parse_url
from kit.readiness import find_faults
from kit.testing.servers import migrate, serve
from sqlalchemy import NullPool, create_engine, make_url, text

from app.resources import ROUTERS
from tests.kit.services import make_settings

BROKEN = {
    "disabled": ("ALTER TABLE task DISABLE ROW LEVEL SECURITY", "task has no row security"),
    "no policy": ("DROP POLICY owner ON task", "task has no row security"),
    "no grants": ("REVOKE ALL ON task FROM {users}", "The users' role may not use task"),
    "a grant less": ("REVOKE DELETE ON task FROM {users}", "The users' role may not use task"),
    "no role": ("DROP OWNED BY {users}; DROP ROLE {users}", "task has no row security"),
    "a role that can log in": ("ALTER ROLE {users} LOGIN", "The role {users} can log in"),
    "a powerful role": ("GRANT pg_read_all_data TO {users}", "The role {users} is a member of pg_"),
    "no right to the schema": (
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "There is no table task, or a column of it is missing",
    ),
    "another schema": (
        'CREATE SCHEMA "My App"; ALTER TABLE task SET SCHEMA "My App";'
        'ALTER TABLE alembic_version SET SCHEMA "My App"',
        'task is in the schema "My App", which is not seen',
    ),
    "off": ("ALTER DATABASE {name} SET row_security = off", "row_security is off"),
    "read-only": (
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "Transactions are read-only",
    ),
}


def named(url: str, template: str) -> str:
    name = str(make_url(url).database)
    return template.format(name=name, users=f"{name[:50]}_rls")


def execute(url: str, statements: str) -> None:
    engine = create_engine(parse_url(url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(named(url, statements)))


def faults(url: str) -> list[str]:
    database = Database(make_settings(url))
    try:
        return asyncio.run(find_faults(database))
    finally:
        database.dispose()


@pytest.mark.parametrize(("statements", "fault"), BROKEN.values(), ids=list(BROKEN))
def test_what_it_says_mends_it(empty_database: str, statements: str, fault: str) -> None:
    migrate(empty_database)
    assert faults(empty_database) == []
    execute(empty_database, statements)
    for _ in range(3):  # what is mended can uncover another
        found = faults(empty_database)
        if not found:
            break
        assert found[0].startswith(named(empty_database, fault))
        for remedy in re.findall(r"Run: (.*)", "\n".join(found)):
            migrate(empty_database) if "alembic" in remedy else execute(empty_database, remedy)
        fault = ""
    assert faults(empty_database) == []


def test_the_service_is_not_ready_and_says_why(empty_database: str) -> None:
    migrate(empty_database)
    execute(empty_database, BROKEN["no grants"][0])
    with serve(create_app(make_settings(empty_database), ROUTERS)) as url:
        refused = httpx2.get(f"{url}/readyz")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.json()["detail"] == (
            "The users' role may not use task. Run: alembic upgrade head"
        )
        migrate(empty_database)
        assert httpx2.get(f"{url}/readyz").status_code == 200


def test_an_encoding_that_cannot_hold_every_text_is_a_fault(empty_database: str) -> None:
    latin = make_url(empty_database).set(database=f"{make_url(empty_database).database}_latin1")
    create = "CREATE DATABASE {name}_latin1 ENCODING LATIN1 LOCALE 'C' TEMPLATE template0"
    execute(empty_database, create)
    try:
        (fault, *_) = faults(latin.render_as_string(hide_password=False))
    finally:
        execute(empty_database, "DROP DATABASE {name}_latin1 WITH (FORCE)")
    assert fault == (
        "The encoding is LATIN1, not UTF8."
        f" Run: CREATE DATABASE {latin.database}_utf8 ENCODING UTF8 TEMPLATE template0,"
        " and restore into it"
    )


@pytest.mark.parametrize("change", ["ALTER TABLE task DROP description", "DROP TABLE task"])
def test_what_was_changed_by_hand_is_mended_by_a_revision(
    empty_database: str, tmp_path: Path, change: str
) -> None:
    """In a copy of the project, as it writes a revision."""
    migrate(empty_database)
    execute(empty_database, change)
    (fault,) = faults(empty_database)
    assert "alembic revision --autogenerate" in fault
    shutil.copytree("app", tmp_path / "app")
    shutil.copy("pyproject.toml", tmp_path)
    environment = {"DATABASE_URL": empty_database, "USER_ID_HEADER": "X-User-ID"}
    for arguments in ("alembic revision --autogenerate", "alembic upgrade head", "kit.check"):
        subprocess.run(
            [sys.executable, "-m", *arguments.split()],
            cwd=tmp_path,
            env=os.environ | environment,
            check=True,
        )
