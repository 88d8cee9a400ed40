"""One server for all these tests. Each leaves it running."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2
import pytest
from devtools.errors import DevtoolsError
from devtools.postgres import Server, embedded


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # for the account that runs PostgreSQL if the tests run as root
        path = Path(folder) / ("long" * 50) / "with spaces"
        path.mkdir(parents=True)
        yield path


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    with Server(project / ".postgres", durable=False) as server:
        yield server


@pytest.fixture
def in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def query(server: Server, sql: str) -> str:
    with closing(psycopg2.connect(server.url())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
    assert row
    return str(row[0])


def pid_file(server: Server) -> Path:
    return server.home / "data" / "postmaster.pid"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_long_path_with_spaces_works(server: Server, project: Path) -> None:
    assert query(server, "SHOW data_directory").startswith(str(project))


def test_data_survives_kill_9(server: Server) -> None:
    query(server, "CREATE TABLE kept AS SELECT 1; SELECT 1")
    server.kill()
    server.start()
    assert query(server, "SELECT count(*) FROM kept") == "1"


def test_stopping_leaves_no_process(server: Server) -> None:
    pid = int(pid_file(server).read_text().split()[0])
    server.stop()
    assert not is_alive(pid)
    assert server.is_free()
    server.start()


def test_a_stale_pid_file_of_a_stranger_does_not_stop_a_start(server: Server) -> None:
    left_behind = pid_file(server).read_text().splitlines()
    server.kill()
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        pid_file(server).write_text("\n".join([str(stranger.pid), *left_behind[1:]]))
        server.start()
        assert stranger.poll() is None
        stranger.kill()
    assert query(server, "SELECT 1") == "1"


def test_the_environment_has_no_say(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stop()
    strange = {"LANG": "xx_YY", "LC_ALL": "de_DE.UTF-8", "PGHOST": "/nowhere", "PGPORT": "1"}
    for name, value in {**strange, "PGDATA": "/nowhere", "PGDATABASE": "none"}.items():
        monkeypatch.setenv(name, value)
    server.start()
    assert query(server, "SHOW lc_messages") == "C"


def test_a_second_server_on_the_same_data_is_refused(
    server: Server, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devtools.postgres.PATIENCE", 0)
    with pytest.raises(DevtoolsError, match=f"in use by process {os.getpid()}"):
        Server(project / ".postgres").start()
    assert query(server, "SELECT 1") == "1"


@pytest.mark.usefixtures("in_project")
def test_a_running_database_is_used_as_it_is(server: Server) -> None:
    with embedded() as url:
        assert url == server.url()
    assert query(server, "SELECT 1") == "1"


@pytest.mark.usefixtures("in_project")
def test_a_database_that_does_not_run_is_started_for_the_while(server: Server) -> None:
    server.stop()
    with embedded():
        assert query(server, "SELECT 1") == "1"
    assert server.is_free()
    server.start()


def test_the_first_start_after_a_killed_first_start_succeeds(project: Path) -> None:
    """initdb is the slow part of the first start, and does not like what it left itself."""
    half_made = project / "killed" / "18" / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").touch()
    with Server(project / "killed", durable=False) as server:
        assert query(server, "SELECT 1") == "1"
    assert not half_made.exists()
