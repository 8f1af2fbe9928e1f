"""What is kept of documents beside their links, and whose are to be listed: on both databases, told apart by time."""

from datetime import timedelta

import sqlalchemy as sa

from app.store import documents, retention
from app.store.documents import StoredDocument, WantedPatient
from app.store.tables import document_polls, links
from app.store.tables import documents as kept
from app.sync.model import Kind, Lane

HELD = timedelta(minutes=1)


async def rows(database, table):
    return await database.read(sa.select(table))


async def kept_of(database, *found):
    await database.transact(lambda connection: documents.keep(connection, found))
    return await documents.of_links(database, ["L1", "L2"])


async def linked(database, *pairs):
    """Links of a kind: (id, kind, DrChrono's id, Salesforce's Id)."""
    names = ("id", "kind", "drchrono_id", "salesforce_id")
    made = [dict(zip(names, (id_, kind.value, here, there), strict=True)) for id_, kind, here, there in pairs]
    await database.transact(lambda connection: connection.execute(sa.insert(links), made))


async def wants(database, *patients, lane=Lane.BACKFILL, often=timedelta(0)):
    await database.transact(lambda connection: documents.want(connection, patients, lane, often))


async def test_what_is_not_known_stays_what_it_was(database):
    await kept_of(database, StoredDocument("L1", "7", "stamp", 12, "pdf"))

    found = await kept_of(database, StoredDocument("L1", "8"), StoredDocument("L2"))

    assert found == {"L1": StoredDocument("L1", "8", "stamp", 12, "pdf"), "L2": StoredDocument("L2")}


async def test_a_document_that_is_replaced_says_so_until_it_was_told(database):
    await linked(database, ("L1", Kind.DOCUMENT, "70", "068A"), ("L2", Kind.DOCUMENT, "80", "068B"))
    await database.transact(lambda connection: documents.note_replaced(connection, {"70": "80", "99": "80"}))
    before = await documents.untold(database, 9)

    await documents.note_told(database, "L1", "80")

    assert before == [("L1", "70", "80")]
    assert await documents.untold(database, 9) == []


async def test_patients_are_given_once_the_urgent_ones_first_and_again_when_nobody_came_back(database):
    await wants(database, "1", "2")
    await wants(database, "3", lane=Lane.LIVE)

    first = await documents.take_wanted(database, 2, HELD)
    second = await documents.take_wanted(database, 9, HELD)
    await documents.listed(database, "3")
    late = sa.update(document_polls).where(document_polls.c.due_at.is_not(None))
    await database.transact(lambda connection: connection.execute(late.values(due_at=sa.literal_column("1"))))

    assert first[0].patient_id == "3"
    assert len(first) + len(second) == 3
    assert sorted(one.patient_id for one in await documents.take_wanted(database, 9, HELD)) == ["1", "2"]


async def test_whoever_was_listed_just_now_is_not_listed_again_for_being_opened(database):
    await wants(database, "1")
    await documents.take_wanted(database, 9, HELD)
    await documents.listed(database, "1")

    await wants(database, "1", lane=Lane.LIVE, often=timedelta(minutes=5))
    opened = await documents.take_wanted(database, 9, HELD)
    await wants(database, "1", lane=Lane.LIVE)

    assert opened == ()
    assert await documents.take_wanted(database, 9, HELD) == [WantedPatient("1", Lane.LIVE)]


async def test_patients_come_in_order_of_their_records_and_only_those_that_are_linked_and_in_the_set(database):
    await linked(
        database,
        ("P1", Kind.PATIENT, "1", "003B"),
        ("P2", Kind.PATIENT, "2", "003A"),
        ("P3", Kind.PATIENT, None, "003C"),
        ("P4", Kind.PATIENT, "4", "003D"),
        ("D1", Kind.DOCUMENT, "5", "068A"),
    )
    out = sa.update(links).where(links.c.id == "P4").values(excluded_by="person")
    await database.transact(lambda connection: connection.execute(out))

    assert await documents.next_records(database, "", 9) == ["003A", "003B"]
    assert await documents.next_records(database, "003A", 9) == ["003B"]
    assert await documents.records_of(database, ["1", "3", "4"]) == {"1": "003B", "4": "003D"}
    assert await documents.records_of(database, ["1", "3", "4"], in_the_set=True) == {"1": "003B"}


async def test_what_no_link_has_any_more_goes(database):
    await linked(database, ("L1", Kind.DOCUMENT, "70", "068A"))
    await kept_of(database, StoredDocument("L1", "7"), StoredDocument("L2", "7"))
    await wants(database, "1")
    await documents.listed(database, "1")
    old = sa.update(document_polls).values(listed_at=sa.literal_column("1"))
    await database.transact(lambda connection: connection.execute(old))

    await retention.forget_leftovers(database)

    assert [row.link_id for row in await rows(database, kept)] == ["L1"]
    assert await rows(database, document_polls) == []
