"""Scanners as clinics have them: ClamAV's clamd over its socket protocol, and an ICAP server with one service.

Both find whatever holds the marker, and can be as unkind as the real ones: hang up, hang, answer before they had all
of it, be at a limit of their own. Written from clamd(8) and RFC 3507.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

MARKER = b"X5O!-standin-malware"
EICAR = b"X5O!P%@AP[4"  # the beginning of the file that every scanner finds, and that harms nobody
NAME = "Win.Test.StandIn-1"
SERVICE = "avscan"


@dataclass(slots=True)
class Engine:
    """What a scanner does with the next documents, and what it saw.

    says       the answer in place of its own; clamd's line, or all of ICAP's answer
    most       of bytes it takes; clamd then says so and hangs up
    knows      what it finds
    hangs      it takes everything and answers nothing
    hangs_up   it closes the connection when a document comes
    is_early   it answers before it had the whole document
    methods    of the ICAP service
    allows_204 the ICAP service may leave a document unsent that it did not change
    changes    the ICAP service sends the document back otherwise
    streams    the ICAP service sends each piece back as it comes, and reads no further while nobody takes that
    """

    says: bytes = b""
    most: int = 2**40
    knows: tuple[bytes, ...] = (MARKER, EICAR)
    hangs: bool = False
    hangs_up: bool = False
    is_early: bool = False
    methods: str = "RESPMOD"
    allows_204: bool = True
    changes: bool = False
    streams: bool = False
    scanned: list[bytes] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)

    def finds(self, content: bytes) -> bool:
        """Say whether anything of what it knows is in a document."""
        return any(one in content for one in self.knows)


Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def _served(answer: Client, path: Path | None) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)  # type: ignore[misc]
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    server = await (asyncio.start_unix_server(serve, path) if path else asyncio.start_server(serve, "127.0.0.1", 0))
    try:
        yield str(path) if path else f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def clamd_of(engine: Engine) -> Client:
    """Gives what answers each of a clamd's connections."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = await reader.readuntil(b"\0")
        engine.commands.append(command)
        if command == b"zPING\0":
            writer.write(engine.says or b"PONG\0")
            return await writer.drain()
        if engine.hangs_up:
            return None
        if engine.is_early:
            writer.write(engine.says)
            return await writer.drain()
        content = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            if len(content) + size > engine.most:
                writer.write(b"INSTREAM size limit exceeded. ERROR\0")
                return await writer.drain()
            content += await reader.readexactly(size)
        engine.scanned.append(content)
        if engine.hangs:
            await reader.read()
        found = b"stream: %s FOUND\0" % NAME.encode() if engine.finds(content) else b"stream: OK\0"
        writer.write(engine.says or found)
        return await writer.drain()

    return answer


@asynccontextmanager
async def clamd(engine: Engine, path: Path | None = None) -> AsyncIterator[str]:
    """Gives the address of a clamd, for as long as the block runs."""
    async with _served(clamd_of(engine), path) as where:
        yield f"clamd://{where}"


def icap_of(engine: Engine, service: str = SERVICE) -> Client:
    """Gives what answers each of the connections of an ICAP server with one service."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        engine.commands.append(head.encode())
        if f"/{service} ICAP/1.0" not in head:
            writer.write(b"ICAP/1.0 404 Service not found\r\n\r\n")
        elif head.startswith("OPTIONS"):
            writer.write(f"ICAP/1.0 200 OK\r\nMethods: {engine.methods}\r\nAllow: 204\r\n\r\n".encode())
        elif not engine.hangs_up:
            await _modified(engine, head, reader, writer)
        await writer.drain()

    return answer


@asynccontextmanager
async def icap(engine: Engine, service: str = SERVICE) -> AsyncIterator[str]:
    """Gives the address of an ICAP service, for as long as the block runs."""
    async with _served(icap_of(engine, service), None) as where:
        yield f"icap://{where}/{service}"


async def _modified(engine: Engine, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if engine.is_early:
        writer.write(engine.says)
        return
    before = b"".join([await reader.readuntil(b"\r\n\r\n") for _ in range(2 if head.startswith("RESPMOD") else 1)])
    content = b""
    if engine.streams:
        writer.write(_head_of_same(head, before))
    while size := int(await reader.readuntil(b"\r\n"), 16):
        content += await reader.readexactly(size)
        await reader.readexactly(2)
        if engine.streams:
            writer.write(b"%x\r\n" % size + content[-size:] + b"\r\n")
            await writer.drain()
    engine.scanned.append(content)
    if engine.streams:
        writer.write(b"0\r\n\r\n")
        return
    if engine.hangs:
        await reader.read()
    if engine.says:
        writer.write(engine.says)
    elif engine.finds(content):
        page = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n"
        writer.write(
            b"ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=%s;\r\n" % NAME.encode()
            + b"Encapsulated: res-hdr=0, res-body=%d\r\n\r\n" % len(page)
            + page
            + b"6\r\n<html>\r\n0\r\n\r\n"
        )
    elif engine.allows_204 and "Allow: 204" in head:
        writer.write(b"ICAP/1.0 204 No Content\r\n\r\n")
    else:
        _sent_back(head, before, content + b"!" if engine.changes else content, writer)


def _sent_back(head: str, before: bytes, content: bytes, writer: asyncio.StreamWriter) -> None:
    """Sends the document back, in chunks of another size than it came in."""
    writer.write(_head_of_same(head, before))
    for at in range(0, len(content), 1000):
        piece = content[at : at + 1000]
        writer.write(b"%x; last\r\n" % len(piece) + piece + b"\r\n")
    writer.write(b"0\r\n\r\n")


def _head_of_same(head: str, before: bytes) -> bytes:
    """The answer's head in front of a document that is sent back."""
    if head.startswith("RESPMOD"):
        before = before.partition(b"\r\n\r\n")[2]
        where = b"res-hdr=0, res-body=%d" % len(before)
    else:
        where = b"req-hdr=0, req-body=%d" % len(before)
    return b"ICAP/1.0 200 OK\r\nEncapsulated: %s\r\n\r\n" % where + before
