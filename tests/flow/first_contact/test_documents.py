"""A first contact where documents are shared: one is filed on each side, looked at, and put back."""

import pytest

from app.operations.first_contact import document_writes
from tests.flow.documents.conftest import folder, known  # noqa: F401 - fixtures
from tests.flow.first_contact.person import tried, verdicts

TRIALS = {trial.id for step in document_writes.STEPS for trial in step.trials}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "first-contact.json"


def left(folder):  # noqa: F811
    return [one["archived"] for one in folder.in_chart()], folder.versions()


async def test_documents_are_tried_on_both_sides_and_put_back(folder, path):  # noqa: F811
    patient, _ = await folder.has_a_patient()

    report, _ = await tried(folder.clinic, path, "document", "file", patient=patient)

    found = verdicts(report)
    assert {one: found[one] for one in TRIALS} == dict.fromkeys(TRIALS, "as assumed")
    assert (left(folder), report.altered) == (([True], []), [])


async def test_a_file_that_cannot_be_deleted_is_named_to_whoever_looks(folder, path):  # noqa: F811
    patient, _ = await folder.has_a_patient()
    folder.clinic.salesforce.put("/_control/settings", json={"files_set_by_record": False, "file_checksums": False})
    gone = [{"id": None, "success": False, "errors": [{"statusCode": "DELETE_FAILED", "message": "no", "fields": []}]}]
    folder.clinic.breaks("salesforce", "DELETE /services/data/v67.0/composite/sobjects", "error", status=200, body=gone)

    report, _ = await tried(folder.clinic, path, "file", patient=patient)

    found = verdicts(report)
    assert {one for one in TRIALS if found.get(one) == "differs"} == {"file_checksum", "file_share"}
    assert report.altered == ["Salesforce: a File on the test patient's record, to be deleted"]
