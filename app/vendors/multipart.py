"""A file on its way into a vendor's system: multipart/form-data of a known length, streamed in pieces.

The file is never whole in memory: its pieces are asked for one by one while they are sent. The last one is held back
until the pieces have come to their length, so a source that fails, or gives other bytes than were inspected, leaves the
vendor with half a request, of which it can make nothing.

Source  RFC 7578; RFC 2046, 5.1.1 (boundaries)
"""

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from app.errors import DocumentChanged, SyncError
from app.sync.failure_causes import BYTES_CHANGED
from app.sync.file_types import FileType

CRLF = "\r\n"


class SourceFailedError(Exception):
    """The file of a form could not be read to its end; `error`: why, which is nothing that the form's receiver did.

    So it is none of the errors that a client takes for its vendor's, until the form is given up.
    """

    def __init__(self, error: SyncError) -> None:
        super().__init__(type(error).__name__)
        self.error = error


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file to be sent, of a type and a size in bytes that are known.

    pieces  gives its bytes from the beginning, at each call anew; it may raise, and then nothing is made of the upload
    """

    type: FileType
    size: int
    pieces: Callable[[], AsyncGenerator[bytes]]

    @property
    def name(self) -> str:
        """What the file is called on its way: a vendor may put that into an address, so it says nothing of anybody."""
        return f"document.{self.type.extension}"


@dataclass(frozen=True, slots=True)
class FormPart:
    """A part of a form that is no file: its name, its text, and its media type where it is none of a form's own."""

    name: str
    text: str = field(repr=False)
    media: str = ""


@dataclass(slots=True)
class Multipart:
    """One form, and the file that is its last part, if it has one.

    is_whole  the last piece was handed over, so the vendor may have the whole of it
    """

    parts: Sequence[FormPart]
    file: UploadFile | None = None
    file_part: str = ""
    is_whole: bool = False
    _boundary: str = field(default_factory=lambda: secrets.token_hex(16), init=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What says how long the form is, and where its parts end."""
        length = len(self._before()) + (self.file.size if self.file else 0) + len(self._after())
        return {"Content-Type": f"multipart/form-data; boundary={self._boundary}", "Content-Length": str(length)}

    async def content(self) -> AsyncGenerator[bytes]:
        """Give the form, piece by piece.

        Raises  SourceFailedError where its pieces raise an error, or are of another length
        """
        self.is_whole, held = False, self._before()
        if self.file is not None:
            async with aclosing(_of_length(self.file.pieces(), self.file.size)) as pieces:
                while piece := await _next(pieces):
                    yield held
                    held = piece
        self.is_whole = True
        yield held + self._after()

    def _before(self) -> bytes:
        text = ""
        for part in self.parts:
            media = f"Content-Type: {part.media}\r\n" if part.media else ""
            text += f'--{self._boundary}\r\nContent-Disposition: form-data; name="{part.name}"\r\n{media}\r\n'
            text += f"{part.text}\r\n"
        if self.file is not None:
            text += f'--{self._boundary}\r\nContent-Disposition: form-data; name="{self.file_part}"; '
            text += f'filename="{self.file.name}"\r\nContent-Type: {self.file.type.media}\r\n\r\n'
        return text.encode()

    def _after(self) -> bytes:
        return f"{'' if self.file is None else CRLF}--{self._boundary}--{CRLF}".encode()


async def _next(pieces: AsyncGenerator[bytes]) -> bytes:
    try:
        return await anext(pieces, b"")
    except SyncError as error:
        raise SourceFailedError(error) from error


async def _of_length(pieces: AsyncGenerator[bytes], size: int) -> AsyncGenerator[bytes]:
    """Give pieces, and end in an error where they are not of this length."""
    sent = 0
    async with aclosing(pieces):
        async for piece in pieces:
            sent += len(piece)
            if sent > size:
                break
            if piece:
                yield piece
    if sent != size:
        raise DocumentChanged(BYTES_CHANGED)
