"""A File that somebody ticked becomes a document of its patient: once, with the id written back."""

import json

import pytest

from app.sync.model import Kind
from tests.flow.documents.folder import SHARED, a_pdf, md5

POST = "POST /api/documents"


async def test_a_ticked_file_becomes_a_document_of_its_patient_and_bears_its_id(clinic, folder):
    patient, contact = await folder.has_a_patient()
    version = folder.uploads(contact, DrChrono_Tags__c="Consent", DrChrono_Date__c="2026-11-02")

    await folder.told(version)

    (document,) = folder.in_chart()
    assert (document["patient"], document["description"], document["date"]) == (
        patient["id"],
        "Consent form",
        "2026-11-02",
    )
    assert (document["md5"], document["doctor"]) == (md5(a_pdf("consent")), patient["doctor"])
    assert json.loads(document["metatags"]) == ["Consent", SHARED], "so that it is shared over there"
    assert folder.version()["DrChrono_Document_Id__c"] == str(document["id"])
    assert await clinic.failures() == []


async def test_told_five_times_and_compared_one_document_is_made(clinic, folder):
    _, contact = await folder.has_a_patient()
    version = folder.uploads(contact)

    for _ in range(5):
        assert await folder.tells(version) == 200
    await clinic.settles()
    await folder.compares()
    await clinic.time_passes(clinic.confirm_after * 2)
    await folder.told(folder.version())
    await folder.compares()

    assert len(folder.in_chart()) == len(folder.versions()) == 1
    assert clinic.calls("drchrono", POST) == 1
    assert {one["Title"] for one in folder.versions()} == {"Consent form"}
    assert {one["description"] for one in folder.in_chart()} == {"Consent form"}


async def test_an_unticked_file_stays_in_salesforce_and_is_not_remembered(clinic, folder):
    _, contact = await folder.has_a_patient()

    await folder.told(folder.uploads(contact, Send_To_DrChrono__c=False))

    assert folder.in_chart() == []
    assert await clinic.links(Kind.DOCUMENT) == []


@pytest.mark.parametrize("is_linked", [True, False], ids=["on nobody's record", "on one who is not linked"])
async def test_a_ticked_file_that_is_no_patients_says_so(clinic, folder, is_linked):
    await folder.has_a_patient()
    stranger = clinic.human_enters_contact(FirstName="Bo", LastName="Sample")
    version = folder.uploads(None if is_linked else stranger)

    await folder.told(version)

    cause = "file_on_no_patient" if is_linked else "parent_not_linked"
    assert await clinic.failures() == [("salesforce", cause, "FirstPublishLocationId")]
    assert folder.in_chart() == []


async def test_once_its_contact_is_a_patient_the_file_follows(clinic, folder):
    stranger = clinic.human_ticks_contact(Sync_To_DrChrono__c=False)
    version = folder.uploads(stranger)
    await folder.told(version)
    clinic.human_edits_contact(stranger, Sync_To_DrChrono__c=True)

    await clinic.hears()
    await clinic.settles()

    assert [one["description"] for one in folder.in_chart()] == ["Consent form"]
    assert await clinic.failures() == []


async def test_a_file_on_several_contacts_is_of_the_one_who_becomes_a_patient(clinic, folder):
    stranger, other = clinic.human_ticks_contact(Sync_To_DrChrono__c=False), clinic.human_enters_contact(LastName="Bo")
    version = folder.uploads(other)
    folder.puts_on(version, stranger)
    await folder.told(version)
    told = await clinic.failures()
    clinic.human_edits_contact(stranger, Sync_To_DrChrono__c=True)

    await clinic.hears()
    await clinic.settles()

    assert told == [("salesforce", "parent_not_linked", "FirstPublishLocationId")]
    assert [one["description"] for one in folder.in_chart()] == ["Consent form"]
    assert await clinic.failures() == []


