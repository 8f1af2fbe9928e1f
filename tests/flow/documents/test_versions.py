"""A File moves with all its versions, and Salesforce tells of the latest alone: each version's document follows."""

import pytest

from app.sync.model import Kind
from tests.flow.checked import changed
from tests.flow.documents.folder import a_pdf
from tests.flow.documents.test_changes import archived, settles_in_time


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
