"""What becomes of a document that both sides have: archived, taken off, filed with another patient, merged."""

import base64
import json

import pytest

from app.store.tables import journal
from app.sync.model import Exclusion, Kind
from tests.flow.documents.folder import SHARED, a_pdf

DELETE = "DELETE /api/documents"


@pytest.fixture
async def both(clinic, folder):
    """A patient with a document that both sides have: gives patient, Contact, document and version."""
    patient, contact = await folder.has_a_patient()
    document = folder.files(patient)
    await folder.compares()
    clinic.drchrono.delete("/_control/calls")
    return patient, contact, document, folder.version()


def archived(folder):
    return [one["archived"] for one in folder.in_chart()], [one["DrChrono_Archived__c"] for one in folder.versions()]


async def settles_in_time(clinic):
    for _ in range(3):
        await clinic.settles()
        await clinic.time_passes(clinic.confirm_after * 2)
    await clinic.settles()


async def test_what_is_archived_in_drchrono_is_marked_in_salesforce_and_back(clinic, folder, both):
    _, contact, document, version = both

    folder.edits(document, archived=True)
    await folder.compares()
    await settles_in_time(clinic)
    marked = archived(folder), list(folder.file_links(version))
    folder.edits(document, archived=False)
    await folder.compares()
    await settles_in_time(clinic)

    assert marked == (([True], [True]), [contact])
    assert archived(folder) == ([False], [False])
    assert await clinic.failures() == []


async def test_a_file_that_is_taken_off_its_contact_is_archived_in_drchrono_and_stays_a_file(clinic, folder, both):
    _, contact, _, version = both

    folder.takes_off(version, contact)
    await folder.told(version)
    await settles_in_time(clinic)
    taken_off = archived(folder)
    folder.puts_on(version, contact)
    await folder.told(version)
    await settles_in_time(clinic)

    assert taken_off == ([True], [False])
    assert archived(folder) == ([True], [True]), "DrChrono's API brings nothing back: the File says so"
    assert clinic.calls("drchrono", DELETE) == 1
    assert await clinic.failures() == []


async def test_a_file_that_is_taken_off_beside_one_that_stays_is_archived(clinic, folder, both):
    patient, contact, document, version = both
    folder.files(patient, a_pdf("another"), description="Another")
    await folder.compares()

    folder.takes_off(version, contact)
    for one in folder.versions():
        await folder.tells(one)
    await settles_in_time(clinic)

    assert {one["id"] for one in folder.in_chart() if one["archived"]} == {document["id"]}
    assert await clinic.failures() == []


async def test_a_file_that_is_deleted_is_archived_in_drchrono_and_marked_when_it_comes_back(clinic, folder, both):
    _, _, _, version = both
    path = f"/_control/records/ContentDocument/{version['ContentDocumentId']}"

    clinic.salesforce.delete(path).raise_for_status()
    await folder.told(version, "DELETE")
    await settles_in_time(clinic)
    deleted = [one["archived"] for one in folder.in_chart()]
    clinic.salesforce.post(f"{path}/undelete").raise_for_status()
    await folder.told(version, "UNDELETE")
    await settles_in_time(clinic)

    assert deleted == [True]
    assert archived(folder) == ([True], [True])


async def test_a_document_that_drchrono_does_not_show_is_left_to_a_person(clinic, folder, both):
    _, contact, document, version = both
    clinic.drchrono.delete(f"/_control/documents/{document['id']}").raise_for_status()

    folder.human_edits_file(version, Title="Something else")
    await folder.told(version)
    await settles_in_time(clinic)

    assert [found[1] for found in await clinic.failures()] == ["gone_in_drchrono"]
    assert list(folder.file_links(folder.version())) == [contact]


async def test_a_file_that_is_put_on_another_patient_moves_to_that_ones_chart(clinic, folder, both):
    _, contact, _, version = both
    other = await clinic.has_linked(first_name="Bo", last_name="Sample")
    record = (await clinic.link(other)).salesforce_id

    folder.puts_on(version, record)
    folder.takes_off(version, contact)
    await folder.told(version)
    await settles_in_time(clinic)

    assert [one["patient"] for one in folder.in_chart()] == [other["id"]]
    assert list(folder.file_links(version)) == [record]
    assert await clinic.failures() == []


async def test_a_document_that_is_filed_with_another_patient_moves_to_that_ones_contact(clinic, folder, both):
    _, _, document, version = both
    other = await clinic.has_linked(first_name="Bo", last_name="Sample")
    record = (await clinic.link(other)).salesforce_id

    folder.edits(document, patient=other["id"])
    await folder.compares()
    await settles_in_time(clinic)

    assert list(folder.file_links(version)) == [record]
    assert [one["patient"] for one in folder.in_chart()] == [other["id"]]
    assert await clinic.failures() == []


async def test_a_file_that_people_uploaded_can_be_written_after_it_moved(clinic, folder):
    _, contact = await folder.has_a_patient()
    other = await clinic.has_linked(first_name="Bo", last_name="Sample")
    await folder.told(folder.uploads(contact), "INSERT")
    (document,) = folder.in_chart()

    folder.edits(document, patient=other["id"])
    await folder.compares()
    await settles_in_time(clinic)
    folder.edits(document, description="Consent, signed")
    await folder.compares()
    await settles_in_time(clinic)

    assert list(folder.file_links(folder.version())) == [(await clinic.link(other)).salesforce_id]
    assert folder.version()["Title"].startswith("Consent, signed")
    assert await clinic.failures() == []


