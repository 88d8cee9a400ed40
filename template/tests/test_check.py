import os
import subprocess
import sys
from pathlib import Path

from app.check import findings
from tests.conftest import make_settings, migrate


def test_nothing_fails_on_a_migrated_database(database_url: str) -> None:
    found = list(findings(make_settings(database_url)))
    assert not [finding for finding in found if finding.verdict == "FAIL"]
    assert ("ok", "Row security is effective on task.") in found


def test_a_schema_that_is_not_the_codes_fails(empty_database: str) -> None:
    settings = make_settings(empty_database)
    failed = {finding.text for finding in findings(settings) if finding.verdict == "FAIL"}
    assert "The schema is not the one of this code: run alembic upgrade head." in failed
    assert "task has no row security: see app/migrations." in failed
    migrate(empty_database)
    assert not [finding for finding in findings(settings) if finding.verdict == "FAIL"]


def test_a_script_learns_from_the_exit_status_that_a_database_is_out_of_reach() -> None:
    url = "postgresql://user:secret@127.0.0.1:1/database"
    checked = subprocess.run(
        [sys.executable, "-m", "app.check"],
        env={**os.environ, "DATABASE_URL": url, "USER_ID_HEADER": "X-User-ID"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    assert checked.stdout.startswith("FAIL  DATABASE_URL does not reach the database: ")
    assert "secret" not in checked.stdout + checked.stderr
