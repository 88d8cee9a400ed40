"""What Debian's packages install, run by an account that it accepts."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def find(program: str) -> str | None:
    """Its path. The PATH of an ordinary account has not the folder of Debian's servers."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


POSTGRES = max(
    Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None
)
PGBOUNCER = find("pgbouncer")

# PostgreSQL and PgBouncer refuse to run as root.
ACCOUNT = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def until(probe: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something to become true, and fail if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def own(*paths: Path) -> None:
    for path in paths:
        os.chown(path, ACCOUNT.pw_uid, ACCOUNT.pw_gid)


def start(command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=ACCOUNT.pw_uid,
            group=ACCOUNT.pw_gid,
            extra_groups=[] if os.geteuid() == 0 else None,
        )


def run(command: Sequence[str | Path], log: Path) -> None:
    assert start(command, log).wait(timeout=60) == 0, log.read_text("utf-8")


def _environment() -> Mapping[str, str]:
    return {"LC_ALL": "C", "PATH": os.environ["PATH"]}
