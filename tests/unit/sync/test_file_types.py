"""The type of a file is what its bytes begin with; what is two types at once, or called otherwise, does not travel."""

import pytest

from app.sync.failure_causes import BIGTIFF, EMPTY_DOCUMENT, EXTENSION_DIFFERS, POLYGLOT, TYPE_REFUSED
from app.sync.file_types import FileType, extension_of, type_of

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"
ALL = frozenset(FileType)


@pytest.mark.parametrize(
    ("head", "extension", "found"),
    [
        (b"%PDF-1.4\nrest", "pdf", FileType.PDF),
        (b"%PDF-2.0\n", "", FileType.PDF),
        (b"%PDF-1.4\n" + b"%PDF-1.4\n", "pdf", FileType.PDF),
        (PNG, "png", FileType.PNG),
        (JPEG, "jpg", FileType.JPEG),
        (JPEG, "jpeg", FileType.JPEG),
        (b"II*\0rest", "tif", FileType.TIFF),
        (b"MM\0*rest", "tiff", FileType.TIFF),
        (b"", "pdf", EMPTY_DOCUMENT),
        (b"II+\0\x08\0", "tif", BIGTIFF),
        (b"MM\0+\0\x08", "tif", BIGTIFF),
        (b"\n%PDF-1.4\n", "pdf", POLYGLOT),
        (JPEG + b"\0" * 1000 + b"%PDF-1.4", "jpg", POLYGLOT),
        (b"GIF89a%PDF-1.4", "gif", POLYGLOT),
        (b"%PDF-1.4\n", "png", EXTENSION_DIFFERS),
        (PNG, "jpg", EXTENSION_DIFFERS),
        (JPEG, "exe", EXTENSION_DIFFERS),
        (b"%PDF-9", "pdf", TYPE_REFUSED),
        (b"%PDF", "pdf", TYPE_REFUSED),
        (PNG[:10], "png", TYPE_REFUSED),
        (b"\xff\xd8\xff", "jpg", TYPE_REFUSED),
        (b"GIF89a", "gif", TYPE_REFUSED),
        (b"PK\x03\x04", "pdf", TYPE_REFUSED),
        (b"<html>", "html", TYPE_REFUSED),
    ],
)
def test_a_type_is_told_by_the_bytes_and_refused_by_name(head, extension, found):
    assert type_of(head, extension, ALL) == found


def test_a_type_that_the_mapping_does_not_list_does_not_travel():
    assert type_of(PNG, "png", {FileType.PDF}) == TYPE_REFUSED


@pytest.mark.parametrize("kind", FileType)
def test_the_extension_that_we_give_a_type_is_one_of_its_own(kind):
    heads = {FileType.PDF: b"%PDF-1.4", FileType.PNG: PNG, FileType.JPEG: JPEG, FileType.TIFF: b"II*\0"}

    assert type_of(heads[kind], kind.extension, ALL) is kind


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("Referral Letter.PDF", "pdf"),
        ("/store/4f/scan.final.tiff ", "tiff"),
        ("README", ""),
        ("archive.", ""),
        ("", ""),
        ("a.b/c", ""),
        ("letter.with a very long end", ""),
    ],
)
def test_an_extension_is_what_stands_behind_the_last_dot(name, extension):
    assert extension_of(name) == extension
