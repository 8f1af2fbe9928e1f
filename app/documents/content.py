"""The content of a document on its way from one system to the other: inspected first, then copied, never kept.

Two passes, so that nothing is anywhere but in the pieces on their way. *Inspect* reads the bytes once: it counts them
and stops above the limit, tells the type from the first of them, hashes them, and has them scanned. *Copy* reads them
again and sends them on; bytes that are not those that were inspected cut the upload before its end, so nothing that
nobody looked at ever arrives. What a header or a listing says of size and type counts for nothing.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass
from typing import Self

from app.documents.clamd import ClamdScanner
from app.documents.icap import IcapScanner
from app.documents.scanner import Scanner
from app.errors import DocumentChanged, DocumentError, DocumentRefused
from app.scanner_url import CLAMD, read_scanner
from app.sync.failure_causes import BYTES_CHANGED, DOCUMENT_TOO_LARGE, MALWARE_FOUND
from app.sync.file_types import HEAD_BYTES, FileType, type_of
from app.sync.inspection import Inspection
from app.sync.model import Side
from app.vendors.multipart import UploadFile

OpenContent = Callable[[], AbstractAsyncContextManager[AsyncGenerator[bytes]]]
_PIECE_BYTES = 256 * 2**10  # hashed at once: 1 ms, for which the event loop waits


@dataclass(frozen=True, slots=True)
class ContentRules:
    """What is asked of every document's content.

    scanner  None: nothing is scanned
    """

    max_bytes: int
    scanner: Scanner | None = None

    @classmethod
    def of(cls, max_mb: int, scanner_url: str | None) -> Self:
        """Give the rules that the settings ask for."""
        return cls(max_mb * 2**20, None if scanner_url is None else _scanner_at(scanner_url))


async def inspect(
    open_content: OpenContent, rules: ContentRules, types: Collection[FileType], extension: str = ""
) -> Inspection:
    """Give what a content is that may travel, read once.

    types      what may
    extension  that of the file's name; where it has none, the bytes alone decide
    Raises     DocumentRefused with why it may not; DocumentNotReady where it could not be scanned; what reading it
               raises
    """
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    async with AsyncExitStack() as stack:
        scan = (
            await stack.enter_async_context(rules.scanner.scan()) if rules.scanner else None
        )  # before a call is spent
        pieces = await stack.enter_async_context(aclosing(_even(await stack.enter_async_context(open_content()))))
        piece = await anext(pieces, b"")
        found = type_of(piece[:HEAD_BYTES], extension, types)
        if not isinstance(found, FileType):
            raise DocumentRefused(found)
        while piece:
            size += len(piece)
            if size > rules.max_bytes:
                raise DocumentRefused(DOCUMENT_TOO_LARGE)
            md5.update(piece)
            sha256.update(piece)
            if scan is not None:
                await scan.feed(piece)
            piece = await anext(pieces, b"")
        if scan is not None and (verdict := await scan.verdict()).is_infected:
            raise DocumentRefused(MALWARE_FOUND, verdict.word)
    return Inspection(found, size, md5.hexdigest(), sha256.hexdigest())


def copied(open_content: OpenContent, inspection: Inspection) -> UploadFile:
    """Give an inspected content as a file to be sent, which is read again each time it is.

    Its pieces end in DocumentChanged where they are not what was inspected, before the last one is sent.
    """

    async def pieces() -> AsyncGenerator[bytes]:
        sha256, size = hashlib.sha256(), 0
        async with open_content() as opened, aclosing(_even(opened)) as found:
            async for piece in found:
                size += len(piece)
                sha256.update(piece)
                if size > inspection.size:
                    raise DocumentChanged(BYTES_CHANGED)
                yield piece
        if sha256.hexdigest() != inspection.sha256:
            raise DocumentChanged(BYTES_CHANGED)

    return UploadFile(inspection.type, inspection.size, pieces)


@contextmanager
def lying_on(side: Side) -> Iterator[None]:
    """Have what speaks against a document's bytes be told of the side on which they lie."""
    try:
        yield
    except DocumentError as error:
        error.side = side.value
        raise


async def _even(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Give bytes in pieces that are neither tiny nor large: the first has the whole head in it, if there is as much."""
    held = b""
    async for piece in pieces:
        held += piece
        while len(held) > _PIECE_BYTES:
            yield held[:_PIECE_BYTES]
            held = held[_PIECE_BYTES:]
        if len(held) >= HEAD_BYTES:
            yield held
            held = b""
    if held:
        yield held


def _scanner_at(url: str) -> Scanner:
    found = read_scanner(url)
    if found.scheme == CLAMD:
        return ClamdScanner(found.host, found.port, found.path)
    return IcapScanner(found.host, found.port, found.service)
