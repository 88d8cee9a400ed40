"""A load generator, a process of its own: so many connections, each with one request at a time.

Reads a job from the standard input and writes its outcome to the standard output, both JSON.
"""

import asyncio
import itertools
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from time import perf_counter, process_time
from typing import cast

import uvloop

FEWEST = 3  # answers, however slow


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    user: str
    body: str = ""

    def encode(self) -> bytes:
        return (
            f"{self.method} {self.path} HTTP/1.1\r\nHost: localhost\r\nX-User-ID: {self.user}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n\r\n{self.body}"
        ).encode()


@dataclass(frozen=True)
class Outcome:
    """Requests per second, seconds at two percentiles, and the generator's own share of a CPU."""

    rate: float
    count: int
    p50: float
    p99: float
    cpu: float


def run(
    port: int,
    requests: Sequence[Request],
    *,
    seconds: float,
    connections: int = 32,
) -> Outcome:
    job = {
        "port": port,
        "requests": [asdict(request) for request in requests],
        "seconds": seconds,
        "warm_up": min(0.5, seconds / 2),
        "connections": connections,
    }
    command = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(command, input=json.dumps(job).encode(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return Outcome(**json.loads(done.stdout))


class _Client(asyncio.Protocol):
    """Sends the next request when the answer to the last is complete."""

    def __init__(self, requests: Iterator[bytes], took: list[float]) -> None:
        self._requests = requests
        self._took = took
        self._received = b""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent = perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        if not head.startswith(b"HTTP/1.1 2"):
            self.failed.set_exception(RuntimeError(self._received.decode()))
            self._transport.close()
            return
        self._took.append(perf_counter() - self._sent)
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.failed.done():
            self.failed.set_exception(exc or ConnectionError("The server closed a connection."))


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def _load(
    port: int, requests: Sequence[Request], seconds: float, warm_up: float, connections: int
) -> Outcome:
    encoded = [request.encode() for request in requests]
    random.Random(1).shuffle(encoded)  # noqa: S311 - the same order in each run
    cycle, took = itertools.cycle(encoded), list[float]()
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: _Client(cycle, took), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(warm_up)
    begun, cpu = perf_counter(), process_time()
    took.clear()
    while perf_counter() < begun + seconds or len(took) < FEWEST:
        failures = [client.failed for client in clients]
        await asyncio.wait(failures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for failed in failures:
            if failed.done():
                failed.result()
    elapsed = perf_counter() - begun
    percentiles = quantiles(took, n=100, method="inclusive")
    cpu = process_time() - cpu
    return Outcome(len(took) / elapsed, len(took), percentiles[49], percentiles[98], cpu / elapsed)


def main() -> None:
    job = json.load(sys.stdin)
    job["requests"] = [Request(**request) for request in job["requests"]]
    json.dump(asdict(uvloop.run(_load(**job))), sys.stdout)


if __name__ == "__main__":
    main()
