"""The contestants' processes: one uvicorn worker each, on a database near or far."""

import http.client
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.load import Request

ROOT = Path(__file__).parents[1]

USER = "X-User-ID"
UVICORN = ("--loop", "asyncio", "--http", "h11", "--log-level", "info")


# As in a container with one CPU. On more, Python's threads would mostly wait for one another.
CPUS = sorted(os.sched_getaffinity(0))
WORKERS_CPU, OTHER_CPUS = CPUS[-1], CPUS[:-1] or CPUS


@dataclass(frozen=True)
class Contestant:
    name: str
    database: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


SERVICE = Contestant(
    "service", "app", ("app.main:app",), {"USER_ID_HEADER": USER, "LOG_FORMAT": "json"}
)
TUTORIAL = Contestant("tutorial", "tutorial", ("bench.apps.tutorial:app",), {})
TUTORIAL_10 = Contestant(
    "tutorial, pool of 10", "tutorial", ("bench.apps.tutorial:app",), {"POOL_OF_10": "1"}
)
BY_HAND = Contestant("by hand", "app", ("bench.apps.by_hand:app",), {})
LIMIT = Contestant("limit", "app", ("bench.apps.limit:app", "--no-access-log"), {})
CONTESTANTS = (SERVICE, TUTORIAL, TUTORIAL_10, BY_HAND, LIMIT)


@dataclass(frozen=True)
class Worker:
    contestant: Contestant
    process: psutil.Popen
    port: int
    started_in: float  # seconds until the first answer that needs the database

    def call(self, request: Request) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {USER: request.user, "Content-Type": "application/json"}
        connection.request(request.method, request.path, request.body, headers)
        status = connection.getresponse().status
        connection.close()
        if status // 100 != 2:  # noqa: PLR2004
            raise RuntimeError(f"{self.contestant.name} answers {request} with {status}.")


@contextmanager
def worker(contestant: Contestant, server: str) -> Iterator[Worker]:
    """Run it, once it answers. `server` is a URL with `{database}` for the database's name."""
    url = server.replace("{database}", contestant.database)
    environment = {
        **os.environ,
        **contestant.environment,
        "DATABASE_URL": url,
        "SYNC_URL": url.replace("postgresql:", "postgresql+psycopg2:"),
        "ASYNC_URL": url,
        "PYTHONPATH": str(ROOT),
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Path("worker.log").open("ab") as log:
        begun = time.perf_counter()
        process = psutil.Popen(
            [sys.executable, "-m", "uvicorn", *contestant.command, "--port", str(port), *UVICORN],
            env=environment,
            stdout=log,
            stderr=log,
        )
        process.cpu_affinity([WORKERS_CPU])
        try:
            yield Worker(contestant, process, port, _until_ready(process, port) - begun)
        finally:
            process.terminate()
            process.wait()


def _until_ready(process: psutil.Popen, port: int) -> float:
    while process.poll() is None:
        with suppress(ConnectionRefusedError):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/api/v1/tasks", headers={USER: "nobody"})
            status = connection.getresponse().status
            if status == http.HTTPStatus.OK:
                return time.perf_counter()
            raise RuntimeError(f"The worker answers {status}: see worker.log.")
        time.sleep(0.005)
    raise RuntimeError(f"The worker ended: {Path('worker.log').read_text('utf-8')[-2000:]}")
