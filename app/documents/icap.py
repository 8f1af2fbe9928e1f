"""A scanner that speaks ICAP: a document goes to it as the body of an HTTP message, which it may let pass or change.

It is asked first which of the two methods it has, RESPMOD (a document that was fetched) or REQMOD (one that is sent).
No preview: it gets all of it. 204 means unchanged, which is clean. Where it answers 200 although it was allowed not to,
the document is clean only if it comes back as it was; a header of the usual ones that names a threat, an error page in
its place, or any other content means that it was found wanting.

Source  RFC 3507, 4.4-4.10; draft-stecher-icap-subid-00 (X-Infection-Found, X-Virus-ID, X-Violations-Found)
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from app.documents.scanner import ScannerStream, ScanVerdict, away, connected, name_of
from app.errors import DocumentNotReady
from app.sync.failure_causes import SCANNER_LIMIT

_END = b"\r\n\r\n"
_STATUS = re.compile(r"ICAP/1\.\d (\d{3})\b")
_THREATS = ("x-infection-found", "x-virus-id", "x-violations-found", "x-virus-name")
_THREAT = re.compile(r"Threat=([^;]*)", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[;\r ]")
_OK, _UNCHANGED, _TOO_LARGE = 200, 204, 413
_REQUEST = b"%s /document HTTP/1.1\r\nHost: chronobridge.invalid\r\n\r\n"
_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
_MOST_READ = 64 * 2**10


@dataclass(frozen=True, slots=True)
class _IcapAnswer:
    """An answer: of the document in it, if there is one, how long it is and its hash."""

    status: int
    headers: Mapping[str, str]
    size: int = 0
    digest: bytes = b""

    @property
    def threat(self) -> str | None:
        """What is named as found; None where nothing is."""
        found = {name: self.headers[name] for name in _THREATS if name in self.headers}
        if not found:
            return None
        listed = _THREAT.search(found.get("x-infection-found", ""))
        return name_of(listed[1] if listed else found.get("x-virus-id", found.get("x-virus-name", "")))


async def _head(reader: asyncio.StreamReader) -> _IcapAnswer:
    first, *lines = (await reader.readuntil(_END)).decode("latin-1").split("\r\n")
    found = _STATUS.match(first)
    if found is None:
        raise away("NOT_ICAP")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return _IcapAnswer(int(found[1]), {name.strip().lower(): value.strip() for name, _, value in pairs})


async def _whole(reader: asyncio.StreamReader) -> _IcapAnswer:
    """Give an answer with what it says of the document: nothing of a page in its place."""
    answer = await _head(reader)
    where = answer.headers.get("encapsulated", "")
    parts = {part.strip().partition("=")[0].lower() for part in where.split(",")}
    if answer.status != _OK or parts.isdisjoint({"res-body", "req-body"}):
        return answer
    if "res-hdr" in parts and not (await reader.readuntil(_END)).startswith((b"HTTP/1.0 200", b"HTTP/1.1 200")):
        return answer
    if "req-hdr" in parts:
        await reader.readuntil(_END)
    back, size = hashlib.sha256(), 0
    while left := await _chunk(reader):
        while left > 0:
            if not (piece := await reader.read(min(left, _MOST_READ))):
                raise away("CUT")
            left, size = left - len(piece), size + len(piece)
            back.update(piece)
        await reader.readuntil(b"\r\n")
    return replace(answer, size=size, digest=back.digest())


async def _chunk(reader: asyncio.StreamReader) -> int:
    found = _SIZE.match(await reader.readuntil(b"\r\n"))
    if found is None:
        raise away("NOT_ICAP")
    return int(found[1], 16)


class IcapScanner:
    """A service of an ICAP server."""

    def __init__(self, host: str, port: int, service: str) -> None:
        self._host, self._port = host, port
        self._url = f"icap://{f'[{host}]' if ':' in host else host}:{port}/{service}"

    @asynccontextmanager
    async def scan(self) -> AsyncIterator["IcapScan"]:
        """Begin with a document.

        Raises  DocumentNotReady
        """
        if "RESPMOD" in await self._methods():
            method, before, at = "RESPMOD", _REQUEST % b"GET", len(_REQUEST % b"GET")
            where, before = f"req-hdr=0, res-hdr={at}, res-body={at + len(_RESPONSE)}", before + _RESPONSE
        else:
            method, before = "REQMOD", _REQUEST % b"POST"
            where = f"req-hdr=0, req-body={len(before)}"
        async with connected(self._connect, _whole) as stream:
            await stream.feed(self._asked(method, "Allow: 204", f"Encapsulated: {where}"), before)
            yield IcapScan(stream)

    async def probe(self) -> str:
        """Give why the scanner cannot be used now, in words for people; empty where it can."""
        try:
            await self._methods()
        except DocumentNotReady:
            return "it does not answer, or has no such service that scans"
        return ""

    async def _methods(self) -> frozenset[str]:
        async with connected(self._connect, _head) as stream:
            await stream.feed(self._asked("OPTIONS", "Encapsulated: null-body=0"))
            answer, _ = await stream.answer()
        found = frozenset(answer.headers.get("methods", "").replace(",", " ").upper().split())
        if answer.status != _OK or found.isdisjoint({"RESPMOD", "REQMOD"}):
            raise away("NO_SERVICE")
        return found

    def _asked(self, method: str, *headers: str) -> bytes:
        lines = (f"{method} {self._url} ICAP/1.0", f"Host: {self._host}", "Connection: close", *headers)
        return "\r\n".join((*lines, "", "")).encode()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port)


class IcapScan:
    """A document on its way through an ICAP service."""

    def __init__(self, stream: ScannerStream[_IcapAnswer]) -> None:
        self._stream = stream
        self._hash, self._size = hashlib.sha256(), 0

    async def feed(self, piece: bytes) -> None:
        """Have the service take in more of it.

        Raises  DocumentNotReady
        """
        self._hash.update(piece)
        self._size += len(piece)
        await self._stream.feed(b"%x\r\n" % len(piece), piece, b"\r\n")

    async def verdict(self) -> ScanVerdict:
        """Give what the service thinks of all of it.

        Raises  DocumentNotReady where it does not say
        """
        await self._stream.finish(b"0\r\n\r\n")
        answer, is_fed = await self._stream.answer()
        if answer.threat is not None:
            return ScanVerdict(True, answer.threat)
        if answer.status == _UNCHANGED and is_fed:
            return ScanVerdict(is_infected=False)
        if answer.status == _OK:
            is_same = (answer.size, answer.digest) == (self._size, self._hash.digest())
            return ScanVerdict(is_infected=not is_same)
        if answer.status == _TOO_LARGE:
            raise DocumentNotReady(SCANNER_LIMIT)
        raise away("SCAN_FAILED")
