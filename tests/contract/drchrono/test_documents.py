"""Our DrChrono client's documents against the stand-in: their bytes in and out, and what may have been made."""

import hashlib
import json
from dataclasses import replace

import pytest

from app.documents.content import ContentRules, copied, inspect
from app.errors import (
    DocumentChanged,
    DocumentNotReady,
    DocumentRefused,
    EdgeAnswered,
    Gone,
    LeaseLost,
    OutcomeUnknown,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from app.sync.failure_causes import BYTES_MISSING, URL_REFUSED
from app.sync.file_types import FileType
from app.timings import REAL
from app.vendors.drchrono.documents import DrChronoDocuments
from tests.standins.tests.known import OURS as DOCTOR
from tests.unit.documents.pieces import PDF, opening

ALL, RULES = frozenset(FileType), ContentRules(20 * 2**20)
LARGE = PDF.ljust(1_500_000, b"x")
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here


@pytest.fixture
async def drchrono(practice):
    return await practice.join()


@pytest.fixture
def documents(drchrono):
    return DrChronoDocuments(drchrono)


@pytest.fixture
def fields(practice):
    person = {"first_name": "Testa", "last_name": "Fixture", "gender": "Female", "doctor": DOCTOR}
    patient = practice.control.post("/_control/patients?silent=true", json=person).json()["id"]
    return {
        "doctor": str(DOCTOR), "patient": str(patient), "description": 'Überweisung "A"\r\nB', "date": "2026-03-16",
        "metatags": json.dumps(["Share with CRM"]),
    }  # fmt: skip


def there(practice):
    return practice.control.get("/_control/documents").json()["documents"]


def filed(practice, fields, **more):
    """A document that somebody filed at the practice, by its id."""
    given = {"patient": int(fields["patient"]), "made": {"kind": "pdf", "size": 200_000, "seed": 7}, **more}
    return str(practice.control.post("/_control/documents", json=given).json()["id"])


async def file_of(content, source=None):
    """A content as it is sent, from where it was inspected, or from another source."""
    return copied(source or opening(content), await inspect(opening(content), RULES, ALL))


async def whole(documents, record):
    async with documents.content(record) as pieces:
        return b"".join([piece async for piece in pieces])


def settings(practice, **given):
    practice.control.put("/_control/settings", json=given).raise_for_status()


async def test_an_upload_makes_one_document_of_the_bytes_and_texts_that_were_sent(practice, documents, fields):
    answered = await documents.upload(fields, await file_of(LARGE))

    (made,) = there(practice)
    assert answered["document"] is None
    assert (made["id"], made["md5"], made["size"]) == (answered["id"], hashlib.md5(LARGE).hexdigest(), len(LARGE))
    assert (made["description"], made["date"], str(made["patient"])) == (
        fields["description"].strip(), fields["date"], fields["patient"],
    )  # fmt: skip
    assert (made["metatags"], made["name"]) == (fields["metatags"], "document.pdf")


async def test_an_upload_with_a_token_that_died_is_sent_once_more_and_made_once(practice, documents, fields):
    practice.control.post("/_control/tokens/expire")

    await documents.upload(fields, await file_of(PDF))

    assert [made["md5"] for made in there(practice)] == [hashlib.md5(PDF).hexdigest()]


async def test_an_upload_that_may_not_start_any_more_is_not_sent(practice, documents, fields):
    def too_late():
        raise LeaseLost

    with pytest.raises(LeaseLost):
        await documents.upload(fields, await file_of(PDF), too_late)

    assert there(practice) == []


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"do": "throttle"}, Unavailable),
        ({"do": "error", "status": 400, "body": {"document": ["no"]}}, Rejected),
        ({"do": "error", "status": 413, "body": "<html>"}, Rejected),
        ({"do": "error", "status": 404, "body": {"detail": "no"}}, Rejected),
        ({"do": "error", "status": 503, "body": "<html>"}, EdgeAnswered),
        ({"do": "error", "status": 201, "body": {"description": "x"}}, EdgeAnswered),
        ({"do": "drop_after_commit"}, OutcomeUnknown),
        ({"do": "half"}, OutcomeUnknown),
    ],
    ids=["429", "400", "413", "404", "503", "201 without id", "done and dropped", "half an answer"],
)
async def test_every_bad_answer_to_an_upload_says_whether_it_may_have_happened(
    practice, documents, fields, fault, expected
):
    practice.fault("POST /api/documents", **fault)

    with pytest.raises(expected) as raised:
        await documents.upload(fields, await file_of(PDF))

    assert isinstance(raised.value, OutcomeUnknown) == issubclass(expected, OutcomeUnknown)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (opening(LARGE, error=Unavailable("salesforce", "GET VersionData")), Unavailable),
        (opening(LARGE[:-1] + b"y"), DocumentChanged),
        (opening(LARGE[:-1]), DocumentChanged),
        (opening(LARGE + b"x"), DocumentChanged),
    ],
    ids=["source fails", "other bytes", "shorter", "longer"],
)
async def test_an_upload_that_was_cut_has_made_nothing(practice, documents, fields, source, expected):
    with pytest.raises(expected):
        await documents.upload(fields, await file_of(LARGE, source))

    assert there(practice) == []


@pytest.mark.parametrize("error", [Unauthorized, Gone, Rejected, Unavailable, Unreadable])
async def test_an_error_of_the_source_is_nothing_that_drchrono_did(practice, documents, drchrono, fields, error):
    failed, tokens = error("salesforce", "GET VersionData", code="X"), practice.counted("POST /o/token")

    with pytest.raises(error) as raised:
        await documents.upload(fields, await file_of(LARGE, opening(LARGE, error=failed)))

    assert raised.value is failed
    assert practice.counted("POST /o/token") == tokens
    assert (await drchrono.grant.budget.stands({})).paused_for_s == 0


