"""A PostgreSQL of the project's own: no installation, no port, no password."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Self, TextIO

from devtools.cluster import Cluster, postgres_environment
from devtools.errors import DevtoolsError
from devtools.installation import MAJOR, find_programs, postgres_account, reachable, shared_folder
from devtools.leash import Leash
from devtools.locks import make_folder, try_lock, until

PROJECT_DATA = Path(".postgres")
PATIENCE = 10  # seconds for another process to be done with the data
RECOVERY = 120  # seconds for a start, which may have to recover from a crash

SETTINGS = (
    "--listen_addresses=",
    "--max_connections=60",
    "--shared_buffers=32MB",
    "--timezone=UTC",
)
# Commits stay synchronous: that a killed server loses nothing holds in tests, too.
FAST = ("--fsync=off", "--full_page_writes=off")


class Server:
    """PostgreSQL on a folder. One that is not durable is fast, and gone after its `with` block."""

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        data = data.resolve()
        digest = sha256(os.fsencode(data)).hexdigest()[:12]
        # Not in the data: a socket's path has room for about 100 bytes.
        sockets = Path(f"/tmp/app-pg-{os.geteuid()}-{digest}")  # noqa: S108 - its owner is checked
        account = postgres_account(data / MAJOR / "data")
        home = make_folder(make_folder(data) / MAJOR)
        if not reachable(home, account):
            home = shared_folder(f"app-postgres-data-{digest}")
        self.home = home
        self.durable = durable
        self._cluster = Cluster(home, sockets, account)
        self._owner_lock = home / "owner.lock"
        self._log = home / "postgres.log"
        self._running = ExitStack()

    def url(self, database: str = "app") -> str:
        """Build the URL, which is the same at every start."""
        # A PGPORT in the environment must not change the port.
        return f"postgresql://postgres@/{database}?host={self._cluster.sockets}&port=5432"

    def start(self) -> None:
        """Start, however the last run ended. The first start makes the database `app`."""
        with ExitStack() as running:
            running.enter_context(self._own())
            running.callback(self._remove_sockets)
            self._leash = running.enter_context(self._launch())
            self._wait_until_ready()
            self._running = running.pop_all()

    def stop(self) -> None:
        self._running.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._leash.kill()
        self._cluster.lock().close()  # which is free when the last of its processes has noticed
        self.stop()

    def has_ended(self) -> bool:
        return self._leash.process.poll() is not None

    def is_free(self) -> bool:
        """Whether no process runs it."""
        if lock := try_lock(self._owner_lock):
            lock.close()
        return lock is not None

    def is_running(self) -> bool:
        """Whether some process runs it, and it answers."""
        return not self.is_free() and self._cluster.is_ready() and self._cluster.listens()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if not self.durable:
            shutil.rmtree(self.home)

    def _own(self) -> TextIO:
        owner = until(partial(try_lock, self._owner_lock), PATIENCE)
        if owner is None:
            holder = self._owner_lock.read_text()
            raise DevtoolsError(f"{self.home} is in use by {holder}: stop that, then try again.")
        return owner

    def _launch(self) -> Leash:
        programs = find_programs(self._cluster.account)
        with self._cluster.lock() as lock, self._log.open("w") as log:
            self._cluster.prepare(programs, lock, durable=self.durable)
            return Leash(
                [
                    programs / "postgres",
                    *("-D", self._cluster.data),
                    f"--unix_socket_directories={self._cluster.sockets}",
                    *SETTINGS,
                    *(() if self.durable else FAST),
                ],
                account=self._cluster.account,
                pass_fds=[lock.fileno()],
                env=postgres_environment(),
                output=log,
            )

    def _wait_until_ready(self) -> None:
        in_time = until(lambda: self.has_ended() or self._cluster.is_ready(), RECOVERY)
        if not in_time or self.has_ended():
            tail = self._log.read_text("utf-8", "replace")[-1000:].strip()
            raise DevtoolsError(f"PostgreSQL does not start; {self._log} ends with:\n{tail}")

    def _remove_sockets(self) -> None:
        with suppress(OSError):
            self._cluster.sockets.rmdir()


@contextmanager
def embedded() -> Iterator[str]:
    """Yield the URL of the project's own database, running it for the while unless `dev` does."""
    with ExitStack() as running:
        try:
            server = Server(PROJECT_DATA)
            until(lambda: server.is_free() or server.is_running(), PATIENCE)
            if not server.is_running():
                running.enter_context(server)
        except (DevtoolsError, OSError) as error:
            raise SystemExit(str(error)) from None
        yield server.url()
