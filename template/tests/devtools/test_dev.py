"""What `dev` says before it serves. The template's own tests run it as a whole."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from devtools.banner import banner
from devtools.dev import only_one, parse_port, read_settings
from devtools.errors import DevtoolsError


@pytest.fixture
def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
    return port


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("devtools.dev.PATIENCE", 0)


def test_the_environment_goes_before_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=1\nUSER_ID_HEADER=X-User\nDATABASE_URL=\n")
    monkeypatch.setenv("PORT", "2")
    monkeypatch.setenv("user_id_header", "")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    settings = read_settings()
    assert (settings["PORT"], settings["USER_ID_HEADER"]) == ("2", "X-User")
    assert "DATABASE_URL" not in settings


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "", "8000 "])
def test_a_port_is_a_number_from_1_to_65535(text: str) -> None:
    with pytest.raises(DevtoolsError, match="from 1 to 65535"):
        parse_port(text)


def test_a_port_in_use_is_refused_and_another_proposed(free_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        with (
            pytest.raises(DevtoolsError, match=f"Port {free_port} .* try --port"),
            only_one(free_port),
        ):
            pass


def test_a_second_dev_learns_where_the_first_is(free_port: int) -> None:
    with (
        only_one(free_port),
        pytest.raises(DevtoolsError, match=f"http://127.0.0.1:{free_port}"),
        only_one(free_port),
    ):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@db.example/app",
        "postgresql:///app?host=/tmp&password=s3cret",
        "host=db.example password=s3cret",
        "postgresql://user:s3cret@[broken/app",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    assert "s3cret" not in banner("http://127.0.0.1:8000", "X-User-ID", url, None)


def test_outside_of_a_project_it_says_where_to_run_it() -> None:
    command = Path(sys.executable).with_name("dev")
    result = subprocess.run([command], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "root folder" in result.stderr
