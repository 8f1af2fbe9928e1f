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

from app.errors import DocumentChanged
from app.sync.failure_causes import BYTES_CHANGED
from app.sync.file_types import FileType


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
    """One form with one file, the last part.

    is_whole  the last piece was handed over, so the vendor may have the whole of it
    """

    parts: Sequence[FormPart]
    file_part: str
    file: UploadFile
    is_whole: bool = False
    _boundary: str = field(default_factory=lambda: secrets.token_hex(16), init=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What says how long the form is, and where its parts end."""
        length = len(self._before()) + self.file.size + len(self._after())
        return {"Content-Type": f"multipart/form-data; boundary={self._boundary}", "Content-Length": str(length)}

    async def content(self) -> AsyncGenerator[bytes]:
        """Give the form, piece by piece.

        Raises  DocumentChanged where the file is of another length; what its pieces raise
        """
        self.is_whole = False
        yield self._before()
        sent, held = 0, b""
        async with aclosing(self.file.pieces()) as pieces:
            async for piece in pieces:
                if held:
                    yield held
                sent, held = sent + len(piece), piece
                if sent > self.file.size:
                    raise DocumentChanged(BYTES_CHANGED)
        if sent != self.file.size:
            raise DocumentChanged(BYTES_CHANGED)
        self.is_whole = True
        yield held + self._after()

    def _before(self) -> bytes:
        text = ""
        for part in self.parts:
            media = f"Content-Type: {part.media}\r\n" if part.media else ""
            text += f'--{self._boundary}\r\nContent-Disposition: form-data; name="{part.name}"\r\n{media}\r\n'
            text += f"{part.text}\r\n"
        text += f'--{self._boundary}\r\nContent-Disposition: form-data; name="{self.file_part}"; '
        text += f'filename="{self.file.name}"\r\nContent-Type: {self.file.type.media}\r\n\r\n'
        return text.encode()

    def _after(self) -> bytes:
        return f"\r\n--{self._boundary}--\r\n".encode()
