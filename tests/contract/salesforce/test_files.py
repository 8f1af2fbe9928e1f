"""Our Salesforce client's files against the stand-in: their bytes in and out, where they are, what was made."""

import hashlib

import pytest

from app.documents.content import ContentRules, copied, inspect
from app.errors import (
    DocumentChanged,
    EdgeAnswered,
    Gone,
    OutcomeUnknown,
    Rejected,
    Unauthorized,
    Unavailable,
)
from app.store.rate_ledger import RateLedger
from app.sync.failure_causes import FILE_TYPE_BLOCKED, FILES_SPENT
from app.sync.file_types import FileType
from app.vendors.rate_limit.salesforce import SalesforceRateLimit
from app.vendors.salesforce.files import FileLimits, SalesforceFiles
from app.vendors.salesforce.wire import long_id
from tests.unit.documents.pieces import PDF, opening

ALL, RULES = frozenset(FileType), ContentRules(20 * 2**20)
LARGE = PDF.ljust(1_500_000, b"x")
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here


def md5_of(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture
async def contact(salesforce):
    """The Id of a Contact, and of another."""
    made = [await salesforce.raw("POST", "sobjects/Contact/", "POST", {"LastName": name}) for name in ("One", "Two")]
    return tuple(one.json()["id"] for one in made)


@pytest.fixture
def files(salesforce):
    return SalesforceFiles(salesforce)


async def file_of(content, source=None):
    """A content as it is sent, from where it was inspected, or from another source."""
    return copied(source or opening(content), await inspect(opening(content), RULES, ALL))


async def whole(files, version_id):
    async with files.content(version_id) as pieces:
        return b"".join([piece async for piece in pieces])


def fault(org, match, **deed):
    org.control.post("/_control/faults", json={"match": match, **deed}).raise_for_status()


async def made(salesforce):
    return await salesforce.count("ContentVersion")


async def test_an_upload_makes_a_file_on_a_record_of_the_bytes_and_fields_that_were_sent(files, contact):
    fields = {"Title": 'Überweisung "A"\r\n--B', "FirstPublishLocationId": contact[0]}

    version_id = await files.upload(fields, await file_of(LARGE))

    found = await files.of_records(contact)
    (version,) = found[contact[0]]
    assert (version["Id"], version["Title"], version["Checksum"]) == (version_id, fields["Title"], md5_of(LARGE))
    assert (version["ContentSize"], version["FileExtension"], found[contact[1]]) == (len(LARGE), "pdf", [])
    assert await whole(files, version_id) == LARGE


async def test_a_version_of_a_file_is_a_second_one_and_the_first_is_found_by_its_bytes(files, contact):
    first = await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, await file_of(PDF))
    (version,) = await files.versions([first])
    second = await files.upload({"ContentDocumentId": version["ContentDocumentId"]}, await file_of(LARGE))

    latest = (await files.of_records(contact))[contact[0]]
    assert [one["Id"] for one in latest] == [second]
    assert [one["Id"] for one in await files.with_checksum(contact[0], md5_of(PDF))] == [first]
    assert await files.with_checksum(contact[0], md5_of(b"")) == []
    assert {one["Id"] for one in await files.versions([first, second])} == {first, second}


async def test_a_file_is_put_on_a_record_and_taken_off_it_and_both_are_repeatable(files, contact):
    version_id = await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, await file_of(PDF))
    document_id = (await files.versions([version_id]))[0]["ContentDocumentId"]

    await files.link(document_id, contact[1])
    await files.link(document_id, contact[1])
    assert set(contact) <= set((await files.linked_records([document_id]))[document_id])
    assert [await files.unlink(document_id, contact[0]) for _ in range(2)] == [True, False]
    assert [len(one) for one in (await files.of_records(contact)).values()] == [0, 1]


async def test_a_link_to_what_is_not_there_is_refused(files, contact):
    version_id = await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, await file_of(PDF))
    document_id = (await files.versions([version_id]))[0]["ContentDocumentId"]

    with pytest.raises(Rejected):
        await files.link(document_id, "003000000000000AAA")


async def test_many_records_are_asked_for_by_two_queries(org, files, salesforce, contact):
    version_ids = [
        await files.upload({"Title": "a", "FirstPublishLocationId": one}, await file_of(PDF)) for one in contact
    ]
    asked = [long_id(f"003{number:012d}") for number in range(198)]
    before = org.control.get("/_control/calls").json()["counts"]

    found = await files.of_records([*contact, *asked])

    after = org.control.get("/_control/calls").json()["counts"]
    made = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    assert sorted(one["Id"] for each in found.values() for one in each) == sorted(version_ids)
    assert sum(made.values()) == 2


