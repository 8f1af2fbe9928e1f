"""Reads multipart/form-data as it comes in: small parts into memory, files into sinks, nothing held twice.

A body that ends before its last boundary is broken, and so is one whose sender went away.
"""

from dataclasses import dataclass
from email import message_from_string
from email.message import Message

from starlette.requests import Request

from tests.standins.blobs import Blob, Sink

MOST_HEADER_BYTES = 16_384
MOST_TEXT_BYTES = 1_048_576


class BrokenBodyError(ValueError):
    """The body is no multipart body, or not all of one."""


class TooLargeBodyError(Exception):
    """More came in than is taken."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: `filename` is None where it is no file."""

    name: str
    filename: str | None
    media_type: str
    blob: Blob


def is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def parts_of(request: Request, *, keep_bytes: int, most_bytes: int = 0) -> list[Part]:
    """Gives the parts of a whole body; a file of more than `keep_bytes` is counted and summed, and its bytes are gone.

    most_bytes  of the whole body; 0: any

    Raises
        BrokenBodyError    no boundary, a broken head, or an end before the last boundary
        TooLargeBodyError  it is longer, and is read no further
        ClientDisconnect   the sender went away

    """
    given = Message()
    given["content-type"] = request.headers.get("content-type", "")
    boundary = given.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise BrokenBodyError("Invalid boundary in multipart: None")
    reader = _Reader(boundary.encode("latin-1"), keep_bytes)
    taken = 0
    async for piece in request.stream():
        taken += len(piece)
        if most_bytes and taken > most_bytes:
            raise TooLargeBodyError
        reader.feed(piece)
    if not reader.is_done:
        raise BrokenBodyError("the body ends before its last boundary")
    return reader.parts


class _Reader:
    def __init__(self, boundary: bytes, keep_bytes: int) -> None:
        self._mark = b"\r\n--" + boundary
        self._keep_bytes = keep_bytes
        self._held = b"\r\n"  # so that the first boundary looks as the others do
        self._state = self._in_body
        self._head: tuple[str, str | None, str] | None = None
        self._sink = Sink(keep_bytes=0)
        self.parts: list[Part] = []
        self.is_done = False

    def feed(self, piece: bytes) -> None:
        self._held += piece
        while not self.is_done and self._state():
            pass

    def _in_body(self) -> bool:
        at = self._held.find(self._mark)
        end = at if at >= 0 else max(0, len(self._held) - len(self._mark) + 1)
        self._sink.write(self._held[:end])
        self._held = self._held[end:]
        if at < 0:
            return False
        if self._head is not None:
            self.parts.append(Part(*self._head, self._sink.blob()))
        self._held = self._held[len(self._mark) :]
        self._state = self._behind_mark
        return True

    def _behind_mark(self) -> bool:
        if len(self._held) < 2:
            return False
        self.is_done = self._held.startswith(b"--")
        if not self.is_done and not self._held.startswith(b"\r\n"):
            raise BrokenBodyError("a boundary is followed by something else than a line's end")
        self._state = self._in_head
        return True

    def _in_head(self) -> bool:
        at = self._held.find(b"\r\n\r\n")
        if at < 0:
            if len(self._held) > MOST_HEADER_BYTES:
                raise BrokenBodyError("a part's head is too long")
            return False
        head = message_from_string(self._held[2:at].decode("utf-8", "replace"))
        name = head.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise BrokenBodyError("a part has no name")
        filename = head.get_filename()
        self._head = name, filename, head.get_content_type()
        self._sink = Sink(keep_bytes=self._keep_bytes if filename is not None else MOST_TEXT_BYTES)
        self._held = self._held[at + 4 :]
        self._state = self._in_body
        return True
