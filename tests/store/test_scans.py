"""A scan goes on where it stood; what it pointed out waits until it is let go, and is let go once."""

import pytest
import sqlalchemy as sa

from app.errors import LeaseLost
from app.ports import LISTED, Delivery, RecordEvent
from app.store import clock, links, scans, tables
from app.sync.model import Kind, Lane, Side
from app.timings import REAL
from tests.store.build import came_in, change, on_sqlite, taken

NAME, PATIENT = "compare_patient", Kind.PATIENT
AT = {"leg": "salesforce", "place": "2026-01-12T08:16:00.000+0000 003A"}


@pytest.fixture
async def linked(database):
    """Three linked patients, nothing due; gives their link ids."""
    rows = [
        {"id": f"01JLINK{n}", "kind": "patient", "drchrono_id": str(n), "salesforce_id": f"003{n}"} for n in range(3)
    ]
    await change(database, sa.insert(tables.links).values(rows))
    return [row["id"] for row in rows]


async def due(database):
    return {row.id: row.lane for row in await database.read(sa.select(tables.links)) if row.due_at is not None}


async def test_a_scan_that_was_cut_off_goes_on_where_it_stood(database):
    first, goes_on = await scans.acquire(database, NAME)
    await scans.save(database, first, AT)
    await scans.leave(database, first)

    again, goes_on_again = await scans.acquire(database, NAME)

    assert (goes_on, goes_on_again) == (False, True)
    assert (again.id, again.at, again.started_at) == (first.id, AT, first.started_at)


async def test_one_process_at_a_time_goes_through_a_scan(database):
    first, _ = await scans.acquire(database, NAME)

    with pytest.raises(LeaseLost):
        await scans.acquire(database, NAME)

    await scans.renew(database, first)
    await scans.leave(database, first)
    assert (await scans.acquire(database, NAME))[1] is True


async def test_a_scan_whose_process_was_killed_is_taken_over_and_what_is_left_of_it_saves_nothing(database):
    killed, _ = await scans.acquire(database, NAME)
    await change(database, sa.update(tables.scans).values(held_until=clock.after(-REAL.scan_held)))

    ours, goes_on = await scans.acquire(database, NAME)
    await scans.save(database, ours, AT)

    assert goes_on is True
    for late in (scans.save(database, killed, {}), scans.renew(database, killed), scans.end(database, killed)):
        with pytest.raises(LeaseLost):
            await late
    await scans.leave(database, killed)
    with pytest.raises(LeaseLost):
        await scans.acquire(database, NAME)


async def test_one_that_came_to_its_end_is_begun_anew(database):
    first, _ = await scans.acquire(database, NAME)
    await scans.save(database, first, AT)
    await scans.end(database, first)

    again, goes_on = await scans.acquire(database, NAME)

    assert (goes_on, again.at) == (False, {})
    assert again.id != first.id


async def test_one_that_was_cut_off_days_ago_is_begun_anew(database):
    first, _ = await scans.acquire(database, NAME)
    await scans.save(database, first, AT)
    old = clock.after(-2 * scans._FORGOTTEN)
    await change(database, sa.update(tables.scans).values(saved_at=old, held_until=old))

    assert (await scans.acquire(database, NAME))[1] is False


async def test_what_is_pointed_out_waits_and_is_let_go_together(database, linked):
    scan, _ = await scans.acquire(database, NAME)
    await scans.add_differing(database, scan, Side.DRCHRONO, linked[:2])
    await scans.add_differing(database, scan, Side.SALESFORCE, linked[1:2])
    waiting, before = await scans.waiting(database, NAME), await due(database)

    gone = await scans.release(database, NAME, Lane.COMPARE)

    assert (waiting, before, gone) == (2, {}, 2)
    assert await due(database) == dict.fromkeys(linked[:2], "compare")
    assert await scans.release(database, NAME, Lane.COMPARE) == 0


async def test_a_live_edit_does_not_wait_for_the_rest(database, linked):
    scan, _ = await scans.acquire(database, NAME)
    await scans.add_differing(database, scan, Side.DRCHRONO, linked)
    work = await taken(database, "1")
    waiting = await scans.waiting(database, NAME)

    await scans.release(database, NAME, Lane.COMPARE)

    assert [one.link.id for one in work.due] == [linked[1]]
    assert waiting == 2, "what is due already is no news"
    assert (await due(database))[linked[1]] == "live", "it stays as urgent as it was"


