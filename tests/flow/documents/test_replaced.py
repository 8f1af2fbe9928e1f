"""The bytes of a document are replaced in DrChrono under its id: its File gets a new version, and that once."""

import base64
from datetime import timedelta

import pytest

from app.store import documents
from app.sync.model import Kind
from tests.flow.documents.folder import a_pdf, md5
from tests.flow.documents.test_unkind import ends

UPLOAD = "POST /services/data"


def replaces(folder, document, content, **fields):
    """Somebody at the practice replaces the file of a document."""
    return folder.edits(document, file=base64.b64encode(content).decode(), **fields)


@pytest.fixture
async def both(clinic, folder):
    """A document that both sides have, and whose file was seen since; gives it and its version."""
    patient, _ = await folder.has_a_patient()
    document = folder.files(patient)
    await folder.compares()
    return document, folder.version()


async def assert_two_versions(clinic, folder, first, content):
    one, two = folder.versions()
    assert one["ContentDocumentId"] == two["ContentDocumentId"] == first["ContentDocumentId"]
    assert (one["Checksum"], two["Checksum"]) == (first["Checksum"], md5(content))
    (link,) = await clinic.links(Kind.DOCUMENT)
    assert (link.salesforce_id, link.due_at) == (two["Id"], None)
    assert len(folder.in_chart()) == 1
    assert await clinic.failures() == []


async def test_a_replaced_file_becomes_a_new_version_once(clinic, folder, both):
    document, first = both

    replaces(folder, document, a_pdf("page two"))
    await folder.compares()
    await folder.told(folder.versions()[-1], "INSERT")
    await folder.compares()
    await folder.loads()

    await assert_two_versions(clinic, folder, first, a_pdf("page two"))
    assert {one["Title"] for one in folder.versions()} == {"Referral letter (2026-11-03)"}


async def test_a_document_of_salesforces_that_was_replaced_in_drchrono_comes_back_as_a_version(clinic, folder):
    _, contact = await folder.has_a_patient()
    first = folder.uploads(contact)
    await folder.told(first)
    for _ in range(2):  # the first list shows no file yet
        await folder.compares()
    (document,) = folder.in_chart()

    replaces(folder, document, a_pdf("signed"))
    await folder.compares()
    await folder.told(folder.versions()[-1], "INSERT")
    await folder.loads()

    await assert_two_versions(clinic, folder, first, a_pdf("signed"))


async def test_an_edited_text_reads_no_bytes_and_the_same_bytes_anew_make_no_version(clinic, folder, both):
    document, _ = both
    clinic.drchrono.delete("/_control/calls")

    folder.edits(document, description="Letter")
    await folder.compares()
    after_an_edit = clinic.calls("drchrono", "GET /api/documents/{id}")
    replaces(folder, document, a_pdf())
    await folder.compares()
    once = clinic.calls("drchrono", "GET /api/documents/{id}")
    await folder.compares()

    assert (after_an_edit, once) == (0, 1)
    assert clinic.calls("drchrono", "GET /api/documents/{id}") == 1
    assert len(folder.versions()) == 1


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before"])
async def test_an_unanswered_new_version_is_found_or_made_once(clinic, folder, both, fault):
    document, first = both
    replaces(folder, document, a_pdf("page two"))
    clinic.breaks("salesforce", UPLOAD, fault)

    await folder.compares()
    await folder.told(folder.versions()[-1], "INSERT")
    await ends(clinic)
    await folder.compares()

    await assert_two_versions(clinic, folder, first, a_pdf("page two"))


INHERITED = ("Title", "DrChrono_Date__c", "DrChrono_Tags__c")


