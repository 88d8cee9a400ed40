"""Run a command that cannot outlive its holder, even if the holder is killed.

The holder keeps one end of a pipe. This file, run as a script in a process between the two, has
the other end: it reads its end of file when the holder lets go or dies in whatever way.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from select import select
from typing import IO, NamedTuple, Self

GRACE = 10  # seconds between asking a command to stop and killing it


class Account(NamedTuple):
    uid: int
    gid: int


class Leash:
    """A command in a session of its own, out of reach of the terminal's Ctrl-C."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        account: Account | None = None,
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        output: IO[str] | int | None = None,
    ) -> None:
        pipe, held = os.pipe()
        self._held = os.fdopen(held, "wb")
        uid, gid = account or (os.geteuid(), os.getegid())
        # Isolated (-I) and without site packages (-S): quick, and the same in every project.
        script = [sys.executable, "-IS", __file__, str(pipe), str(uid), str(gid)]
        with os.fdopen(pipe):
            self.process = subprocess.Popen(
                [*script, *command],
                pass_fds=[pipe, *pass_fds],
                env=env,
                stdin=output if output in {None, subprocess.PIPE} else subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            )

    def stop(self) -> None:
        """Interrupt the command, and kill what is left of it after the grace."""
        if not self._held.closed:
            self._held.close()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE + 2)
            self.kill()

    def kill(self) -> None:
        # The group outlives its leader: this also finds a command whose leash was killed.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def run(
    command: Sequence[str | Path],
    *,
    account: Account | None = None,
    pass_fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    text: str = "",
) -> tuple[int, str]:
    """Run a command to its end: its exit code, and all that it printed."""
    with Leash(
        command, account=account, pass_fds=pass_fds, env=env, output=subprocess.PIPE
    ) as leash:
        output, _ = leash.process.communicate(text)
    return leash.process.returncode, output


def _main(end: str, uid: str, gid: str, *command: str) -> int:
    pipe = int(end)
    os.set_inheritable(pipe, False)
    ended, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    switch = int(uid) != os.geteuid()
    child = subprocess.Popen(
        command,
        close_fds=False,
        cwd="/" if switch else None,  # the other account may not reach the folder that we are in
        user=int(uid),
        group=int(gid),
        extra_groups=[] if switch else None,
    )
    while child.poll() is None:
        if pipe in select([pipe, ended], [], [])[0]:
            child.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE)
            os.killpg(0, signal.SIGKILL)  # the whole group, this process with it
        os.read(ended, 1)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
