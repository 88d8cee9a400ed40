"""Start Python in a rendered project as a fork of one that has imported the project's packages.

It is the same code with the same arguments, folder and environment. Only the 1.3 s of CPU that
FastAPI, SQLAlchemy and Alembic take to import are saved, each of more than a hundred times.
"""

import atexit
import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

PACKAGES = (
    *("alembic.autogenerate", "alembic.command", "alembic.config", "alembic.migration", "fastapi"),
    *("psycopg2.extras", "pydantic.v1", "pydantic_settings", "sqlalchemy.dialects.postgresql"),
    *("sqlmodel", "starlette.middleware.cors", "starlette.middleware.trustedhost"),
    *("starlette.testclient", "uuid_utils.compat"),
    *("uvicorn.lifespan.on", "uvicorn.main", "uvicorn.protocols.http.h11_impl"),
)


class Process:
    """What the tests need of `subprocess.Popen`."""

    def __init__(self, parent: "_Parent", pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        self.returncode: int | None = None
        self._parent = parent

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._parent.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float = 60) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            assert time.monotonic() < deadline, f"not within {timeout} s"
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def start(
    python: str,
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    passed: Sequence[int] = (),
) -> Process:
    """Start `python` with the arguments, in a session of its own, with a log beside the folder."""
    parent = _parent(python)
    log = folder.parent / f"{uuid4()}.log"
    what = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
    with log.open("wb") as output:
        pid = parent.ask({**what, "passed": passed}, output.fileno(), *passed)
    assert pid
    return Process(parent, pid, log)


@cache
def _parent(python: str) -> "_Parent":
    """Of all projects that are started in this environment."""
    parent = _Parent(python)
    atexit.register(parent.end)
    return parent


class _Parent:
    def __init__(self, python: str) -> None:
        self._lock = Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                [python, "-P", __file__, str(descriptor)],
                stdin=subprocess.DEVNULL,
                pass_fds=[descriptor],
            )

    def ask(self, request: Mapping[str, Any], *descriptors: int) -> int | None:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode() + b"\n"], descriptors)
            answer: int | None = json.loads(self._socket.recv(100))
        return answer

    def end(self) -> None:
        self._socket.close()
        self._process.wait()


def _answer(requests: socket.socket) -> Sequence[str]:
    """Fork on request, and return in the child, with its arguments."""
    while True:
        message, descriptors, *_ = socket.recv_fds(requests, 2**16, 9)
        while message and not message.endswith(b"\n"):
            message += requests.recv(2**16)
        if not message:
            sys.exit()
        request = json.loads(message)
        answer: int | None
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif not (answer := os.fork()):
            requests.close()
            _become(request, descriptors)
            return list(request["arguments"])
        for descriptor in descriptors:
            os.close(descriptor)
        requests.sendall(json.dumps(answer).encode())


def _become(request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    os.setsid()
    for given, wanted in zip(descriptors, (1, *request["passed"]), strict=True):
        os.dup2(given, wanted)
    os.dup2(1, 2)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path.insert(0, request["folder"])


def _run(first: str, *others: str) -> None:
    match first:
        case "-m":
            sys.argv = list(others)
            runpy.run_module(others[0], run_name="__main__", alter_sys=True)
        case "-c":
            sys.argv = ["-c", *others[1:]]
            exec(others[0], {"__name__": "__main__"})  # noqa: S102 - as `python -c` does
        case script:
            sys.argv = [script, *others]
            sys.path[0] = str(Path(script).parent)
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    for package in PACKAGES:
        import_module(package)
    gc.freeze()  # collecting garbage would copy the pages that the forks share
    _run(*_answer(socket.socket(fileno=int(sys.argv[1]))))
