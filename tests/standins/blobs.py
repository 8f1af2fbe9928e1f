"""The bytes of files in a stand-in: kept, or made anew from a seed at each look, or known by their sum alone.

The last two are for a hundred large files: they cost no memory, however many there are.
"""

import hashlib
import random
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

PIECE_BYTES = 65_536
HEADS = {
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "tiff": b"II*\x00\x08\x00\x00\x00",
}


class NotKeptError(Exception):
    """The bytes of this file were counted and forgotten."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One file's bytes; where `content` is None they are made from `seed`, and without either they are not there."""

    size: int
    md5: str
    content: bytes | None = None
    seed: int | None = None
    head: bytes = b""

    def pieces(self) -> Iterator[bytes]:
        """Raises NotKeptError for bytes that are not there."""
        if self.content is not None:
            view = memoryview(self.content)
            return (bytes(view[at : at + PIECE_BYTES]) for at in range(0, self.size, PIECE_BYTES))
        if self.seed is None:
            raise NotKeptError
        return _made(self.size, self.seed, self.head)

    def whole(self) -> bytes:
        """Raises NotKeptError for bytes that are not there."""
        return b"".join(self.pieces())


def _made(size: int, seed: int, head: bytes) -> Iterator[bytes]:
    noise = random.Random(seed).randbytes(PIECE_BYTES)
    for number in range(-(-size // PIECE_BYTES)):
        piece = (head if number == 0 else number.to_bytes(8, "big")) + noise
        yield piece[: min(PIECE_BYTES, size - number * PIECE_BYTES)]


def spoiled(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """As many bytes, of which the last of each piece is another each time: what a file is that is written meanwhile."""
    for piece in pieces:
        yield piece[:-1] + bytes([(piece[-1] + 1 + secrets.randbelow(255)) % 256])


async def streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces for an answer: what comes out of memory needs no thread to wait in."""
    for piece in pieces:
        yield piece


class Sink:
    """Takes in a file piece by piece; gives what is known of it at the end, with its bytes if they are to be kept."""

    def __init__(self, *, keep_bytes: int) -> None:
        self.size = 0
        self._keep_bytes = keep_bytes
        self._sum = hashlib.md5(usedforsecurity=False)
        self._kept: bytearray | None = bytearray()

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        self._sum.update(piece)
        if self.size > self._keep_bytes:
            self._kept = None
        elif self._kept is not None:
            self._kept += piece

    def blob(self) -> Blob:
        return Blob(self.size, self._sum.hexdigest(), None if self._kept is None else bytes(self._kept))


def kept(content: bytes) -> Blob:
    sink = Sink(keep_bytes=len(content))
    sink.write(content)
    return sink.blob()


def made(kind: str, size: int, seed: int) -> Blob:
    """Gives a file of so many bytes that begins as one of this kind does; the rest is noise, the same for a seed."""
    head = HEADS[kind]
    sink = Sink(keep_bytes=-1)
    for piece in _made(size, seed, head):
        sink.write(piece)
    return Blob(size, sink.blob().md5, None, seed, head)
