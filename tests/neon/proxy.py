"""The network between a service and its database: it can be slow, or go silent, and it counts."""

import asyncio
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from tests.neon.certificates import Certificate

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class Proxy:
    """With a certificate it is what Neon's is: it takes TLS at once, without being asked for it."""

    def __init__(self, target: int, certificate: Certificate | None = None) -> None:
        self.target = target
        self.port = 0
        self.delay = 0.0
        self.round_trips = 0
        self.server_names: list[str] = []
        self.beginnings: list[bytes] = []
        """The first bytes of each client."""
        self._forgotten = 0
        self._bytes_left = sys.maxsize
        self._tls = self._context(certificate) if certificate else None
        self._started = Event()

    def fall_silent(self) -> None:
        """Pass on nothing and close nothing, on the connections that there are and on new ones."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def speak(self) -> None:
        """Connections that were in use have been lost."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def forget(self) -> None:
        """Pass on nothing of the connections that there are, and close none; new ones work."""
        self._forgotten = len(self.beginnings)

    def cut_after(self, bytes_of_answers: int) -> None:
        """Close the connection on which the answer reaches this length. Later ones are whole."""
        self._bytes_left = bytes_of_answers

    def start(self) -> None:
        self._thread = Thread(target=asyncio.run, args=[self._run()])
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped, self._flows = asyncio.Event(), asyncio.Event()
        self._flows.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopped.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=5) if others else None

    async def _accept(self, client: StreamReader, to_client: StreamWriter) -> None:
        with suppress(OSError):
            server, to_server = await self._connect()
            try:
                await self._forward(client, to_server, server, to_client)
            finally:
                to_server.transport.abort()
        to_client.transport.abort()

    async def _forward(
        self,
        client: StreamReader,
        to_server: StreamWriter,
        server: StreamReader,
        to_client: StreamWriter,
    ) -> None:
        """Until one of the two closes, or the proxy is stopped."""
        number = len(self.beginnings)
        self.beginnings.append(b"")
        asked = asyncio.Event()
        tasks = {
            asyncio.create_task(self._pass_requests(number, asked, client, to_server)),
            asyncio.create_task(self._pass_answers(number, asked, server, to_client)),
            asyncio.create_task(self._stopped.wait()),
        }
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_requests(
        self, number: int, asked: asyncio.Event, client: StreamReader, server: StreamWriter
    ) -> None:
        while data := await client.read(65536):
            self.beginnings[number] = (self.beginnings[number] + data)[:16]
            self.round_trips += not asked.is_set()  # what comes in several parts is one
            asked.set()
            await self._pass(number, data, server)

    async def _pass_answers(
        self, number: int, asked: asyncio.Event, server: StreamReader, client: StreamWriter
    ) -> None:
        while data := await server.read(65536):
            asked.clear()
            data = data[: self._bytes_left]
            self._bytes_left -= len(data)
            await self._pass(number, data, client)
            if not self._bytes_left:
                self._bytes_left = sys.maxsize
                return

    async def _pass(self, number: int, data: bytes, to: StreamWriter) -> None:
        if number < self._forgotten:
            await self._stopped.wait()
        if not self._flows.is_set():
            await self._flows.wait()
            raise ConnectionError
        await asyncio.sleep(self.delay)
        to.write(data)
        await to.drain()

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        if self._tls:
            writer.write(SSL_REQUEST)
            assert await reader.readexactly(1) == b"S"
            await writer.start_tls(ssl._create_unverified_context())  # noqa: S323, SLF001
        return reader, writer

    def _context(self, certificate: Certificate) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        context.set_alpn_protocols(["postgresql"])
        context.sni_callback = lambda _, name, __: self.server_names.append(name)
        return context


@contextmanager
def running(target: int, certificate: Certificate | None = None) -> Iterator[Proxy]:
    proxy = Proxy(target, certificate)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
