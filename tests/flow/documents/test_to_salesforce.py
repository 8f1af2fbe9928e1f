"""A document of a chart becomes a File on its patient's Contact: once, and only what is shared and may travel."""

from tests.flow.documents.folder import a_pdf, md5


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


async def test_a_file_that_was_ticked_becomes_a_document_of_its_patient(clinic, folder):
    patient, contact = await folder.has_a_patient()
    version = folder.uploads(contact)

    await folder.told(version)

    (document,) = folder.in_chart()
    assert (document["patient"], document["description"], document["md5"]) == (
        patient["id"],
        "Consent form",
        md5(a_pdf("consent")),
    )
    assert folder.version()["DrChrono_Document_Id__c"] == str(document["id"])
    assert await clinic.failures() == []