async def test_another_scan_lets_go_of_its_own(database, linked):
    ours, _ = await scans.acquire(database, NAME)
    other, _ = await scans.acquire(database, "backfill_patient")
    await scans.add_differing(database, ours, Side.DRCHRONO, linked[:1])
    await scans.add_differing(database, other, Side.DRCHRONO, linked[1:])

    assert await scans.release(database, "backfill_patient", Lane.BACKFILL) == 2
    assert await due(database) == dict.fromkeys(linked[1:], "backfill")


async def test_those_that_wait_are_given_in_batches_with_what_was_kept_of_them(database, linked):
    scan, _ = await scans.acquire(database, NAME)
    await scans.add_differing(database, scan, Side.DRCHRONO, linked)

    found = [due async for due in scans.batches(database, PATIENT, NAME, size=2)]

    assert [[one.link.id for one in due] for due in found] == [linked[:2], linked[2:]]
    assert await due(database) == {}


async def test_one_whose_row_cannot_be_read_does_not_keep_those_that_wait_from_being_gone_through(database, linked):
    scan, _ = await scans.acquire(database, NAME)
    await scans.add_differing(database, scan, Side.DRCHRONO, linked)
    await change(database, sa.update(tables.links).where(tables.links.c.id == linked[1]).values(unsettled=5))

    found = [due async for due in scans.batches(database, PATIENT, NAME, size=2)]

    assert [[one.link.id for one in due] for due in found] == [linked[:1], linked[2:]]


@on_sqlite
async def test_one_whose_row_cannot_be_read_is_not_among_the_agreed_and_hides_none(database, linked):
    half_a_text = sa.literal_column("CAST(X'7bff7d' AS TEXT)")
    await change(database, sa.update(tables.links).where(tables.links.c.id == linked[1]).values(base=half_a_text))

    assert set(await links.links_to_compare(database, PATIENT, ["0", "1", "2"])) == {"0", "2"}


async def test_what_a_complete_list_did_not_show_is_found(database, linked):
    scan, _ = await scans.acquire(database, NAME)
    await scans.mark_listed(database, PATIENT, Side.DRCHRONO, ["0", "2"], "leg")

    assert await scans.unlisted(database, PATIENT, Side.DRCHRONO, "leg", "01Z") == [linked[1]]
    assert await scans.unlisted(database, PATIENT, Side.DRCHRONO, "leg", "01J") == [], "linked after the list was begun"
    assert scan.id > linked[0]


async def test_what_waits_for_a_person_is_not_missed_again(database, linked):
    row = {"link_id": linked[0], "side": "drchrono", "kind": "patient", "cause": "gone", "fields": "", "is_held": True}
    await change(database, sa.insert(tables.failures).values(**row, at=clock.db_now()))

    assert await scans.unlisted(database, PATIENT, Side.DRCHRONO, "leg", "01Z") == linked[1:]


async def test_what_is_out_of_the_set_that_is_synced_is_not_missed(database, linked):
    await change(database, sa.update(tables.links).where(tables.links.c.id == linked[0]).values(excluded_by="drchrono"))

    assert await scans.unlisted(database, PATIENT, Side.DRCHRONO, "leg", "01Z") == linked[1:]


async def test_agreed_are_found_by_either_sides_ids(database, linked):
    by_drchrono = await links.links_to_compare(database, PATIENT, ["1", "7"])
    by_salesforce = await links.links_to_compare(database, PATIENT, ["0031", "0037"], Side.SALESFORCE)

    assert {key: one.id for key, one in by_drchrono.items()} == {"1": linked[1]}
    assert {key: one.id for key, one in by_salesforce.items()} == {"0031": linked[1]}
    assert await links.linked(database, PATIENT) == 3


async def test_a_row_that_was_kept_makes_nothing_due_until_it_is_let_go(database, linked):
    scan, _ = await scans.acquire(database, NAME)
    row = RecordEvent(Side.DRCHRONO, PATIENT, "0", "2026-01-12T08:16:00", lane=None)
    await came_in(database, Delivery(Side.DRCHRONO, LISTED, None, "key", "sealed", "kept", (row,)))
    await scans.add_differing(database, scan, Side.DRCHRONO, linked[:1])

    (found,) = [due async for due in scans.batches(database, PATIENT, NAME)]

    assert await due(database) == {}
    assert [body.version for body in found[0].bodies] == ["2026-01-12T08:16:00"]
