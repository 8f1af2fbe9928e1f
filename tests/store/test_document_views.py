"""The documents of one patient, page by page, and how much Salesforce has taken of them: on both databases."""

from datetime import timedelta

import sqlalchemy as sa

from app.store import document_views, documents
from app.store.clock import after
from app.store.document_views import SentDocuments
from app.store.documents import StoredDocument
from app.store.tables import journal, links

DAY = timedelta(days=1)


async def filed(database, *found):
    """Documents of DrChrono's, kept as told."""
    made = [{"id": one.link_id, "kind": "document", "drchrono_id": one.link_id} for one in found]

    async def work(connection):
        await connection.execute(sa.insert(links), made)
        await documents.keep(connection, found)

    await database.transact(work)


async def called(database, link_id, call, side="salesforce", state="confirmed", ago=timedelta(0)):
    row = {"id": f"J{link_id}{call}{side}", "link_id": link_id, "side": side, "call": call, "state": state}
    said = sa.insert(journal).values(stamps={}, planned_at=after(-ago), settle_at=after(DAY), **row)
    await database.transact(lambda connection: connection.execute(said))


async def test_a_patients_documents_are_viewed_the_last_one_heard_of_first_and_page_by_page(database):
    await filed(database, *(StoredDocument(f"L{n}", "1" if n else "2") for n in range(4)))

    first = await document_views.of_patient(database, "1", 2)
    rest = await document_views.of_patient(database, "1", 2, before=first[-1].id)

    assert [[one.id for one in page] for page in (first, rest)] == [["L3", "L2"], ["L1"]]
    assert await document_views.count_of_patient(database, "1") == 3


async def test_what_salesforce_has_taken_lately_is_counted_with_its_size_and_nothing_else(database):
    await filed(database, *(StoredDocument(f"L{n}", "1", size_bytes=10**n) for n in range(6)))
    await called(database, "L1", "upload")
    await called(database, "L2", "upload")
    await called(database, "L3", "upload", side="drchrono")
    await called(database, "L4", "upload", state="unknown")
    await called(database, "L5", "upload", ago=2 * DAY)
    await called(database, "L1", "update")

    assert await document_views.sent_to_salesforce(database, DAY) == SentDocuments(2, 110)
