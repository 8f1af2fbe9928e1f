"""File types: what a document's first bytes say it is, and what of that may travel (pure).

A name proves nothing, so the type is what the bytes begin with; an extension that says otherwise is a reason to refuse.
A file that is two types at once shows another face to each reader: PDF readers take a header anywhere in the first
kilobyte, so one that does not stand at the very beginning is refused by its own name, whatever else the file is.

Source  ISO 32000-1, annex H (implementation notes 13, 14); PNG specification 5.2, 5.3; ITU T.81 B.1.1.3; TIFF 6.0,
        section 2; BigTIFF design (43 in the place of TIFF's 42)
"""

import re
from collections.abc import Collection
from enum import StrEnum

from app.sync.failure_causes import BIGTIFF, EMPTY_DOCUMENT, EXTENSION_DIFFERS, POLYGLOT, TYPE_REFUSED

HEAD_BYTES = 1024  # of a document's beginning, as far as a PDF's header may stand


class FileType(StrEnum):
    """What a document can be, as the mapping's `types` name it."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"

    @property
    def media(self) -> str:
        """The media type."""
        return "application/pdf" if self is FileType.PDF else f"image/{self.value}"

    @property
    def extension(self) -> str:
        """The extension that files of this type commonly have."""
        return "jpg" if self is FileType.JPEG else self.value


_EXTENSIONS = {
    "pdf": FileType.PDF,
    "png": FileType.PNG,
    "jpg": FileType.JPEG,
    "jpeg": FileType.JPEG,
    "jpe": FileType.JPEG,
    "jfif": FileType.JPEG,
    "tif": FileType.TIFF,
    "tiff": FileType.TIFF,
}
_PDF = b"%PDF-"
_BEGINNINGS = (
    (re.compile(rb"%PDF-[12]\.\d"), FileType.PDF),
    (re.compile(rb"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), FileType.PNG),
    (re.compile(rb"\xff\xd8\xff[\xc0-\xfe]"), FileType.JPEG),
    (re.compile(rb"II\*\0|MM\0\*"), FileType.TIFF),
)
_BIGTIFF = (b"II+\0", b"MM\0+")
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,10})$")


def extension_of(name: str) -> str:
    """Give the extension of a file's name or an address's path, in small letters and without its dot; empty if none."""
    found = _EXTENSION.search(name.rstrip())
    return found[1].lower() if found else ""


def type_of(head: bytes, extension: str, types: Collection[FileType]) -> FileType | str:
    """Give what a document is, or the failure cause that keeps it from traveling.

    head       its first kilobyte, or all of it
    extension  that of its name; where it has none, the bytes alone decide
    types      what may travel
    """
    if not head:
        return EMPTY_DOCUMENT
    if head.startswith(_BIGTIFF):
        return BIGTIFF
    if head.find(_PDF, 1, HEAD_BYTES + len(_PDF)) > 0 and not head.startswith(_PDF):
        return POLYGLOT
    found = next((one for beginning, one in _BEGINNINGS if beginning.match(head)), None)
    if found is None or found not in types:
        return TYPE_REFUSED
    if extension and _EXTENSIONS.get(extension) is not found:
        return EXTENSION_DIFFERS
    return found
