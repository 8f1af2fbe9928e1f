"""Dying at each await, in both directions: whatever was on its way, a document is on both sides once in the end."""

from datetime import timedelta

import pytest

from app.sync.model import Kind
from tests.flow.documents.dying import Awaits
from tests.flow.documents.folder import a_pdf
from workers.sync import sync

LATER = timedelta(minutes=4)  # no lease, no request of a vendor's and no search that is to come goes on for so long


class Story:
    """A document that is to travel, made anew each time."""

    def __init__(self, clinic, folder, patient, contact, *, to_salesforce):
        self.clinic, self.folder, self.patient, self.contact = clinic, folder, patient, contact
        self.to_salesforce, self.told = to_salesforce, 0

    async def begins(self):
        self.told += 1
        words = f"page {self.told}"
        if self.to_salesforce:
            self.folder.files(self.patient, a_pdf(words), description=words)
            await self.folder.finds()
        else:
            await self.folder.tells(self.folder.uploads(self.contact, a_pdf(words), Title=words))
        return await self.clinic.takes(Kind.DOCUMENT)

    async def dies(self, name="", nth=0):
        """A worker takes what is due, and goes on until it is killed, or to its end; gives what it awaited."""
        awaits = Awaits(name, nth)
        work = await self.begins()
        await awaits.run(sync(work))
        return awaits.names

    async def ends(self):
        for _ in range(4):
            await self.clinic.time_passes(LATER)
            await self.clinic.settles()

    async def assert_each_is_there_once(self, at):
        expected = sorted(f"page {number}" for number in range(1, self.told + 1))
        assert sorted(one["description"] for one in self.folder.in_chart()) == expected, at
        titles = sorted(one["Title"].partition(" (")[0] for one in self.folder.versions())
        assert titles == expected, at
        links = {row.drchrono_id: row.salesforce_id for row in await self.clinic.links(Kind.DOCUMENT)}
        assert links == {one["DrChrono_Document_Id__c"]: one["Id"] for one in self.folder.versions()}, at
        assert await self.clinic.failures() == [], at


@pytest.mark.parametrize("when", ["first", "last"])
@pytest.mark.parametrize("to_salesforce", [True, False], ids=["to Salesforce", "to DrChrono"])
async def test_whoever_dies_at_an_await_leaves_a_document_that_is_there_once(clinic, folder, to_salesforce, when):
    patient, contact = await folder.has_a_patient()
    story = Story(clinic, folder, patient, contact, to_salesforce=to_salesforce)
    awaits = await story.dies()

    for name, count in awaits.items():
        if when == "last" and count == 1:
            continue
        await story.dies(name, 1 if when == "first" else count)
    await story.ends()

    assert len(awaits) > 10
    await story.assert_each_is_there_once(awaits)
