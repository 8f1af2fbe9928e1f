"""The scanner that a clinic may have documents looked at by, and what its answers mean for us.

It is fed the bytes as they pass and then says what it thinks of them. *Clean* is what it says in so many words; what it
calls found is refused for good, with the name of what it found where that can be no patient's. Anything else, no
answer, an error, a limit of its own, leaves the document waiting: none travels that was not scanned.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from app.errors import DocumentNotReady
from app.log import log
from app.sync.failure_causes import SCANNER_AWAY

T = TypeVar("T")
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
ReadAnswer = Callable[[asyncio.StreamReader], Awaitable[T]]

CONNECT_S, FEED_S, VERDICT_S = 5.0, 15.0, 45.0  # an engine loads its signatures anew, and a large PDF takes it seconds
_TURNS = 3  # of the event loop until what came is read: sending on would end the connection, and the answer with it
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:/!+()-]{0,79}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """What a scanner thinks of a document; `word`: how it calls what it found, empty where it does not say."""

    is_infected: bool
    word: str = ""


class DocumentScan(Protocol):
    """A document on its way through a scanner."""

    async def feed(self, piece: bytes) -> None:
        """Have the scanner take in more of it.

        Raises  DocumentNotReady
        """

    async def verdict(self) -> ScanVerdict:
        """Give what the scanner thinks of all of it.

        Raises  DocumentNotReady where it does not say
        """


class Scanner(Protocol):
    """Whatever scans."""

    def scan(self) -> AbstractAsyncContextManager[DocumentScan]:
        """Begin with a document.

        Raises  DocumentNotReady
        """

    async def probe(self) -> str:
        """Give why the scanner cannot be used now, in words for people; empty where it can."""


class ScannerStream(Generic[T]):
    """A connection to a scanner, every wait on which has an end.

    What it says is read as it comes: it may say why it takes no more before it hangs up, and it may begin to send the
    document back before it had all of it.

    read  reads its answer
    """

    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], read: ReadAnswer[T]) -> None:
        reader, self._writer = streams
        self._answer = asyncio.ensure_future(read(reader))
        self._is_fed = False

    async def feed(self, *parts: bytes) -> None:
        """Send a part of a document, as fast as the scanner takes it; nothing once it has answered.

        Raises  DocumentNotReady
        """
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if not self._answer.done():
            await self._sent(parts)

    async def finish(self, *parts: bytes) -> None:
        """Send what says that the document is whole.

        Raises  DocumentNotReady
        """
        await self.feed(*parts)
        self._is_fed = not self._answer.done()

    async def answer(self) -> tuple[T, bool]:
        """Give what the scanner answered, and whether it had all of the document by then.

        Raises  DocumentNotReady
        """
        return await within(VERDICT_S, lambda: asyncio.shield(self._answer)), self._is_fed

    async def close(self) -> None:
        """Hang up."""
        self._answer.cancel()
        await asyncio.wait([self._answer])
        if not self._answer.cancelled():
            self._answer.exception()  # nobody asked for it
        self._writer.transport.abort()  # a graceful end could wait for it to read on

    async def _sent(self, parts: Iterable[bytes]) -> None:
        async def drained() -> None:
            self._writer.writelines(parts)
            await self._writer.drain()

        try:
            await within(FEED_S, drained)
        except DocumentNotReady:
            await asyncio.wait([self._answer], timeout=1.0)  # it may have said why
            if not self._answer.done() or self._answer.exception() is not None:
                raise


@asynccontextmanager
async def connected(connect: Connect, read: ReadAnswer[T]) -> AsyncIterator[ScannerStream[T]]:
    """Give a connection to a scanner; `read` reads what it answers.

    Raises  DocumentNotReady
    """
    stream = ScannerStream(await within(CONNECT_S, connect), read)
    try:
        yield stream
    finally:
        await stream.close()


def away(reason: str) -> DocumentNotReady:
    """Give our error for a scanner that did not do what it is there for, and log why: a word of ours, or an error's."""
    log.warning("scanner.away", cause=reason)
    return DocumentNotReady(SCANNER_AWAY)


def name_of(found: str) -> str:
    """Give how a scanner calls what it found, as far as it is a name that scanners give; else nothing of it."""
    match = _NAME.fullmatch(found.strip())
    return match[0] if match else ""


async def within(seconds: float, wanted: Callable[[], Awaitable[T]]) -> T:
    """Give what is waited for, within a time.

    Raises  DocumentNotReady
    """
    try:
        async with asyncio.timeout(seconds):
            return await wanted()
    except TimeoutError:
        raise away("NO_ANSWER") from None
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        raise away(type(error).__name__) from None