async def test_an_upload_and_a_download_in_a_session_that_is_over_are_made_in_a_new_one(org, files, contact):
    org.control.post("/_control/tokens/expire")
    version_id = await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, await file_of(PDF))
    org.control.post("/_control/tokens/expire")

    assert await whole(files, version_id) == PDF
    assert len((await files.of_records(contact))[contact[0]]) == 1


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        ({"do": "error", "status": 400, "body": [{"errorCode": "STRING_TOO_LONG", "message": "x"}]}, Rejected),
        ({"do": "error", "status": 413, "body": "<html>"}, Rejected),
        ({"do": "error", "status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": "x"}]}, Unavailable),
        ({"do": "error", "status": 503, "body": "<html>"}, EdgeAnswered),
        ({"do": "error", "status": 201, "body": "<html>"}, EdgeAnswered),
        ({"do": "error", "status": 201, "body": {"id": "nonsense"}}, EdgeAnswered),
        ({"do": "error", "status": 500, "body": [{"errorCode": "UNKNOWN_EXCEPTION", "message": "x"}]}, OutcomeUnknown),
        ({"do": "drop_after_commit"}, OutcomeUnknown),
    ],
    ids=["400", "413", "503", "503 html", "201 html", "201 without id", "500", "done and dropped"],
)
async def test_every_bad_answer_to_an_upload_says_whether_it_may_have_happened(org, files, contact, deed, expected):
    sent = await file_of(PDF)
    fault(org, "POST /services/data/v67.0/sobjects/ContentVersion", **deed)

    with pytest.raises(expected) as raised:
        await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, sent)

    assert isinstance(raised.value, OutcomeUnknown) == issubclass(expected, OutcomeUnknown)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (opening(LARGE, error=Unavailable("drchrono", "GET document")), Unavailable),
        (opening(LARGE[:-1] + b"y"), DocumentChanged),
        (opening(LARGE[:-1]), DocumentChanged),
    ],
    ids=["source fails", "other bytes", "shorter"],
)
async def test_an_upload_that_was_cut_has_made_nothing(salesforce, files, contact, source, expected):
    with pytest.raises(expected):
        await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, await file_of(LARGE, source))

    assert await made(salesforce) == 0


@pytest.mark.parametrize("error", [Unauthorized, Gone, Rejected, Unavailable])
async def test_an_error_of_the_source_is_nothing_that_the_org_did(salesforce, database, error):
    failed, calls = error("drchrono", "GET document", code="X"), RateLedger(database, "org")
    salesforce.budget = SalesforceRateLimit("salesforce", calls, 1.0)

    with pytest.raises(error) as raised:
        await SalesforceFiles(salesforce).upload({"Title": "a"}, await file_of(LARGE, opening(LARGE, error=failed)))

    assert (raised.value, (await calls.read()).failures) == (failed, 0)


@pytest.mark.parametrize(
    ("setting", "expected", "code"),
    [
        ({"daily_versions": 0}, Unavailable, FILES_SPENT),
        ({"blocked_extensions": ["pdf"]}, Rejected, FILE_TYPE_BLOCKED),
        ({"file_storage_full": True}, Unavailable, "STORAGE_LIMIT_EXCEEDED"),
    ],
    ids=["day", "type", "storage"],
)
async def test_what_the_org_takes_no_file_for_is_told_by_name(org, files, contact, setting, expected, code):
    org.control.put("/_control/settings", json=setting).raise_for_status()

    with pytest.raises(expected) as raised:
        await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, await file_of(PDF))

    assert raised.value.code == code


@pytest.mark.parametrize(
    "deed",
    [
        {"do": "error", "status": 200, "body": "<html>"},
        {"do": "error", "status": 503, "body": "<html>"},
        {"do": "drop_before"},
        {"do": "half"},
    ],
    ids=["a page", "503", "dropped", "cut"],
)
async def test_what_comes_in_a_files_place_or_cut_is_not_the_file(org, files, contact, deed):
    version_id = await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, await file_of(LARGE))
    fault(org, "GET /services/data/v67.0/sobjects/ContentVersion", **deed)

    with pytest.raises(Unavailable):
        await whole(files, version_id)


async def test_a_version_that_is_not_there_is_gone(files):
    with pytest.raises(Gone):
        await whole(files, "068000000000001AAA")


async def test_a_place_and_a_download_are_free_again_whatever_became_of_them(org, files, salesforce, contact):
    version_id = await files.upload({"Title": "a", "FirstPublishLocationId": contact[0]}, await file_of(LARGE))

    async def abandon():
        async with files.content(version_id) as pieces:
            await anext(pieces)
            raise ZeroDivisionError

    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            await abandon()

    assert salesforce.budget.places._free._value == salesforce.budget.places.most
    assert await whole(files, version_id) == LARGE


async def test_the_orgs_limits_on_files_are_read_as_far_as_it_says_them(files, org):
    found = await files.limits()

    said = org.control.get("/_control/settings").json()
    assert found.versions is None or found.versions[0] == said["daily_versions"]
    assert isinstance(found, FileLimits)
