"""ClamAV's daemon as a scanner: a document goes to it by INSTREAM, over TCP or a Unix socket.

It takes pieces with their length before each, ends with a length of nothing, and answers with one line. Above its
StreamMaxLength it says so and hangs up, as a rule while we are still sending.

Source  clamd(8), COMMANDS: INSTREAM, PING, and the z prefix with a NUL at the end of each line (ClamAV 1.4)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.documents.scanner import ScannerStream, ScanVerdict, away, connected, name_of
from app.errors import DocumentNotReady
from app.sync.failure_causes import SCANNER_LIMIT

_CLEAN, _FOUND, _LIMIT = "OK", " FOUND", "size limit exceeded"


class ClamdScanner:
    """A clamd, by host and port, or by the path of its socket."""

    def __init__(self, host: str, port: int, path: str = "") -> None:
        self._host, self._port, self._path = host, port, path

    @asynccontextmanager
    async def scan(self) -> AsyncIterator["ClamdScan"]:
        """Begin with a document.

        Raises  DocumentNotReady
        """
        async with connected(self._connect, _line) as stream:
            await stream.feed(b"zINSTREAM\0")
            yield ClamdScan(stream)

    async def probe(self) -> str:
        """Give why the scanner cannot be used now, in words for people; empty where it can."""
        try:
            async with connected(self._connect, _line) as stream:
                await stream.feed(b"zPING\0")
                answer, _ = await stream.answer()
        except DocumentNotReady:
            return "it does not answer"
        return "" if answer == b"PONG\0" else "what answers there is no clamd"

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._path:
            return await asyncio.open_unix_connection(self._path)
        return await asyncio.open_connection(self._host, self._port)


class ClamdScan:
    """A document on its way through clamd."""

    def __init__(self, stream: ScannerStream[bytes]) -> None:
        self._stream = stream

    async def feed(self, piece: bytes) -> None:
        """Have clamd take in more of it.

        Raises  DocumentNotReady
        """
        await self._stream.feed(len(piece).to_bytes(4, "big"), piece)

    async def verdict(self) -> ScanVerdict:
        """Give what clamd thinks of all of it.

        Raises  DocumentNotReady where it does not say
        """
        await self._stream.finish(bytes(4))
        said, is_fed = await self._stream.answer()
        answer = said.rstrip(b"\0\r\n").decode("utf-8", "replace").removeprefix("stream: ")
        if answer == _CLEAN and is_fed:
            return ScanVerdict(is_infected=False)
        if answer.endswith(_FOUND):
            return ScanVerdict(True, name_of(answer.removesuffix(_FOUND)))
        if _LIMIT in answer:
            raise DocumentNotReady(SCANNER_LIMIT)
        raise away("SCAN_FAILED")


async def _line(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\0")
