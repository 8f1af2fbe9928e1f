"""An upload that nobody answered, whose source is not what it was: what it made is found all the same."""

import base64

import pytest

from app.store.tables import journal
from app.sync.model import Kind
from tests.flow.documents.folder import SHARED, a_pdf
from tests.flow.documents.test_unkind import POST, UPLOAD, ends

AFTER, BEFORE = "drop_after_commit", "drop_before"


async def is_open(clinic):
    return [row.state for row in await clinic.rows(journal) if row.state in ("planned", "unknown")]


def deletes(clinic, version):
    """Somebody deletes a File."""
    path = f"/_control/records/ContentDocument/{version['ContentDocumentId']}"
    clinic.salesforce.delete(path).raise_for_status()


@pytest.mark.parametrize(("fault", "left"), [(AFTER, [True]), (BEFORE, [])], ids=["made", "not made"])
async def test_a_file_that_is_deleted_meanwhile_is_archived_in_drchrono_where_it_was_made(clinic, folder, fault, left):
    _, contact = await folder.has_a_patient()
    clinic.breaks("drchrono", POST, fault)
    version = folder.uploads(contact)
    await folder.told(version)

    deletes(clinic, version)
    await folder.told(version, "DELETE")
    await ends(clinic)

    assert [one["archived"] for one in folder.in_chart()] == left
    assert clinic.calls("drchrono", POST) == 1
    assert await clinic.failures() == []
    assert await is_open(clinic) == []
    assert [row.due_at for row in await clinic.links(Kind.DOCUMENT)] in ([], [None])


@pytest.mark.parametrize("fault", [AFTER, BEFORE], ids=["made", "not made"])
async def test_another_document_of_that_text_is_not_taken_for_what_an_upload_made(clinic, folder, fault):
    patient, contact = await folder.has_a_patient()
    clinic.breaks("drchrono", POST, fault)
    version = folder.uploads(contact)
    await folder.told(version)
    made = folder.in_chart()
    date = made[0]["date"] if made else version["CreatedDate"][:10]
    other = folder.files(patient, a_pdf("another"), description="Consent form", date=date, metatags='["Lab"]')

    deletes(clinic, version)
    await folder.told(version, "DELETE")
    await ends(clinic)

    archived = {one["id"]: one["archived"] for one in folder.in_chart()}
    assert archived == {other["id"]: False, **{one["id"]: True for one in made}}
    assert await is_open(clinic) == []


@pytest.mark.parametrize(
    ("edit", "left"),
    [({"description": "Consent, signed"}, False), ({"date": "2026-01-02"}, False), ({"archived": True}, True)],
    ids=["renamed", "dated", "archived"],
)
async def test_a_document_that_a_person_has_edited_meanwhile_is_what_an_upload_made(clinic, folder, edit, left):
    _, contact = await folder.has_a_patient()
    clinic.breaks("drchrono", POST, AFTER)
    await folder.told(folder.uploads(contact))
    folder.edits(folder.in_chart()[0], **edit)

    await ends(clinic)

    (document,), version = folder.in_chart(), folder.version()
    await assert_is_linked(clinic, folder, document)
    assert (document["archived"], version["DrChrono_Archived__c"]) == (left, left)
    assert document["description"] == edit.get("description", "Consent form")
    assert version["Title"].startswith(document["description"])


async def is_uploaded_unanswered(clinic, folder, fault=AFTER):
    """A document of DrChrono's whose upload nobody answered; gives it."""
    patient, _ = await folder.has_a_patient()
    document = folder.files(patient)
    clinic.breaks("salesforce", UPLOAD, fault)
    await folder.compares()
    return document


async def assert_is_linked(clinic, folder, document):
    (link,) = await clinic.links(Kind.DOCUMENT)
    assert (link.drchrono_id, link.salesforce_id) == (str(document["id"]), folder.versions()[-1]["Id"])
    assert link.due_at is None
    assert await clinic.failures() == []
    assert await is_open(clinic) == []


