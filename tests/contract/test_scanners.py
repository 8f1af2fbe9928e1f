"""What a scanner answers decides: clean travels, found never does, and whatever else waits; none travels unscanned."""

import pytest

from app.documents import scanner as scanning
from app.documents.content import ContentRules, inspect
from app.errors import DocumentNotReady, DocumentRefused
from app.sync.failure_causes import MALWARE_FOUND, SCANNER_AWAY, SCANNER_LIMIT
from app.sync.file_types import FileType
from tests.standins.scanners import MARKER, NAME, Engine, clamd, icap
from tests.unit.documents.pieces import PDF, opening

BAD = PDF + MARKER
LARGE = PDF.ljust(9_000_000, b"x")  # more than a connection holds
BOTH = pytest.mark.parametrize("served", [clamd, icap], ids=["clamd", "icap"])


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """A scanner that hangs is waited for as long as a test may wait."""
    monkeypatch.setattr(scanning, "VERDICT_S", 0.3)


@pytest.fixture
def engine():
    return Engine()


async def scanned(url, content):
    return await inspect(opening(content, piece=2**16), ContentRules.of(10, url), {FileType.PDF})


async def refused(url, content):
    """The error that a scan ends in."""
    with pytest.raises((DocumentRefused, DocumentNotReady)) as raised:
        await scanned(url, content)
    return raised.value


@BOTH
async def test_what_a_scanner_calls_clean_travels_and_it_has_seen_all_of_it(served, engine):
    async with served(engine) as url:
        found = await scanned(url, PDF)

    assert (found.size, engine.scanned) == (len(PDF), [PDF])


@BOTH
async def test_what_a_scanner_found_is_refused_for_good_with_its_name(served, engine):
    async with served(engine) as url:
        error = await refused(url, BAD)

    assert (type(error), error.cause, error.word) == (DocumentRefused, MALWARE_FOUND, NAME)


async def test_a_clamd_is_reached_by_its_socket_too(engine, tmp_path):
    async with clamd(engine, tmp_path / "clamd.sock") as url:
        assert url.startswith("clamd:///")
        assert (await refused(url, BAD)).cause == MALWARE_FOUND


@pytest.mark.parametrize(
    ("unkind", "cause"),
    [
        ({"hangs": True}, SCANNER_AWAY),
        ({"hangs_up": True}, SCANNER_AWAY),
        ({"says": b"stream: OK\0", "is_early": True}, SCANNER_AWAY),
        ({"says": b"stream: lstat() failed: No such file. ERROR\0"}, SCANNER_AWAY),
        ({"says": b"OK"}, SCANNER_AWAY),
        ({"says": b"\0"}, SCANNER_AWAY),
        ({"says": b"HTTP/1.1 400 Bad Request\r\n\r\n\0"}, SCANNER_AWAY),
        ({"says": b"x" * 100_000}, SCANNER_AWAY),
        ({"most": 1_000}, SCANNER_LIMIT),
    ],
    ids=["hangs", "hangs up", "too early", "error", "cut", "nothing", "a web server", "endless", "limit"],
)
async def test_a_document_waits_where_clamd_does_not_say_that_it_is_clean(engine, unkind, cause):
    for name, value in unkind.items():
        setattr(engine, name, value)

    async with clamd(engine) as url:
        error = await refused(url, LARGE if engine.is_early else PDF)

    assert (type(error), error.cause) == (DocumentNotReady, cause)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (b"stream: Heuristics.Structured.CreditCardNumber FOUND\0", "Heuristics.Structured.CreditCardNumber"),
        (b"stream: {weird} <b>name</b> FOUND\0", ""),
        (b"stream: " + b"x" * 200 + b" FOUND\0", ""),
        (b"stream:  FOUND\0", ""),
    ],
)
async def test_only_a_name_as_scanners_give_them_is_told(engine, said, word):
    engine.says = said

    async with clamd(engine) as url:
        error = await refused(url, PDF)

    assert (error.cause, error.word) == (MALWARE_FOUND, word)


@pytest.mark.parametrize("methods", ["RESPMOD", "REQMOD", "REQMOD, RESPMOD"])
@pytest.mark.parametrize("allows_204", [True, False], ids=["204", "200"])
async def test_a_document_that_an_icap_service_leaves_as_it_is_is_clean_by_either_method(engine, methods, allows_204):
    engine.methods, engine.allows_204 = methods, allows_204

    async with icap(engine) as url:
        await scanned(url, PDF)

    assert engine.scanned == [PDF]
    assert engine.commands[-1].startswith(b"RESPMOD" if "RESPMOD" in methods else b"REQMOD")


