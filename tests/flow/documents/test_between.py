"""What a person does between two of our steps with one document: it ends as it would without us in the midst."""

import pytest

from app.sync.model import Kind
from tests.flow.documents.test_unanswered import deletes, is_open
from tests.flow.documents.test_unkind import ends
from workers.lease import renewing
from workers.match import match_before_create
from workers.read import read_both_sides
from workers.sync import decide_all, take
from workers.write import execute


async def works(clinic, after_reading=None, after_matching=None):
    """A worker goes through one batch of documents, and a person does something in the midst of it."""
    batch = await take(clinic.runtime, Kind.DOCUMENT)
    async with renewing(batch) as lease:
        observed = await read_both_sides(batch)
        if after_reading:
            after_reading()
        ready = await match_before_create(batch, observed, decide_all(batch, observed))
        if after_matching:
            after_matching()
        answers = await execute(batch, lease, observed, ready)
        await clinic.records(batch, observed, (ready, answers))


@pytest.mark.parametrize("when", ["after_reading", "after_matching"])
async def test_a_file_that_is_deleted_before_it_is_copied_is_no_failure_though_nobody_tells_of_it(clinic, folder, when):
    _, contact = await folder.has_a_patient()
    version = folder.uploads(contact)
    await folder.tells(version)

    await works(clinic, **{when: lambda: deletes(clinic, version)})
    await ends(clinic)

    assert folder.in_chart() == []
    assert await clinic.failures() == []
    assert await clinic.links(Kind.DOCUMENT) == []
    assert await is_open(clinic) == []


async def test_bytes_that_salesforce_never_gives_are_a_failure_after_some_attempts(clinic, folder):
    _, contact = await folder.has_a_patient()
    path = f"/services/data/v{clinic.runtime.settings.salesforce_api_version}/sobjects/ContentVersion"
    said = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    clinic.breaks("salesforce", f"GET {path}", "error", status=404, body=said, next=None)

    await folder.told(folder.uploads(contact))
    await ends(clinic)

    assert await clinic.failures() == [("salesforce", "HTTP_404", "")]
