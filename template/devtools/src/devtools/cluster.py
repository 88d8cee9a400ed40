"""The files of one PostgreSQL: made whole or not at all, and run by one server at a time."""

import os
import shutil
import signal
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TextIO

from devtools.errors import DevtoolsError
from devtools.installation import check_owner
from devtools.leash import GRACE, Account, run
from devtools.locks import try_lock, until

INITDB = (
    "--username=postgres",
    "--auth=trust",  # only this account can open the folder of the socket
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)


def postgres_environment() -> dict[str, str]:
    """Leave out what would have PostgreSQL behave differently from one machine to the other."""
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LANG", "LC_", "PG"))
    }
    return {**others, "LC_ALL": "C"}


class Cluster:
    def __init__(self, home: Path, sockets: Path, account: Account) -> None:
        self.data = home / "data"
        self.sockets = sockets
        self.account = account
        self._lock = home / "data.lock"
        self._pid_file = self.data / "postmaster.pid"

    def lock(self) -> TextIO:
        """Lock the data for the caller, who owns it: any server still there has lost its owner."""
        for order, patience in ((None, 2), (signal.SIGINT, GRACE), (signal.SIGKILL, GRACE)):
            # Only while it listens is the number in the file surely that of the server.
            if order and self.listens():
                with suppress(OSError):
                    os.kill(int(self._pid_file.read_bytes().split()[0]), order)
            if lock := until(partial(try_lock, self._lock), patience):
                return lock
        raise DevtoolsError(f"PostgreSQL still runs on {self.data}: stop it, then try again.")

    def prepare(self, programs: Path, lock: TextIO, *, durable: bool) -> None:
        """Make what a server needs to start, and remove what a killed one has left."""
        if not self.data.exists():
            self._initialise(programs, lock, durable=durable)
        with suppress(FileExistsError):
            self.sockets.mkdir(mode=0o700)
            os.chown(self.sockets, *self.account)
        check_owner(self.sockets, self.account.uid)
        # With the lock, these are of no server. They would forbid the start if some other process
        # has the number by now.
        for leftover in (self._pid_file, *self.sockets.glob(".s.PGSQL.*")):
            leftover.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        with suppress(OSError):
            return self._pid_file.read_bytes().split()[-1:] == [b"ready"]
        return False

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.settimeout(1)
            client.connect(str(self.sockets / ".s.PGSQL.5432"))
            return True
        return False

    def _initialise(self, programs: Path, lock: TextIO, *, durable: bool) -> None:
        new = self.data.with_name("data.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        os.chown(new, *self.account)
        create = "CREATE DATABASE app"
        sync = [] if durable else ["--no-sync"]
        self._run([programs / "initdb", *INITDB, *sync, "--pgdata", new], lock)
        self._run([programs / "postgres", "--single", "-D", new, "postgres"], lock, create)
        new.rename(self.data)

    def _run(self, command: list[str | Path], lock: TextIO, text: str = "") -> None:
        code, output = run(
            command,
            account=self.account,
            pass_fds=[lock.fileno()],
            env=postgres_environment(),
            text=text,
        )
        if code:
            raise DevtoolsError(f"PostgreSQL cannot make {self.data}: {output.strip()}")
