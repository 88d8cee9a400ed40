import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.kit.services import make_settings

ROOT = Path(__file__).parents[2]
URL = "postgresql://user:p%40ss%2Fw%25rd@host/database"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_the_url_reaches_psycopg2(scheme: str) -> None:
    url = make_settings(URL.replace("postgresql", scheme)).database_url
    assert url.drivername == "postgresql+psycopg2"
    assert url.password == "p@ss/w%rd"  # noqa: S105 - the point of the test


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/database", "does not begin with postgresql://"),
        ("nonsense", "is not a URL"),
        ("postgresql:///database", "names no host"),
        ("postgresql://host", "names no database"),
        ("postgresql://host/database?sslmoed=require", 'an invalid connection option "sslmoed"'),
    ],
)
def test_a_url_that_cannot_work_is_refused(url: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_settings(url)


def test_neon_is_verified_in_full_with_certificates_that_are_there() -> None:
    neon = "postgresql://u:p@ep-cool-1.us-east-2.aws.neon.tech/neondb"
    pasted = make_settings(f"{neon}?sslmode=require&channel_binding=require").database_url.query
    assert pasted["sslmode"] == "verify-full"
    assert pasted["channel_binding"] == "require"
    assert Path(str(pasted["sslrootcert"])).is_file()
    assert make_settings(f"{neon}?sslmode=disable").database_url.query["sslmode"] == "disable"
    own = make_settings(f"{neon}?sslmode=verify-full&sslrootcert=own.pem").database_url.query
    assert own["sslrootcert"] == "own.pem"
    assert "sslmode" not in make_settings(URL).database_url.query


def test_the_urls_own_parameters_win() -> None:
    query = make_settings(f"{URL}?connect_timeout=3&application_name=mine").database_url.query
    assert (query["connect_timeout"], query["application_name"]) == ("3", "mine")


def test_migrations_use_the_direct_host_of_a_neon_pooled_one() -> None:
    pooled = "postgresql://u:p@ep-cool-1-pooler.c-2.us-east-2.aws.neon.tech/neondb"
    assert make_settings(pooled).migration_url.host == "ep-cool-1.c-2.us-east-2.aws.neon.tech"
    assert make_settings(URL).migration_url == make_settings(URL).database_url
    given = make_settings(pooled, database_url_unpooled=URL)
    assert given.migration_url == given.database_url_unpooled


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("USER_ID_HEADER", "X-User-ID")
    settings = Settings.load()
    assert settings.cors_origins == ("https://a.example", "https://b.example")


def test_the_service_says_which_settings_it_misses(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT), "app.main:app"],
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        cwd=tmp_path,  # where no `.env` can help it
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("These settings need your attention:\n")
    assert "DATABASE_URL: is not set." in refused.stderr
    assert "USER_ID_HEADER: is not set." in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_refused_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:secret@host/database")
    monkeypatch.setenv("USER_ID_HEADER", "secret header")
    with pytest.raises(SystemExit) as refused:
        Settings.load()
    assert "DATABASE_URL: does not begin with postgresql://." in str(refused.value)
    assert "USER_ID_HEADER:" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("module", ["kit.application", "kit.migrations", "app.tasks.router"])
def test_importing_a_part_needs_no_settings(module: str, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cors_origins", "*"),
        ("cors_origins", "https://app.example/"),
        ("cors_origins", '["https://app.example"]'),
        ("allowed_hosts", "*"),
        ("allowed_hosts", "https://app.example"),
        ("allowed_hosts", "api.*.example"),
    ],
)
def test_what_can_never_match_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        make_settings(URL, **{name: value})
