import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Self
from unittest import mock

import pytest
from kit.settings import DatabaseSettings
from pydantic import Field, ValidationError, model_validator

from app.settings import Settings
from tests.kit.services import make_settings

ROOT = Path(__file__).parents[2]
URL = "postgresql://user:p%40ss%2Fw%25rd@host/database"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_the_url_reaches_psycopg2(scheme: str) -> None:
    url = make_settings(URL.replace("postgresql", scheme)).database_url
    assert url.drivername == "postgresql+psycopg2"
    assert url.password == "p@ss/w%rd"  # noqa: S105 - the point of the test


@pytest.mark.parametrize("around", ["'", '"', " ", "\n", '"\r\n'])
def test_what_is_pasted_around_a_url_is_taken_off(around: str) -> None:
    assert make_settings(around + URL + around).database_url == make_settings(URL).database_url


def test_the_folder_of_a_socket_may_stand_in_the_hosts_place() -> None:
    """As psql takes it."""
    url = make_settings("postgresql://user@%2Fvar%2Frun%2Fpostgresql/database").database_url
    assert url.host == "/var/run/postgresql"


def test_the_example_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    shown = re.findall(r"^(?:# )?([A-Z_]+)(=.*)", text, re.MULTILINE)
    assert sorted(name for name, _ in shown) == sorted(map(str.upper, Settings.model_fields))
    (tmp_path / ".env").write_text("\n".join(map("".join, shown)), "utf-8")
    values = {name.lower(): value.removeprefix("=") for name, value in shown}
    with mock.patch.dict(os.environ, clear=True):
        settings = Settings(_env_file=tmp_path / ".env")
    default = make_settings(values["database_url"], user_id_header=values["user_id_header"])
    unpooled = {"database_url_unpooled": default.migration_url}  # shown as it is derived
    assert settings == default.model_copy(update=unpooled)


@pytest.mark.parametrize("value", ["INFO", "info", "Warning"])
def test_a_log_level_is_read_in_any_case(value: str) -> None:
    assert make_settings(URL, log_level=value).log_level == value.lower()


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "1e9"])
@pytest.mark.parametrize("name", ["database_pool_timeout", "database_statement_timeout"])
def test_a_timeout_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        make_settings(URL, **{name: value})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hid@den@host/db",
        "postgresql://u:hid@den:x@host/db",
        "postgresql://u:hid/d@en@h/db",
    ],
)
def test_an_at_sign_in_the_password_is_named_without_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("USER_ID_HEADER", "X-User-ID")
    with pytest.raises(SystemExit, match="write %40 for it") as refused:
        Settings.load()
    assert "hid" not in str(refused.value)
    assert "den" not in str(refused.value)


def test_colons_in_the_password_are_part_of_it() -> None:
    assert make_settings("postgresql://u:a:b:c@host/db").database_url.password == "a:b:c"  # noqa: S105


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/database", "does not begin with postgresql://"),
        ("nonsense", "is not a URL"),
        ("postgresql:///database", "names no host"),
        ("postgresql://host", "names no database"),
        ("postgresql://host:port/database", "is not a URL"),
        ("postgresql://host/database?sslmode=requires", "has an unknown sslmode: it is one of"),
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


@pytest.mark.parametrize(
    "host", ["EP-a-POOLER.us-east-2.aws.Neon.Tech", "ep-a-pooler.us-east-2.aws.neon.tech."]
)
def test_neons_host_is_known_in_every_spelling(host: str) -> None:
    settings = make_settings(f"postgresql://u:p@{host}/neondb")
    assert settings.database_url.query["sslmode"] == "verify-full"
    assert str(settings.migration_url.host).lower() == "ep-a.us-east-2.aws.neon.tech"


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
    assert "USER_ID_HEADER: is not set. Set it to the request header" in refused.stderr
    assert len(refused.stderr.splitlines()) == 3
    assert "Traceback" not in refused.stderr


class TeamSettings(DatabaseSettings):
    undescribed: int
    by_another_name: int = Field(validation_alias="OTHER_NAME")


class TogetherSettings(DatabaseSettings):
    @model_validator(mode="after")
    def together(self) -> Self:
        raise ValueError("Set both or neither")


def test_any_setting_that_a_team_adds_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    with pytest.raises(SystemExit) as refused:
        TeamSettings.load()
    assert [line.strip() for line in str(refused.value).splitlines()[1:]] == [
        "UNDESCRIBED: is not set.",
        "OTHER_NAME: is not set.",
    ]
    with pytest.raises(SystemExit, match="SETTINGS: Value error, Set both or neither"):
        TogetherSettings.load()


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
