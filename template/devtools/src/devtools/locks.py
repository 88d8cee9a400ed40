"""Files that are locked for as long as a process lives, and waiting for such things."""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO, TypeVar

from devtools.errors import DevtoolsError

T = TypeVar("T")


def until(probe: Callable[[], T], seconds: float) -> T:
    """Return the probe's first true answer, or its last one after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def make_folder(path: Path) -> Path:
    """Make a folder that the account which runs PostgreSQL can pass, whatever the umask."""
    try:
        with suppress(FileExistsError):
            path.mkdir()
            path.chmod(0o711)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def try_lock(path: Path, holder: str = "") -> TextIO | None:
    """Lock the file until it is closed, here and in each process that inherits it."""
    try:
        file = path.open("a+")
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(holder or f"process {os.getpid()}")
    file.flush()
    return file


def _unusable(path: Path, error: OSError) -> DevtoolsError:
    return DevtoolsError(
        f"Cannot write {path} ({error.strerror}): run this as the account that owns the folder."
    )
