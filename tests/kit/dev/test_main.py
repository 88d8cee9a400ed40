"""What `dev` says and does before it serves. The template's own tests run it as a whole."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from kit.dev import main as dev

Start = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").touch()
    (tmp_path / ".env.example").write_text("USER_ID_HEADER=X-User-ID\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Run `dev` with these variables, and return the commands that it would run."""

    def run(**variables: str) -> list[str]:
        commands: list[str] = []
        monkeypatch.setattr(dev, "run", lambda command, *_: commands.append(command))
        monkeypatch.setattr(sys, "argv", ["dev"])
        monkeypatch.setattr(sys, "path", [*sys.path])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with mock.patch.dict(os.environ, {"PORT": "0", **variables}):
            dev.main()
        return [command.split()[0] for command in commands]

    return run


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "?host=/tmp"], ids=lambda host: host.strip("?[]")
)
def test_a_database_on_this_machine_is_migrated(start: Start, host: str) -> None:
    url = f"postgresql:///app{host}" if "?" in host else f"postgresql://user:secret@{host}/app"
    assert start(DATABASE_URL=url) == ["alembic", "uvicorn"]


@pytest.mark.parametrize("host", ["db.example", "localhost.example", "localhost,db.example"])
def test_of_a_database_elsewhere_it_only_says_what_is_pending(start: Start, host: str) -> None:
    url = f"postgresql://user:secret@{host}/app"
    assert start(DATABASE_URL=url) == ["kit.migrations", "uvicorn"]


def test_an_address_of_libpq_beside_the_name_decides(start: Start) -> None:
    url = "postgresql://user@localhost/app"
    assert start(DATABASE_URL=f"{url}?hostaddr=192.0.2.1") == ["kit.migrations", "uvicorn"]
    assert start(DATABASE_URL=url, PGHOSTADDR="192.0.2.1") == ["kit.migrations", "uvicorn"]


def test_migrations_go_by_the_url_that_they_use(start: Start) -> None:
    here, there = "postgresql://user@localhost/app", "postgresql://user@db.example/app"
    assert start(DATABASE_URL=here, DATABASE_URL_UNPOOLED=there) == ["kit.migrations", "uvicorn"]


def test_the_greeting_fits_80_columns_and_shows_no_password(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    host = f"ep-long-name-12345678-pooler.us-east-2.aws.neon.tech/{'n' * 10}"
    start(DATABASE_URL=f"postgresql://user:secret@{host}", USER_ID_HEADER="H" * 64)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "secret" not in said
    assert "H" * 64 in said


def test_the_environment_goes_before_the_env_file_and_that_before_the_example(
    start: Start, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".env.example").write_text("USER_ID_HEADER=Example\n")
    (project / ".env").write_text("DATABASE_URL=postgresql://user@elsewhere.example/app\n")
    assert start() == ["kit.migrations", "uvicorn"]
    assert "Example: alice" in capsys.readouterr().out
    start(DATABASE_URL="postgresql://user@other.example/app", USER_ID_HEADER="Given")
    said = capsys.readouterr().out
    assert "Given: alice" in said
    assert "other.example/app" in said


def test_a_setting_that_is_missing_is_refused_without_a_greeting(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="USER_ID_HEADER: is not set"):
        start(DATABASE_URL="postgresql://user@db.example/app", USER_ID_HEADER="")
    assert capsys.readouterr().out == ""


def test_only_the_embedded_database_is_left_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    misleading = ("PGHOST", "PGSERVICE", "http_proxy", "HTTPS_PROXY", "no_proxy")
    environment = dict.fromkeys((*misleading, "PATH", "NOTPG"), "x")
    monkeypatch.setattr(os, "environ", environment)
    dev.use_only("postgresql:///app")
    urls = dict.fromkeys(("DATABASE_URL", "DATABASE_URL_UNPOOLED"), "postgresql:///app")
    assert environment == {"PATH": "x", "NOTPG": "x", **urls}


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refusal("--port", str(port)).startswith(f"Port {port} cannot be used: stop what")


def test_a_port_that_is_none_is_refused() -> None:
    assert refusal("--port", "65536").startswith("Port 65536 cannot be used")


def test_an_env_file_that_is_not_utf_8_is_refused(project: Path) -> None:
    (project / ".env").write_bytes("NAME=Größe\n".encode("latin-1"))
    assert refusal() == "`.env` is not UTF-8: save it as UTF-8."


def test_outside_of_a_project_it_says_where_to_run_it(project: Path) -> None:
    (project / "app/main.py").unlink()
    assert refusal() == "There is no app/main.py here: run this in the project's root folder."
    assert not (project / ".postgres").exists()


def refusal(*arguments: str) -> str:
    """The one sentence that `dev` says."""
    command = [str(Path(sys.executable).with_name("dev")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr.strip()