async def test_a_file_whose_patient_drchrono_does_not_show_waits_unread_and_is_sent_once_it_does(clinic, folder):
    patient, contact = await folder.has_a_patient()
    clinic.breaks(
        "drchrono", POST, "error", next=9, status=400, body={"patient": ["Invalid pk - object does not exist."]}
    )
    clinic.breaks("drchrono", "GET /api/patients", "error", next=9, status=404, body={"detail": "Not found."})
    await folder.told(folder.uploads(contact))
    for _ in range(3):
        await clinic.time_passes(clinic.confirm_after * 20)
        await clinic.settles()
    told = {cause: fields for _, cause, fields in await clinic.failures()}
    await folder.compares()
    tried = clinic.calls("drchrono", POST)

    clinic.drchrono.delete("/_control/faults").raise_for_status()
    await clinic.arrives(await clinic.edits(patient, city="Springfield"))
    await clinic.settles()

    assert (told, tried) == ({"gone_in_drchrono": "", "parent_missing": "FirstPublishLocationId"}, 1)
    assert [one["patient"] for one in folder.in_chart()] == [patient["id"]]
    assert await clinic.failures() == []


async def test_a_document_with_the_same_bytes_is_that_file(clinic, folder):
    patient, contact = await folder.has_a_patient()
    document = folder.files(patient, a_pdf("consent"), description="Consent form", date="2026-11-02")
    version = folder.uploads(contact, DrChrono_Date__c="2026-11-02")

    await folder.told(version)

    assert len(folder.in_chart()) == 1
    assert (await folder.link()).drchrono_id == str(document["id"])
    assert clinic.calls("drchrono", POST) == 0


async def test_a_namesake_with_other_bytes_is_another_document(clinic, folder):
    patient, contact = await folder.has_a_patient()
    folder.files(patient, a_pdf("another"), description="Consent form", date="2026-11-02", metatags='["Lab"]')

    await folder.told(folder.uploads(contact, DrChrono_Date__c="2026-11-02"))

    assert sorted(one["md5"] for one in folder.in_chart()) == sorted([md5(a_pdf("another")), md5(a_pdf("consent"))])


async def test_the_same_bytes_twice_are_one_document_and_a_question(clinic, folder):
    _, contact = await folder.has_a_patient()
    first, second = folder.uploads(contact), folder.uploads(contact)
    await folder.tells(first)
    await folder.tells(second)

    await clinic.settles()
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert len(folder.in_chart()) == 1
    assert [found[1] for found in await clinic.failures()] == ["file_sent_already"]


async def test_a_program_that_calls_itself_a_pdf_is_a_failure_with_its_reason(clinic, folder):
    _, contact = await folder.has_a_patient()

    await folder.told(folder.uploads(contact, b"MZ\x90\x00 a program"))

    assert [found[1] for found in await clinic.failures()] == ["document_type_refused"]
    assert clinic.calls("drchrono", POST) == 0


async def test_a_new_version_is_a_new_document_and_the_older_one_says_so(clinic, folder):
    _, contact = await folder.has_a_patient()
    await folder.told(folder.uploads(contact))
    first = folder.version()
    old = first["DrChrono_Document_Id__c"]

    second = folder.uploads(None, a_pdf("page two"), ContentDocumentId=first["ContentDocumentId"])
    assert second["DrChrono_Document_Id__c"] == old, "a version has the fields of the one before it"
    await folder.told(second)
    await folder.polls()
    await folder.compares()

    links = {row.salesforce_id: row.drchrono_id for row in await clinic.links(Kind.DOCUMENT)}
    assert links == {one["Id"]: one["DrChrono_Document_Id__c"] for one in folder.versions()}
    new = links[second["Id"]]
    described = {str(one["id"]): one["description"] for one in folder.in_chart()}
    assert described == {old: f"Consent form [replaced by document {new}]", new: "Consent form"}
    assert {one["Title"] for one in folder.versions()} == {"Consent form"}
    assert await clinic.failures() == []


async def test_a_description_that_drchrono_refuses_holds_up_no_other(clinic, folder):
    _, contact = await folder.has_a_patient()
    for name in ("One", "Two"):
        version = folder.uploads(contact, a_pdf(name), Title=name)
        await folder.told(version)
        newer = folder.uploads(None, a_pdf(f"{name} again"), ContentDocumentId=version["ContentDocumentId"])
        await folder.told(newer)
    clinic.breaks("drchrono", "PATCH /api/documents", "error", status=403, body={"detail": "no"})

    for _ in range(3):
        await folder.polls()

    assert clinic.calls("drchrono", "PATCH /api/documents") == 2
    assert sum("[replaced by document" in one["description"] for one in folder.in_chart()) == 1
    assert await clinic.failures() == []
