"""A content is inspected before it travels, and cut on its way where it is another one then."""

import hashlib
from contextlib import asynccontextmanager

import pytest

from app.documents.clamd import ClamdScanner
from app.documents.content import ContentRules, copied, inspect
from app.documents.icap import IcapScanner
from app.documents.scanner import ScanVerdict
from app.errors import DocumentRefused, Unavailable
from app.sync.base import HashKeys
from app.sync.failure_causes import (
    BYTES_CHANGED,
    DOCUMENT_TOO_LARGE,
    EMPTY_DOCUMENT,
    EXTENSION_DIFFERS,
    MALWARE_FOUND,
    TYPE_REFUSED,
)
from app.sync.file_types import FileType
from app.sync.inspection import Inspection
from app.vendors.multipart import FormPart, Multipart, SourceFailedError
from tests.unit.documents.pieces import HEADS, PDF, opening

RULES = ContentRules(max_bytes=10_000)
ALL = frozenset(FileType)
KEYS = HashKeys.of((b"n" * 32, b"o" * 32))


class Finds:
    """A scanner that finds something in a content with a word in it."""

    def __init__(self):
        self.fed = b""

    @asynccontextmanager
    async def scan(self):
        yield self

    async def feed(self, piece):
        self.fed += piece

    async def verdict(self):
        return ScanVerdict(b"malware" in self.fed, "Word-1")


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("piece", [1, 700, 10**6], ids=["bytes", "pieces", "whole"])
async def test_a_content_is_known_by_type_size_and_hashes_however_it_is_cut(kind, piece):
    content = HEADS[kind] + b"x" * 5_000

    found = await inspect(opening(content, piece=piece), RULES, ALL)

    sums = hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest()
    assert found == Inspection(FileType(kind), len(content), *sums)


@pytest.mark.parametrize(
    ("content", "extension", "cause"),
    [
        (b"", "pdf", EMPTY_DOCUMENT),
        (b"GIF89a" + b"x" * 3_000, "gif", TYPE_REFUSED),
        (PDF, "png", EXTENSION_DIFFERS),
        (PDF + b"x" * 10_000, "pdf", DOCUMENT_TOO_LARGE),
    ],
)
async def test_what_must_not_travel_is_refused_by_name(content, extension, cause):
    with pytest.raises(DocumentRefused) as raised:
        await inspect(opening(content), RULES, ALL, extension)

    assert (raised.value.cause, raised.value.word) == (cause, "")


async def test_a_content_as_large_as_is_allowed_travels():
    content = PDF.ljust(RULES.max_bytes, b"x")

    assert (await inspect(opening(content), RULES, ALL)).size == RULES.max_bytes


async def test_a_content_that_is_too_large_is_not_read_to_its_end():
    read = 0

    @asynccontextmanager
    async def endless():
        async def pieces():
            nonlocal read
            yield PDF
            while True:
                read += 1
                yield b"x" * 1_000

        yield pieces()

    with pytest.raises(DocumentRefused):
        await inspect(endless, RULES, ALL)

    assert read < 10


async def test_all_of_a_content_is_scanned_and_what_is_found_in_it_is_refused_with_its_word():
    rules, bad = ContentRules(10_000, Finds()), PDF + b"malware"

    with pytest.raises(DocumentRefused) as raised:
        await inspect(opening(bad), rules, ALL)

    assert (rules.scanner.fed, raised.value.cause, raised.value.word) == (bad, MALWARE_FOUND, "Word-1")


def sent(open_content, inspection):
    """The form that carries a content, as it was put together."""
    return Multipart([FormPart("date", "2026-03-16")], copied(open_content, inspection), "document")


async def gathered(form):
    """What was sent of a form, and the error that cut it."""
    whole = b""
    try:
        async for piece in form.content():
            whole += piece
    except SourceFailedError as failed:
        return whole, failed.error
    return whole, None


async def test_a_form_is_as_long_as_it_says_and_carries_the_content_as_it_is():
    form = sent(opening(PDF), await inspect(opening(PDF), RULES, ALL))

    whole, error = await gathered(form)

    assert (len(whole), error, form.is_whole) == (int(form.headers["Content-Length"]), None, True)
    assert (
        b'name="document"; filename="document.pdf"\r\nContent-Type: application/pdf\r\n\r\n' + PDF + b"\r\n--" in whole
    )


@pytest.mark.parametrize(
    "other",
    [PDF[:-1], PDF + b"x", PDF[:-1] + b"x", PDF[:100] + b"x" + PDF[101:], b""],
    ids=["shorter", "longer", "another end", "another middle", "empty"],
)
async def test_a_content_that_changed_is_cut_before_its_end(other):
    form = sent(opening(other), await inspect(opening(PDF), RULES, ALL))

    whole, error = await gathered(form)

    assert (error.cause, form.is_whole) == (BYTES_CHANGED, False)
    assert len(whole) < int(form.headers["Content-Length"])
    assert not whole.endswith(b"--\r\n")


async def test_an_error_of_the_source_cuts_the_form_and_is_told_as_it_is():
    away = Unavailable("salesforce", "GET VersionData", code="ReadError")
    form = sent(opening(PDF, error=away), await inspect(opening(PDF), RULES, ALL))

    _, error = await gathered(form)

    assert (error, form.is_whole) == (away, False)


async def test_a_form_that_is_sent_again_reads_its_content_again():
    form = sent(opening(PDF), await inspect(opening(PDF), RULES, ALL))

    assert (await gathered(form)) == (await gathered(form))


async def test_a_stamp_is_keyed_and_read_under_an_older_key_and_says_nothing_of_another_scope():
    one, other = await inspect(opening(PDF), RULES, ALL), await inspect(opening(PDF + b"x"), RULES, ALL)
    old = HashKeys(KEYS.keys[1:])

    stamp = one.stamp(old, "link 1")

    assert one.md5 not in stamp
    assert one.sha256 not in stamp
    assert one.stamp(old, "link 2") != stamp
    assert [each.matches(KEYS, "link 1", stamp) for each in (one, other)] == [True, False]
    assert one.matches(HashKeys.of((b"p" * 32,)), "link 1", stamp) is None


def test_a_hash_that_is_not_keyed_stands_in_no_text():
    one = Inspection(FileType.PDF, 3, "md5", "sha256")

    assert "md5" not in repr(one)
    assert "sha256" not in repr(one)


@pytest.mark.parametrize(
    ("url", "scanner"),
    [(None, type(None)), ("clamd:///run/clamd.sock", ClamdScanner), ("icap://av:1345/avscan", IcapScanner)],
)
def test_the_rules_are_what_the_settings_say(url, scanner):
    rules = ContentRules.of(10, url)

    assert (rules.max_bytes, type(rules.scanner)) == (10 * 1024 * 1024, scanner)
