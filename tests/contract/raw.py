"""HTTP without a client's manners: what is sent is exactly what the test wrote."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


def send(url: str, request: bytes) -> Answer | None:
    """What is answered to these bytes; None where the server only closes the connection."""
    received = b""
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), 10) as connection:
        # The server may answer, and hang up, before it has read all.
        with suppress(ConnectionError):
            connection.sendall(request)
        with suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
    head, _, body = received.decode("latin-1").partition("\r\n\r\n")
    if not head:
        return None
    status, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(status.split()[1]), headers, body)


def hang_up(url: str, request: bytes) -> None:
    """Send these bytes, and do not wait for an answer."""
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), 10) as connection:
        connection.sendall(request)


def message(start: str | bytes, *headers: str | bytes, body: bytes = b"") -> bytes:
    """A request that ends its connection. The caller gives what belongs to the body's length."""
    lines = [_bytes(start) + b" HTTP/1.1", b"Host: x", b"Connection: close"]
    return b"\r\n".join([*lines, *map(_bytes, headers), b"", body])


def chunked(body: bytes, size: int = 4096) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
