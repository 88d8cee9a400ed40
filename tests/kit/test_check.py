import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit.check import Finding, findings
from kit.database_url import parse_url
from kit.settings import DatabaseSettings
from kit.testing.servers import migrate
from sqlalchemy import NullPool, create_engine, text

from tests.kit.services import make_settings


def found(settings: DatabaseSettings) -> list[Finding]:
    async def all_of_them() -> list[Finding]:
        return [finding async for finding in findings(settings)]

    return asyncio.run(all_of_them())


def failed(settings: DatabaseSettings) -> set[str]:
    return {finding.text for finding in found(settings) if finding.verdict == "FAIL"}


def test_nothing_fails_on_a_migrated_database(database_url: str) -> None:
    settings = make_settings(database_url)
    assert not failed(settings)
    assert ("ok", "DATABASE_URL reaches the tables of this code, with row security.") in found(
        settings
    )


def test_httptools_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With it, uvicorn takes the body of a request for another request."""
    (tmp_path / "httptools").mkdir()
    (tmp_path / "httptools/__init__.py").touch()
    settings = make_settings("postgresql://127.0.0.1:1/nowhere")
    assert not [finding for finding in found(settings) if "httptools" in finding.text]
    monkeypatch.syspath_prepend(tmp_path)
    assert found(settings)[0].verdict == "FAIL"
    assert "httptools" in found(settings)[0].text


def test_a_header_that_anyone_could_set_is_worth_a_note(database_url: str) -> None:
    text = "Let only a gateway that sets X-Login itself reach the service."
    assert ("note", text) in found(make_settings(database_url, user_id_header="X-Login"))
    verified = DatabaseSettings(_env_file=None, database_url=database_url)
    assert not [finding for finding in found(verified) if "gateway" in finding.text]


def test_a_schema_that_is_not_the_codes_fails(empty_database: str) -> None:
    settings = make_settings(empty_database)
    assert (
        "DATABASE_URL: The schema does not match this code. Run: alembic upgrade head."
        in failed(settings)
    )
    migrate(empty_database)
    assert not failed(settings)


def test_a_table_without_row_security_fails(empty_database: str) -> None:
    migrate(empty_database)
    with create_engine(parse_url(empty_database), poolclass=NullPool).begin() as connection:
        connection.execute(text("ALTER TABLE task DISABLE ROW LEVEL SECURITY"))
    assert "DATABASE_URL: task has no row security. Run: alembic upgrade head." in failed(
        make_settings(empty_database)
    )


def test_a_script_learns_from_the_exit_status_that_a_database_is_out_of_reach() -> None:
    url = "postgresql://user:secret@127.0.0.1:1/database"
    checked = subprocess.run(
        [sys.executable, "-m", "kit.check"],
        env={**os.environ, "DATABASE_URL": url, "USER_ID_HEADER": "X-User-ID"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    assert "\nFAIL  DATABASE_URL does not work: " in checked.stdout
    assert "secret" not in checked.stdout + checked.stderr
