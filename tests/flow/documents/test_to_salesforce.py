"""A document of a chart becomes a File on its patient's Contact: once, and only what is shared and may travel."""

import json

import pytest

from app.sync.model import Kind
from tests.flow.clinic import OPERATOR
from tests.flow.documents.folder import SHARED, a_pdf, md5
from tests.flow.documents.test_unkind import ends


async def test_a_shared_document_becomes_a_file_on_its_contact(clinic, folder):
    patient, contact = await folder.has_a_patient()
    document = folder.files(patient)

    await folder.compares()

    version = folder.version()
    shown = {name: version[name] for name in ("Title", "DrChrono_Document_Id__c", "DrChrono_Date__c", "Checksum")}
    assert shown == {
        "Title": "Referral letter (2026-11-03)",
        "DrChrono_Document_Id__c": str(document["id"]),
        "DrChrono_Date__c": "2026-11-03",
        "Checksum": md5(a_pdf()),
    }
    assert list(folder.file_links(version)) == [contact]
    assert await clinic.failures() == []


async def test_compared_again_nothing_is_uploaded_and_no_byte_is_read(clinic, folder):
    patient, _ = await folder.has_a_patient()
    folder.files(patient)
    await folder.compares()
    clinic.drchrono.delete("/_control/calls")

    await folder.compares()
    await folder.told(folder.version())

    assert len(folder.versions()) == 1
    assert clinic.calls("drchrono", "GET /api/documents/{id}") == 0
    assert len(await clinic.journal("salesforce")) == 2, "the patient and the document"


@pytest.mark.parametrize(
    "fields", [{"metatags": '["Lab"]'}, {"metatags": ""}, {"archived": True}], ids=["another tag", "no tag", "archived"]
)
async def test_what_is_not_shared_stays_where_it_is(clinic, folder, fields):
    patient, _ = await folder.has_a_patient()
    folder.files(patient, **fields)

    await folder.compares()

    assert folder.versions() == []
    assert await clinic.links(Kind.DOCUMENT) == []


async def test_a_document_of_a_patient_who_is_not_linked_is_not_even_remembered(clinic, folder):
    await folder.has_a_patient()
    stranger = await clinic.registers(first_name="Bo", last_name="Sample")
    folder.files(stranger)

    await folder.compares()

    assert (folder.versions(), await clinic.links(Kind.DOCUMENT)) == ([], [])


async def test_when_the_patient_is_linked_the_documents_are_listed_at_once(clinic, folder):
    patient = await clinic.registers(first_name="Bo", last_name="Sample")
    folder.files(patient)
    await clinic.arrives(patient, event="PATIENT_CREATE")

    await folder.polls()
    await clinic.settles()

    assert [one["Title"] for one in folder.versions()] == ["Referral letter (2026-11-03)"]


async def test_when_somebody_opens_the_patient_the_documents_are_listed_at_once_and_once(clinic, folder):
    patient, _ = await folder.has_a_patient()
    await clinic.time_passes(clinic.confirm_after * 6)
    folder.files(patient)
    bearer = {"authorization": f"Bearer {OPERATOR}"}

    for _ in range(3):
        page = await clinic.web.get(f"/records/drchrono/patient/{patient['id']}", headers=bearer)
        assert page.status_code == 200
        await folder.polls()
        await clinic.settles()

    assert len(folder.versions()) == 1
    assert clinic.calls("drchrono", "GET /api/documents") == 2, "one list, and the document itself"