async def test_a_document_whose_contact_is_gone_moves_to_the_patient_it_is_filed_with_then(clinic, folder, both):
    _, contact, document, version = both
    other = await clinic.has_linked(first_name="Bo", last_name="Sample")
    clinic.salesforce.delete(f"/_control/records/Contact/{contact}").raise_for_status()
    await folder.tells_of("Contact", contact, "DELETE")
    await settles_in_time(clinic)

    folder.edits(document, patient=other["id"])
    await folder.compares()
    await settles_in_time(clinic)

    assert list(folder.file_links(version)) == [(await clinic.link(other)).salesforce_id]
    assert archived(folder) == ([False], [False])


async def test_a_document_whose_contact_is_in_the_bin_waits_with_it_and_nothing_is_written_into_its_file(
    clinic, folder
):
    _, contact = await folder.has_a_patient()
    version = folder.uploads(contact)
    await folder.told(version, "INSERT")
    for _ in range(2):  # the first list shows no file yet
        await folder.compares()
    (document,), path = folder.in_chart(), f"/_control/records/Contact/{contact}"
    clinic.salesforce.delete(path).raise_for_status()

    folder.edits(document, description="Consent, signed", file=base64.b64encode(a_pdf("signed")).decode())
    await folder.compares()
    await settles_in_time(clinic)
    await folder.compares()
    await settles_in_time(clinic)
    told, refused = await clinic.failures(), [row.code for row in await clinic.rows(journal) if row.state == "refused"]
    clinic.salesforce.post(f"{path}/undelete").raise_for_status()
    await folder.tells_of("Contact", contact, "UNDELETE")
    await settles_in_time(clinic)
    await folder.compares()
    await settles_in_time(clinic)

    causes = {cause: fields for _, cause, fields in told}
    assert causes == {"gone_in_salesforce": "", "parent_missing": "FirstPublishLocationId"}
    assert refused == []
    assert [one["Title"].partition(" (")[0] for one in folder.versions()] == ["Consent, signed"] * 2
    assert await clinic.failures() == []


async def test_a_document_follows_its_patient_when_the_contact_is_merged(clinic, folder, both):
    patient, contact, document, version = both
    winner = clinic.human_enters_contact(FirstName="Ada", LastName="Test")
    asked = {"winner": winner, "loser": contact}
    clinic.salesforce.post("/_control/records/Contact/merge", json=asked).raise_for_status()

    await folder.told(version)  # before the patient's own link has followed
    await folder.tells_of("Contact", contact, "MERGE")
    await settles_in_time(clinic)
    folder.edits(document, description="After the merge")
    await folder.compares()
    await settles_in_time(clinic)

    assert (await clinic.link(patient)).salesforce_id == winner
    assert [(one["patient"], one["archived"]) for one in folder.in_chart()] == [(patient["id"], False)]
    assert list(folder.file_links(version)) == [winner]
    assert folder.version()["Title"] == "After the merge (2026-11-03)"
    assert await clinic.failures() == []


async def test_a_contact_that_was_unlinked_stops_its_documents_and_linked_again_they_go_on(clinic, folder, both):
    patient, contact, document, _ = both

    async def card(operation, **more):
        assert await folder.tells_of("Contact", contact, operation, **more) == 200
        await settles_in_time(clinic)

    await card("UNLINK")
    folder.edits(document, description="Not for Salesforce")
    await folder.compares()
    await settles_in_time(clinic)
    stopped = folder.version()["Title"], (await folder.link()).excluded_by
    await card("LINK", Chart_Id__c=str(patient["id"]))
    await folder.compares()
    await settles_in_time(clinic)

    assert stopped == ("Referral letter (2026-11-03)", Exclusion.PARENT.value)
    assert folder.version()["Title"] == "Not for Salesforce (2026-11-03)"


async def test_a_document_that_loses_its_tag_stops_and_stays(clinic, folder, both):
    _, _, document, version = both

    folder.edits(document, metatags='["Lab"]', description="Private")
    await folder.compares()
    await settles_in_time(clinic)
    stopped = folder.version()["Title"]
    folder.edits(document, metatags=json.dumps(["Lab", SHARED]))
    await folder.compares()
    await settles_in_time(clinic)

    assert stopped == "Referral letter (2026-11-03)"
    now = folder.version()
    assert (now["Title"], now["DrChrono_Tags__c"]) == ("Private (2026-11-03)", f"Lab, {SHARED}")
    assert version["Id"] == now["Id"]


async def test_archiving_many_at_once_waits_for_a_persons_word(clinic, folder):
    patient, _ = await folder.has_a_patient()
    several = [folder.files(patient, a_pdf(f"{at}"), description=f"{at}") for at in range(12)]
    await folder.compares()
    for document in several:
        folder.edits(document, archived=True)

    await folder.compares()

    assert not any(archived(folder)[1])
    assert len(await clinic.links(Kind.DOCUMENT)) == len(several)
