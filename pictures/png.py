"""Text in a PNG file, as https://www.w3.org/TR/png-3/#11textinfo has it."""

from collections.abc import Iterator
from struct import pack, unpack_from
from zlib import crc32

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and the data of each."""
    at = len(SIGNATURE)
    while at < len(png):
        length, kind = unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += length + 12


def with_text(png: bytes, keyword: str, text: str) -> bytes:
    header, *others = chunks(png)
    added = (b"tEXt", f"{keyword}\0{text}".encode("latin-1"))
    return SIGNATURE + b"".join(_chunk(*each) for each in (header, added, *others))


def text(png: bytes, keyword: str) -> str | None:
    for kind, data in chunks(png):
        if kind == b"tEXt" and data.startswith(f"{keyword}\0".encode("latin-1")):
            return data.decode("latin-1").partition("\0")[2]
    return None


def _chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))
