"""A network between a service and its database: a TCP proxy that delays, and counts round trips."""

import asyncio
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import cast


class Wire:
    """Bytes take half of `round_trip` (seconds) each way."""

    def __init__(self, database: Path, round_trip: float) -> None:
        self.round_trips = 0
        self.port = 0
        self._database = database
        self._delay = round_trip / 2
        self._ready = Event()

    async def serve(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: _Client(self), "127.0.0.1") as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await stop.wait()

    def wait(self) -> None:
        self._ready.wait()

    async def connect(self, answers: "_Server") -> asyncio.WriteTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_unix_connection(lambda: answers, str(self._database))
        return transport

    def later(self, action: Callable[..., object], *arguments: bytes) -> None:
        asyncio.get_running_loop().call_later(self._delay, action, *arguments)


class _Client(asyncio.Protocol):
    """A round trip begins where it speaks after an answer."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.answered = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        to_client = cast(asyncio.Transport, transport)
        to_client.pause_reading()
        self._connecting = asyncio.create_task(self._connect(to_client))

    async def _connect(self, to_client: asyncio.Transport) -> None:
        self._to_server = await self._wire.connect(_Server(self._wire, self, to_client))
        to_client.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._wire.round_trips += self.answered
        self.answered = False
        self._wire.later(self._to_server.write, data)

    def connection_lost(self, _: Exception | None) -> None:
        self._wire.later(self._to_server.close)


class _Server(asyncio.Protocol):
    def __init__(self, wire: Wire, client: _Client, to_client: asyncio.Transport) -> None:
        self._wire = wire
        self._client = client
        self._to_client = to_client

    def data_received(self, data: bytes) -> None:
        self._client.answered = True
        self._wire.later(self._to_client.write, data)

    def connection_lost(self, _: Exception | None) -> None:
        self._wire.later(self._to_client.close)


def _loop() -> asyncio.AbstractEventLoop:
    # The others, uvloop too, round each delay to milliseconds.
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


@contextmanager
def wire(database: Path, round_trip: float) -> Iterator[Wire]:
    """A wire to the database's Unix socket, relayed in a thread."""
    proxy = Wire(database, round_trip)
    with asyncio.Runner(loop_factory=_loop) as runner:
        stop = asyncio.Event()
        thread = Thread(target=runner.run, args=[proxy.serve(stop)])
        thread.start()
        proxy.wait()
        try:
            yield proxy
        finally:
            runner.get_loop().call_soon_threadsafe(stop.set)
            thread.join()