async def test_a_document_whose_bytes_are_not_served_any_more_is_found_in_salesforce(clinic, folder):
    document = await is_uploaded_unanswered(clinic, folder)
    clinic.breaks("drchrono", "GET /store", "error", status=404, next=None)

    await ends(clinic)

    assert len(folder.versions()) == 1
    await assert_is_linked(clinic, folder, document)


async def test_a_document_that_was_replaced_meanwhile_is_found_and_then_gets_a_new_version(clinic, folder):
    document = await is_uploaded_unanswered(clinic, folder)
    folder.edits(document, file=base64.b64encode(a_pdf("page two")).decode())

    await ends(clinic)
    await folder.compares()
    await ends(clinic)

    one, two = folder.versions()
    assert one["ContentDocumentId"] == two["ContentDocumentId"]
    await assert_is_linked(clinic, folder, document)


@pytest.mark.parametrize("fault", [AFTER, BEFORE], ids=["made", "not made"])
async def test_a_document_that_is_shared_no_more_is_linked_where_its_file_was_made(clinic, folder, fault):
    document = await is_uploaded_unanswered(clinic, folder, fault)
    folder.edits(document, metatags='["Lab"]')

    await folder.compares()
    await ends(clinic)

    assert await is_open(clinic) == []
    assert len(folder.versions()) == (1 if fault == AFTER else 0)
    if fault == AFTER:
        await assert_is_linked(clinic, folder, document)
        folder.edits(document, metatags=f'["{SHARED}"]', description="Shared again")
        await folder.compares()
        await ends(clinic)
        assert folder.version()["Title"].startswith("Shared again")


async def test_a_file_that_bears_the_id_and_has_other_bytes_is_not_what_an_upload_made(clinic, folder):
    document = await is_uploaded_unanswered(clinic, folder, BEFORE)
    (link,) = await clinic.links(Kind.DOCUMENT)
    contact = (await clinic.links(Kind.PATIENT))[0].salesforce_id
    other = folder.uploads(
        contact, a_pdf("another"), DrChrono_Document_Id__c=str(document["id"]), Send_To_DrChrono__c=False
    )

    await ends(clinic)

    assert link.salesforce_id is None
    assert len(folder.versions()) == 2
    (link,) = await clinic.links(Kind.DOCUMENT)
    assert link.salesforce_id != other["Id"]
    assert await is_open(clinic) == []


async def test_a_file_that_an_upload_made_and_a_person_deleted_is_not_made_again(clinic, folder):
    document = await is_uploaded_unanswered(clinic, folder)
    deletes(clinic, folder.version())

    await ends(clinic)
    await folder.compares()
    await ends(clinic)

    assert folder.versions() == []
    assert [(one["id"], one["archived"]) for one in folder.in_chart()] == [(document["id"], True)]
    assert await clinic.failures() == []
    assert await is_open(clinic) == []


async def test_a_deleted_file_that_no_upload_of_now_made_is_not_taken_for_it(clinic, folder):
    patient, contact = await folder.has_a_patient()
    document = folder.files(patient)
    deletes(clinic, folder.uploads(contact, a_pdf(), DrChrono_Document_Id__c=str(document["id"])))
    clinic.breaks("salesforce", UPLOAD, BEFORE)
    await folder.compares()

    await ends(clinic)

    assert len(folder.versions()) == 1
    await assert_is_linked(clinic, folder, document)
    assert not folder.in_chart()[0]["archived"]


async def test_the_same_form_in_the_chart_of_another_patient_is_not_taken_for_what_an_upload_made(clinic, folder):
    patient, contact = await folder.has_a_patient()
    other = await clinic.has_linked(first_name="Bob", last_name="Other")
    clinic.breaks("drchrono", POST, BEFORE)
    version = folder.uploads(contact, a_pdf("blank form"))
    await folder.told(version)
    folder.files(other, a_pdf("blank form"), description="Blank form")

    await ends(clinic)

    charts = {one["patient"]: one["id"] for one in folder.in_chart()}
    assert set(charts) == {patient["id"], other["id"]}
    assert list(folder.file_links(version)) == [contact]
    (link,) = [one for one in await clinic.links(Kind.DOCUMENT) if one.salesforce_id == version["Id"]]
    assert link.drchrono_id == str(charts[patient["id"]])