@pytest.mark.parametrize("inherited", [(), INHERITED], ids=["its own title", "the title of the one before"])
async def test_a_version_that_a_person_has_uploaded_becomes_a_document_before_a_replacement_comes_on_top(
    clinic, folder, both, inherited
):
    document, first = both
    key = {"DrChrono_Document_Id__c": str(document["id"])}  # as a new version has it from the one before
    key |= {name: first[name] for name in inherited}
    newer = folder.uploads(None, a_pdf("signed"), ContentDocumentId=first["ContentDocumentId"], **key)
    replaces(folder, document, a_pdf("page two"))

    await documents.want_opened(clinic.runtime.database, str(document["patient"]), timedelta(0))
    await folder.polls()  # no trigger has told of the version yet
    await clinic.settles()
    await folder.told(newer)
    await ends(clinic)
    await folder.compares()

    held = [md5(a_pdf(one)) for one in ("page one", "signed", "page two")]
    assert [one["Checksum"] for one in folder.versions()][1:] == held[1:]
    assert sorted(one["md5"] for one in folder.in_chart()) == sorted(held[1:])
    assert await clinic.failures() == []


async def test_a_person_who_replaces_a_file_on_both_sides_by_the_same_one_has_replaced_one_document(
    clinic, folder, both
):
    document, first = both
    key = {"DrChrono_Document_Id__c": str(document["id"]), **{name: first[name] for name in INHERITED}}
    newer = folder.uploads(None, a_pdf("page two"), ContentDocumentId=first["ContentDocumentId"], **key)
    replaces(folder, document, a_pdf("page two"))

    await documents.want_opened(clinic.runtime.database, str(document["patient"]), timedelta(0))
    await folder.polls()
    await clinic.settles()
    await folder.told(newer)
    await ends(clinic)
    await folder.compares()

    await assert_two_versions(clinic, folder, first, a_pdf("page two"))


async def test_a_replacement_that_may_not_travel_is_a_failure_and_is_read_once(clinic, folder, both):
    document, first = both
    replaces(folder, document, b"MZ\x90\x00 a program")

    await folder.compares()
    clinic.drchrono.delete("/_control/calls")
    await documents.want_opened(clinic.runtime.database, str(document["patient"]), timedelta(0))
    await folder.polls()
    await clinic.settles()

    assert clinic.calls("drchrono", "GET /api/documents") == 1, "the list"
    assert [found[:2] for found in await clinic.failures()] == [("drchrono", "document_type_refused")]
    assert folder.version()["Id"] == first["Id"]


async def test_a_replacement_whose_bytes_are_never_served_is_a_failure_after_hours_and_asked_for_no_more(
    clinic, folder, both
):
    document, _ = both
    replaces(folder, document, a_pdf("page two"))
    clinic.breaks("drchrono", "GET /store", "error", status=404, next=None)

    told = []
    for _ in range(3):
        await folder.compares()
        told.append([cause for _, cause, _ in await clinic.failures()])
        await clinic.time_passes(timedelta(hours=3.5))
    reads = folder.reads()
    await documents.want_opened(clinic.runtime.database, str(document["patient"]), timedelta(0))
    await folder.polls()
    await clinic.settles()

    assert told == [[], [], ["document_bytes_missing"]]
    assert folder.reads() == reads
    assert len(folder.versions()) == 1


async def is_uploaded_unanswered(clinic, folder, document):
    """A replaced file's new version, which nobody answered for, and of which no trigger has told yet; gives it."""
    clinic.breaks("salesforce", UPLOAD, "drop_after_commit")
    replaces(folder, document, a_pdf("page two"))
    await folder.compares()
    return folder.versions()[-1]


async def test_an_unanswered_new_version_of_a_document_that_was_filed_with_another_patient_is_no_document_of_its_own(
    clinic, folder, both
):
    document, first = both
    other = await clinic.has_linked(first_name="Bo", last_name="Sample")
    version = await is_uploaded_unanswered(clinic, folder, document)

    folder.edits(document, patient=other["id"])
    await folder.finds()
    await ends(clinic)
    await folder.compares()
    await ends(clinic)

    await assert_two_versions(clinic, folder, first, a_pdf("page two"))
    assert list(folder.file_links(version)) == [(await clinic.link(other)).salesforce_id]


async def test_an_unanswered_new_version_of_a_file_that_was_taken_off_is_found_and_the_document_archived(
    clinic, folder, both
):
    document, first = both
    version = await is_uploaded_unanswered(clinic, folder, document)

    folder.takes_off(version, next(iter(folder.file_links(version))))
    await folder.told(version)
    await ends(clinic)

    await assert_two_versions(clinic, folder, first, a_pdf("page two"))
    assert folder.in_chart()[0]["archived"]