async def test_a_document_that_comes_back_while_it_is_still_sent_is_scanned_to_its_end(engine):
    engine.streams = True

    async with icap(engine) as url:
        assert (await scanned(url, LARGE)).size == len(LARGE)


@pytest.mark.parametrize("methods", ["RESPMOD", "REQMOD"])
async def test_a_document_that_an_icap_service_changes_is_none_that_travels(engine, methods):
    engine.methods, engine.allows_204, engine.changes = methods, False, True

    async with icap(engine) as url:
        assert (await refused(url, PDF)).cause == MALWARE_FOUND


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (b"ICAP/1.0 204 OK\r\nX-Infection-Found: Type=0; Resolution=1; Threat=Worm.A;\r\n\r\n", "Worm.A"),
        (b"ICAP/1.0 200 OK\r\nX-Virus-ID: EICAR Test String\r\n\r\n", "EICAR Test String"),
        (b"ICAP/1.0 200 OK\r\nX-Violations-Found: 1\r\n\tletter.pdf\r\n\tWorm.B\r\n\t1\r\n\t2\r\n\r\n", ""),
        (b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=19\r\n\r\nHTTP/1.1 403 No\r\n\r\n", ""),
        (b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ""),
    ],
    ids=["threat beside a 204", "virus id", "violations", "a page in its place", "nothing in its place"],
)
async def test_whatever_an_icap_service_does_about_a_document_refuses_it(engine, said, word):
    engine.says = said

    async with icap(engine) as url:
        error = await refused(url, PDF)

    assert (error.cause, error.word) == (MALWARE_FOUND, word)


@pytest.mark.parametrize(
    ("unkind", "cause"),
    [
        ({"hangs": True}, SCANNER_AWAY),
        ({"hangs_up": True}, SCANNER_AWAY),
        ({"says": b"ICAP/1.0 204 No Content\r\n\r\n", "is_early": True}, SCANNER_AWAY),
        ({"says": b"ICAP/1.0 500 Server error\r\n\r\n"}, SCANNER_AWAY),
        ({"says": b"ICAP/1.0 503 Overloaded\r\n\r\n"}, SCANNER_AWAY),
        ({"says": b"HTTP/1.1 200 OK\r\n\r\n"}, SCANNER_AWAY),
        ({"says": b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\nffff\r\ncut"}, SCANNER_AWAY),
        ({"says": b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\nzz\r\n"}, SCANNER_AWAY),
        ({"methods": "OPTIONS"}, SCANNER_AWAY),
        ({"says": b"ICAP/1.0 413 Too large\r\n\r\n"}, SCANNER_LIMIT),
    ],
    ids=["hangs", "hangs up", "too early", "500", "503", "a web server", "cut", "no chunk", "no method", "limit"],
)
async def test_a_document_waits_where_an_icap_service_does_not_say_that_it_is_clean(engine, unkind, cause):
    for name, value in unkind.items():
        setattr(engine, name, value)

    async with icap(engine) as url:
        error = await refused(url, LARGE if engine.is_early else PDF)

    assert (type(error), error.cause) == (DocumentNotReady, cause)


@pytest.mark.parametrize("url", ["clamd://127.0.0.1:1", "clamd:///nowhere/clamd.sock", "icap://127.0.0.1:1/avscan"])
async def test_a_document_waits_where_no_scanner_is(url):
    error = await refused(url, PDF)

    assert (type(error), error.cause) == (DocumentNotReady, SCANNER_AWAY)
    assert await ContentRules.of(10, url).scanner.probe() != ""


async def test_nothing_is_read_of_a_document_where_no_scanner_is():
    def unread():
        raise AssertionError("its vendor was asked")

    with pytest.raises(DocumentNotReady):
        await inspect(unread, ContentRules.of(10, "clamd://127.0.0.1:1"), {FileType.PDF})


@BOTH
async def test_a_probe_of_a_scanner_that_is_there_names_no_problem(served, engine):
    async with served(engine) as url:
        assert await ContentRules.of(10, url).scanner.probe() == ""


async def test_a_probe_names_a_service_that_is_not_there_and_whatever_is_no_clamd(engine):
    async with icap(engine) as url:
        assert "no such service" in await ContentRules.of(10, f"{url}2").scanner.probe()
    engine.says = b"HTTP/1.1 400\r\n\r\n\0"
    async with clamd(engine) as url:
        assert "no clamd" in await ContentRules.of(10, url).scanner.probe()
