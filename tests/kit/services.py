"""Settings and services of the tests' own making."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import httpx2
from kit.testing.fixtures import NO_TLS

from app.settings import Settings

TASKS = "/api/v1/tasks"
Process = tuple[subprocess.Popen[bytes], str]


def make_settings(database_url: str, **others: Any) -> Settings:
    """Settings of these values alone: no environment and no `.env` has a say."""
    with mock.patch.dict(os.environ, clear=True):
        values = {"database_url": database_url, "user_id_header": "X-User-ID", **others}
        return Settings(_env_file=None, **values)


def client_of(user_id: str, service: str) -> httpx2.Client:
    return httpx2.Client(base_url=service, headers={"X-User-ID": user_id}, verify=NO_TLS)


@contextmanager
def serve_in_process(
    database_url: str, log: Path, application: str = "app.main:app", **environment: str
) -> Iterator[Process]:
    """Run the service as production does: a process of its own that logs to `log`."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        # Connections have it from the listener. asyncio does not set it on those of `--fd`.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--fd", str(listener.fileno()), application],
            env={**os.environ, "DATABASE_URL": database_url, "USER_ID_HEADER": "X-User-ID"}
            | environment,
            pass_fds=[listener.fileno()],
            stderr=output,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        httpx2.get(f"{url}/healthz", timeout=30, verify=NO_TLS)
        yield process, url
    finally:
        process.terminate()
        process.wait()
