"""A File moves with all its versions, and Salesforce tells of the latest alone: each version's document follows."""

import pytest

from app.sync.model import Kind
from tests.flow.checked import changed
from tests.flow.documents.folder import a_pdf
from tests.flow.documents.test_changes import archived, settles_in_time
from tests.flow.documents.test_unkind import ends


@pytest.fixture
async def two_versions(clinic, folder):
    """A File with two versions, which are two documents of one patient; gives its Contact and the later version."""
    _, contact = await folder.has_a_patient()
    first = folder.uploads(contact)
    await folder.told(first)
    second = folder.uploads(None, a_pdf("page two"), ContentDocumentId=first["ContentDocumentId"])
    await folder.told(second)
    await settles_in_time(clinic)
    assert len(await clinic.links(Kind.DOCUMENT)) == len(folder.in_chart()) == 2
    return contact, second


async def another_patient(clinic, folder):
    patient = await clinic.registers(first_name="Bo", last_name="Sample")
    await clinic.arrives(patient, event="PATIENT_CREATE")
    return patient["id"], (await clinic.link(patient)).salesforce_id


async def test_a_file_that_is_taken_off_archives_the_documents_of_all_its_versions(clinic, folder, two_versions):
    contact, second = two_versions

    folder.takes_off(second, contact)
    await folder.told(second)
    await settles_in_time(clinic)

    assert [one["archived"] for one in folder.in_chart()] == [True, True]
    assert await clinic.failures() == []


async def test_a_file_that_is_taken_off_before_two_newer_versions_were_looked_at_archives_its_document(clinic, folder):
    patient, contact = await folder.has_a_patient()
    folder.files(patient)
    await folder.compares()
    first = folder.version()
    second, third = (folder.uploads(None, ContentDocumentId=first["ContentDocumentId"]) for _ in range(2))
    folder.takes_off(first, contact)

    for version in (third, second):  # the older one comes to be looked at behind the newer one
        assert await folder.tells(version, "UPDATE") == 200
    await settles_in_time(clinic)

    assert [one["archived"] for one in folder.in_chart()] == [True]


async def test_a_file_that_is_put_on_another_patient_takes_the_documents_of_all_its_versions_along(
    clinic, folder, two_versions
):
    contact, second = two_versions
    patient, record = await another_patient(clinic, folder)

    folder.puts_on(second, record)
    folder.takes_off(second, contact)
    await folder.told(second)
    await settles_in_time(clinic)

    assert [one["patient"] for one in folder.in_chart()] == [patient] * 2
    assert await clinic.failures() == []


async def test_a_document_that_is_filed_with_another_patient_takes_those_of_the_other_versions_along(
    clinic, folder, two_versions
):
    _, second = two_versions
    patient, record = await another_patient(clinic, folder)

    folder.edits(folder.in_chart()[0], patient=patient)
    await folder.compares()
    await settles_in_time(clinic)

    assert list(folder.file_links(second)) == [record]
    assert [one["patient"] for one in folder.in_chart()] == [patient] * 2
    assert await clinic.failures() == []


async def of_versions(clinic, folder):
    """The descriptions in the chart, by the version that each is of, oldest first."""
    documents = {str(one["id"]): one["description"] for one in folder.in_chart()}
    made = {link.salesforce_id: documents[link.drchrono_id] for link in await clinic.links(Kind.DOCUMENT)}
    return [made.get(one["Id"]) for one in folder.versions()]


async def test_two_versions_that_are_told_of_at_once_become_documents_in_their_order(clinic, folder):
    _, contact = await folder.has_a_patient()
    first = folder.uploads(contact)
    second = folder.uploads(None, a_pdf("two"), ContentDocumentId=first["ContentDocumentId"])

    await folder.tells(second, "INSERT")
    await folder.told(first, "INSERT")
    await settles_in_time(clinic)
    await folder.polls()

    newer = max(str(one["id"]) for one in folder.in_chart())
    assert await of_versions(clinic, folder) == [f"Consent form [replaced by document {newer}]", "Consent form"]


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before"], ids=["made", "not made"])
async def test_a_version_waits_for_the_one_before_whose_upload_nobody_answered(clinic, folder, fault):
    _, contact = await folder.has_a_patient()
    first = folder.uploads(contact)
    clinic.breaks("drchrono", "POST /api/documents", fault)
    await folder.told(first, "INSERT")

    unticked = {"ContentDocumentId": first["ContentDocumentId"], "Send_To_DrChrono__c": False}
    await folder.told(folder.uploads(None, a_pdf("two"), **unticked), "INSERT")
    await ends(clinic)
    await folder.polls()

    newer = max(str(one["id"]) for one in folder.in_chart())
    assert await of_versions(clinic, folder) == [f"Consent form [replaced by document {newer}]", "Consent form"]
    assert await clinic.failures() == []


async def test_a_version_waits_for_the_one_before_that_an_unanswered_upload_made(clinic, folder):
    patient, _ = await folder.has_a_patient()
    folder.files(patient)
    clinic.breaks("salesforce", "POST /services/data", "drop_after_commit")
    await folder.compares()
    first = folder.version()
    await folder.told(first, "INSERT")

    unticked = {"ContentDocumentId": first["ContentDocumentId"], "Send_To_DrChrono__c": False}
    await folder.told(folder.uploads(None, a_pdf("two"), **unticked), "INSERT")
    await ends(clinic)

    assert None not in await of_versions(clinic, folder)
    assert len(folder.in_chart()) == 2


class TestWhereWhatIsArchivedIsTakenOff:
    @pytest.fixture
    def known(self, known):
        return changed(known, on_drchrono_delete="delete")

    async def test_one_version_is_marked_and_the_last_takes_the_file_off(self, clinic, folder, two_versions):
        contact, second = two_versions
        first, last = folder.in_chart()

        folder.edits(first, archived=True)
        await folder.compares()
        await settles_in_time(clinic)
        after_one = archived(folder), list(folder.file_links(second))
        folder.edits(last, archived=True)
        await folder.compares()
        await settles_in_time(clinic)

        assert after_one == (([True, False], [True, False]), [contact])
        assert list(folder.file_links(second)) == []
        assert await clinic.failures() == []

    async def test_two_versions_archived_at_once_take_the_file_off(self, clinic, folder, two_versions):
        _, second = two_versions

        for document in folder.in_chart():
            folder.edits(document, archived=True)
        await folder.compares()
        await settles_in_time(clinic)

        assert list(folder.file_links(second)) == []
        assert [one["archived"] for one in folder.in_chart()] == [True, True]
        assert await clinic.failures() == []