async def test_an_upload_on_which_drchrono_hangs_up_midway_has_made_nothing(practice, documents, fields):
    practice.fault("POST /api/documents", do="drop_before")

    with pytest.raises((Unavailable, OutcomeUnknown)) as raised:
        await documents.upload(fields, await file_of(PDF.ljust(15_000_000, b"x")))

    assert type(raised.value) is Unavailable
    assert there(practice) == []


async def test_the_bytes_come_from_another_host_which_gets_no_token_and_costs_no_call(practice, documents, fields):
    record = await documents.read(filed(practice, fields))
    counted = practice.counted("")

    content = await whole(documents, record)

    assert (len(content), content[:8]) == (200_000, b"%PDF-1.7")
    assert "localhost" in record["document"]
    assert practice.counted("GET /api") + practice.counted("POST /api") <= counted


@pytest.mark.parametrize(
    "kind",
    [{"document_redirect": "moved"}, {"document_chunked": True}, {"document_host": "own"}, {"document_type": "a/b"}],
    ids=["moved", "of no length", "at its own host", "of an odd type"],
)
async def test_the_bytes_come_however_the_host_serves_them(practice, documents, fields, kind):
    settings(practice, **kind)
    record = await documents.read(filed(practice, fields))

    assert len(await whole(documents, record)) == 200_000


async def test_an_address_that_has_expired_is_asked_for_once_more(practice, documents, fields):
    document_id = filed(practice, fields)
    settings(practice, document_url_s=0)
    record = await documents.read(document_id)
    with pytest.raises(DocumentNotReady) as raised:
        await whole(documents, record)
    settings(practice, document_url_s=60)

    assert raised.value.cause == BYTES_MISSING
    assert len(await whole(documents, record)) == 200_000


async def test_a_document_without_a_file_yet_is_not_ready(practice, documents, fields):
    answered = await documents.upload(fields, await file_of(PDF))

    with pytest.raises(DocumentNotReady) as raised:
        await whole(documents, answered)

    assert raised.value.cause == BYTES_MISSING


async def test_a_document_that_went_meanwhile_is_gone(practice, documents, fields):
    document_id = filed(practice, fields)
    settings(practice, document_url_s=0)
    record = await documents.read(document_id)
    practice.control.delete(f"/_control/documents/{document_id}")

    with pytest.raises(Gone):
        await whole(documents, record)


@pytest.mark.parametrize(
    "fault",
    [{"status": 200, "body": "<html>"}, {"status": 500, "body": "<html>"}, {"status": 503, "body": ""}, {"do": "half"}],
    ids=["a page", "500", "503", "cut"],
)
async def test_what_comes_in_a_files_place_or_cut_is_not_the_file(practice, documents, fields, fault):
    record = await documents.read(filed(practice, fields))
    practice.fault("GET /store", **{"do": "error", **fault})

    with pytest.raises(Unavailable):
        await whole(documents, record)


async def test_no_transfer_goes_on_without_end(practice, documents, drchrono, fields):
    record = await documents.read(filed(practice, fields))
    drchrono.timings = replace(REAL, transfer_s=0.5)
    practice.fault("GET /store", do="slow", delay_s=20)
    practice.fault("POST /api/documents", do="slow", delay_s=20)

    with pytest.raises(Unavailable) as read:
        await whole(documents, record)
    with pytest.raises(OutcomeUnknown) as written:
        await documents.upload(fields, await file_of(PDF))

    assert [read.value.code, written.value.code] == ["NO_ANSWER"] * 2


@pytest.mark.parametrize("address", ["http://169.254.169.254/latest/meta-data", "https://10.0.0.7/a.pdf"])
async def test_a_redirect_into_our_own_network_is_not_followed(practice, documents, fields, address):
    record = await documents.read(filed(practice, fields))
    settings(practice, document_redirect=address)

    with pytest.raises(DocumentRefused) as raised:
        await whole(documents, record)

    assert raised.value.cause == URL_REFUSED


async def test_an_address_stands_in_no_line_of_the_log_and_in_no_error(practice, documents, fields, capsys, caplog):
    document_id = filed(practice, fields, name="canary-letter.pdf")
    settings(practice, document_url_s=0)
    record = await documents.read(document_id)

    with pytest.raises(DocumentNotReady) as raised:
        await whole(documents, record)

    said = capsys.readouterr()
    assert "canary" in record["document"]
    assert "canary" not in said.out + said.err + str(raised.value) + repr(raised.value)


async def test_a_change_and_an_archiving_reach_the_document_and_are_repeatable(practice, documents, fields):
    document_id = filed(practice, fields)

    for _ in range(2):
        await documents.change(document_id, {"description": "Letter", "metatags": '["a"]'})
        await documents.archive(document_id)

    (found,) = there(practice)
    assert (found["description"], found["metatags"], found["archived"]) == ("Letter", '["a"]', True)


async def test_an_archiving_of_what_is_not_there_is_no_error_and_a_change_is(documents):
    await documents.archive("1")

    with pytest.raises(Gone):
        await documents.change("1", {"description": "Letter"})


async def test_documents_are_listed_by_patient_and_page_by_page(practice, documents, fields):
    ids = {filed(practice, fields) for _ in range(3)}
    settings(practice, page_size=2)

    pages = [page async for page in documents.pages(patient=fields["patient"], since="2020-01-01")]
    of_nobody = [page async for page in documents.pages(patient="1")]

    assert {str(row["id"]) for page in pages for row in page} == ids
    assert [len(page) for page in pages] == [2, 1]
    assert of_nobody in ([], [[]])