@pytest.mark.parametrize(
    ("content", "name", "cause"),
    [
        (b"MZ\x90\x00 a program", "letter.pdf", "document_type_refused"),
        (a_pdf(), "letter.png", "document_extension_differs"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR %PDF-1.7", "scan.png", "document_polyglot"),
        (a_pdf("x" * 2**20), "large.pdf", "document_too_large"),
    ],
    ids=["type", "extension", "polyglot", "size"],
)
async def test_what_may_not_travel_is_a_failure_by_name_beside_healthy_ones(clinic, folder, content, name, cause):
    patient, _ = await folder.has_a_patient()
    folder.files(patient, content, name=name, description="Odd")
    folder.files(patient)

    await folder.compares()

    assert [one["Title"] for one in folder.versions()] == ["Referral letter (2026-11-03)"]
    assert [found[1] for found in await clinic.failures()] == [cause]


async def test_what_may_not_travel_is_not_read_again_while_it_is_what_it_was(clinic, folder):
    patient, _ = await folder.has_a_patient()
    folder.files(patient, b"MZ\x90\x00 a program")
    await folder.compares()
    clinic.drchrono.delete("/_control/calls")

    await folder.compares()

    assert clinic.calls("drchrono", "GET /api/documents/{id}") == 0
    assert [found[1] for found in await clinic.failures()] == ["document_type_refused"]


@pytest.mark.parametrize("edit", [{"archived": True}, {"metatags": '["Lab"]'}], ids=["archived", "shared no more"])
async def test_what_may_not_travel_fails_no_more_once_it_is_not_to_travel(clinic, folder, edit):
    patient, _ = await folder.has_a_patient()
    document = folder.files(patient, b"MZ\x90\x00 a program")
    await folder.compares()

    folder.edits(document, **edit)
    await folder.compares()
    await ends(clinic)

    assert await clinic.failures() == []
    assert (folder.versions(), folder.reads()) == ([], 1)


async def test_a_file_with_the_same_bytes_on_the_contact_is_that_document(clinic, folder):
    patient, contact = await folder.has_a_patient()
    version = folder.uploads(contact, a_pdf(), Send_To_DrChrono__c=False, Title="Referral letter")
    document = folder.files(patient)

    await folder.compares()

    assert folder.version()["DrChrono_Document_Id__c"] == str(document["id"])
    assert (await folder.link()).salesforce_id == version["Id"]


async def test_tags_and_title_travel_as_text_and_the_other_sides_edit_survives(clinic, folder):
    patient, _ = await folder.has_a_patient()
    document = folder.files(patient)
    await folder.compares()

    folder.edits(document, description="Referral to a specialist")
    folder.human_edits_file(folder.version(), DrChrono_Tags__c=f"{SHARED}; Cardiology")
    await folder.tells(folder.version())
    await folder.compares()

    (there,) = folder.in_chart()
    version = folder.version()
    assert (there["description"], json.loads(there["metatags"])) == ("Referral to a specialist", [SHARED, "Cardiology"])
    assert version["Title"] == "Referral to a specialist (2026-11-03)"
    assert len(folder.versions()) == 1
    assert await clinic.failures() == []


async def test_a_document_whose_contact_is_in_the_bin_waits_unread_and_follows_once_that_is_back(clinic, folder):
    patient, contact = await folder.has_a_patient()
    path = f"/_control/records/Contact/{contact}"
    clinic.salesforce.delete(path).raise_for_status()
    folder.files(patient)

    await folder.compares()
    await clinic.time_passes(clinic.confirm_after * 20)
    await clinic.settles()
    told, read = await clinic.failures(), folder.reads()
    clinic.salesforce.post(f"{path}/undelete").raise_for_status()
    await folder.tells_of("Contact", contact, "UNDELETE")
    await clinic.settles()
    await clinic.time_passes(clinic.confirm_after * 2)  # what was listed of it is used up: DrChrono is asked
    await clinic.settles()

    causes = {cause: fields for _, cause, fields in told}
    assert (causes, read) == ({"gone_in_salesforce": "", "parent_missing": "FirstPublishLocationId"}, 0)
    assert list(folder.file_links(folder.version())) == [contact]
    assert await clinic.failures() == []


async def test_a_document_whose_contact_was_merged_away_follows_to_the_other(clinic, folder):
    patient, contact = await folder.has_a_patient()
    winner = clinic.human_enters_contact(FirstName="Ada", LastName="Test")
    asked = {"winner": winner, "loser": contact}
    clinic.salesforce.post("/_control/records/Contact/merge", json=asked).raise_for_status()
    folder.files(patient)

    await folder.compares()
    await clinic.time_passes(clinic.confirm_after * 20)
    await clinic.settles()

    assert list(folder.file_links(folder.version())) == [winner]
    assert folder.reads() == 2, "to be inspected, and to be sent"
    assert await clinic.failures() == []
