"""A load generator, a process of its own: so many connections, each with one request at a time.

Each sends its next request when it has the answer to the last, or, with a rate, when it is due.
Reads a job from the standard input and writes its outcome to the standard output, both JSON.
"""

import asyncio
import itertools
import json
import random
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from time import perf_counter, process_time
from typing import cast

import uvloop

FEWEST = 3  # answers, however slow
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


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
    """Requests per second, seconds at two percentiles, and the generator's own share of a CPU.

    `sent` is the number of all answers, also of the warm-up. Under overload, `refused` is the rate
    of answers that are no success, and `health` the seconds of a health check at p99.
    """

    rate: float
    count: int
    sent: int
    p50: float
    p99: float
    cpu: float
    refused: float
    health: float


@dataclass(frozen=True)
class Job:
    """Without `overload`, an answer that is no success is an error. `rate` is per second."""

    port: int
    requests: Sequence[Request]
    seconds: float
    connections: int = 32
    overload: bool = False
    rate: float | None = None

    def run(self) -> Outcome:
        command = [sys.executable, "-m", "bench.load"]
        job = json.dumps(asdict(self)).encode()
        done = subprocess.run(command, input=job, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return Outcome(**json.loads(done.stdout))


class _Client(asyncio.Protocol):
    """Calls `answered` with the status and the seconds of each answer, and `idle` after it."""

    def __init__(
        self,
        requests: Iterator[bytes],
        answered: Callable[[int, float], None],
        idle: "Callable[[_Client], None]",
    ) -> None:
        self._requests = requests
        self._answered = answered
        self._idle = idle
        self._received = b""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._idle(self)

    def send(self) -> None:
        self._sent = perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        try:
            self._answered(int(head.split(None, 2)[1]), perf_counter() - self._sent)
        except RuntimeError as error:
            self.failed.set_exception(error)
            self._transport.close()
            return
        self._received = b""
        self._idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.failed.done():
            self.failed.set_exception(exc or ConnectionError("The server closed a connection."))

    def close(self) -> None:
        self.failed.cancel()
        self._transport.abort()


class _Schedule:
    """Has requests sent at a rate, however slow the answers are."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._idle: deque[_Client] = deque()
        self._due = 0

    def idle(self, client: _Client) -> None:
        if self._due:
            self._due -= 1
            client.send()
        else:
            self._idle.append(client)

    async def run(self) -> None:
        begun, made = perf_counter(), 0
        while True:
            now = int((perf_counter() - begun) * self._rate)
            self._due += now - made
            made = now
            while self._due and self._idle:
                self.idle(self._idle.popleft())
            await asyncio.sleep(0.002)


class _Answers:
    def __init__(self, overload: bool) -> None:
        self._overload = overload
        self.sent = 0
        self.clear()

    def clear(self) -> None:
        self.took: list[float] = []
        self.refused: list[float] = []
        self.health: list[float] = []

    def add(self, status: int, took: float) -> None:
        self.sent += 1
        success = 200 <= status < 300  # noqa: PLR2004
        if not success and not self._overload:
            raise RuntimeError(f"The server answers {status}.")
        (self.took if success else self.refused).append(took)

    async def ask_for_health(self, port: int) -> None:
        """On a new connection each time, as probes do."""
        while True:
            begun = perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEALTH)
            await reader.read(-1)
            writer.close()
            self.health.append(perf_counter() - begun)
            await asyncio.sleep(0.05)


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def _load(job: Job) -> Outcome:
    encoded = [request.encode() for request in job.requests]
    random.Random(1).shuffle(encoded)  # noqa: S311 - the same order in each run
    cycle, answers = itertools.cycle(encoded), _Answers(job.overload)
    schedule = _Schedule(job.rate) if job.rate else None
    idle = schedule.idle if schedule else _Client.send
    loop = asyncio.get_running_loop()

    def client() -> _Client:
        return _Client(cycle, answers.add, idle)

    clients = [
        (await loop.create_connection(client, "127.0.0.1", job.port))[1]
        for _ in range(job.connections)
    ]
    beside = [schedule.run()] if schedule else []
    if job.overload:
        beside.append(answers.ask_for_health(job.port))
    running = [loop.create_task(each) for each in beside]
    await asyncio.sleep(min(0.5, job.seconds / 2))
    begun, cpu = perf_counter(), process_time()
    answers.clear()
    while perf_counter() < begun + job.seconds or len(answers.took) < FEWEST:
        watched = [*(each.failed for each in clients), *running]
        await asyncio.wait(watched, timeout=job.seconds / 10, return_when=asyncio.FIRST_COMPLETED)
        for each in watched:
            if each.done():
                each.result()
    elapsed, cpu = perf_counter() - begun, process_time() - cpu
    for each in running:
        each.cancel()
    for each in clients:
        each.close()
    return Outcome(
        rate=len(answers.took) / elapsed,
        count=len(answers.took),
        sent=answers.sent,
        p50=_percentile(answers.took, 50),
        p99=_percentile(answers.took, 99),
        cpu=cpu / elapsed,
        refused=len(answers.refused) / elapsed,
        health=_percentile(answers.health, 99),
    )


def _percentile(values: Sequence[float], percent: int) -> float:
    """0 where there is no value."""
    return (
        quantiles([*values, *values[:1]], n=100, method="inclusive")[percent - 1] if values else 0
    )


def main() -> None:
    given = json.load(sys.stdin)
    requests = [Request(**request) for request in given.pop("requests")]
    json.dump(asdict(uvloop.run(_load(Job(**given, requests=requests)))), sys.stdout)


if __name__ == "__main__":
    main()
