from datetime import timedelta

import pytest

from app.store import clock, journal, tables, work_queue
from app.store.journal import Answer
from app.sync.model import Kind, WriteState
from app.timings import REAL
from tests.store.build import an_entry, change_link, expire_leases, rows, taken, the_link

LIMIT = timedelta(minutes=10)


async def test_a_plan_is_durable_before_the_call_with_all_a_successor_needs(database, vault):
    batch = await taken(database, "1")
    link_id = batch.due[0].link.id
    entry = an_entry(
        link_id, "create", vault.seal({"email": "Canary"}, "a place"), email=(None, "new"), city=("old", "gone")
    )

    ours = await journal.plan(database, batch.token, [entry], LIMIT)

    assert ours == {link_id}
    (row,) = await rows(database, tables.journal)
    assert (row.id, row.link_id, row.side, row.call, row.state) == (
        entry.id, link_id, "salesforce", "create", WriteState.PLANNED,
    )  # fmt: skip
    assert row.stamps == {"email": [None, "new"], "city": ["old", "gone"]}
    assert vault.open(row.replaced, "a place") == {"email": "Canary"}
    assert "Canary" not in row.replaced
    assert (row.answered_at, row.code) == (None, None)


async def test_a_write_settles_when_the_vendor_has_given_it_up(database):
    batch = await taken(database, "1")

    await journal.plan(database, batch.token, [an_entry(batch.due[0].link.id)], LIMIT)

    (row,) = await rows(database, tables.journal)
    assert timedelta(0) <= row.planned_at - batch.now < timedelta(seconds=5)
    assert abs(row.settle_at - row.planned_at - LIMIT) < timedelta(seconds=1)


async def test_planning_prolongs_the_leases(database):
    batch = await taken(database, "1")
    await change_link(database, lease_until=clock.after(timedelta(seconds=1)))

    await journal.plan(database, batch.token, [an_entry(batch.due[0].link.id)], LIMIT)

    assert (await the_link(database)).lease_until - batch.now > REAL.lease - timedelta(seconds=1)


async def test_leases_of_links_without_a_write_are_left(database):
    batch = await taken(database, "1", "2")
    before = (await the_link(database, "2")).lease_until

    await journal.plan(database, batch.token, [an_entry(batch.due[0].link.id)], LIMIT)

    assert (await the_link(database, "2")).lease_until == before


async def test_a_lost_lease_is_left_out_of_answer_and_journal(database):
    batch = await taken(database, "1", "2", "3")
    await change_link(database, "2", lease_owner="another")
    await change_link(database, "3", lease_until=clock.after(-timedelta(seconds=1)))

    ours = await journal.plan(database, batch.token, [an_entry(due.link.id) for due in batch.due], LIMIT)

    assert ours == {batch.due[0].link.id}
    assert [row.link_id for row in await rows(database, tables.journal)] == [batch.due[0].link.id]


async def test_after_all_leases_are_lost_nothing_is_planned(database):
    batch = await taken(database, "1")
    await expire_leases(database)
    await work_queue.lease_batch(database, Kind.PATIENT)

    assert await journal.plan(database, batch.token, [an_entry(batch.due[0].link.id)], LIMIT) == set()
    assert await rows(database, tables.journal) == []


async def test_planning_nothing_is_nothing_planned(database):
    assert await journal.plan(database, "token", [], LIMIT) == set()


@pytest.mark.parametrize("state", [WriteState.CONFIRMED, WriteState.REFUSED, WriteState.UNKNOWN])
async def test_an_answer_is_journalled(database, state):
    batch = await taken(database, "1", "2")
    answered, waiting = (an_entry(due.link.id) for due in batch.due)
    await journal.plan(database, batch.token, [answered, waiting], LIMIT)

    await journal.answer(database, [Answer(answered.id, state, "A_CODE")])

    found = {row.id: row for row in await rows(database, tables.journal)}
    assert (found[answered.id].state, found[answered.id].code) == (state, "A_CODE")
    assert found[answered.id].answered_at >= found[answered.id].planned_at
    assert (found[waiting.id].state, found[waiting.id].answered_at) == ("planned", None)


@pytest.mark.parametrize("late", [WriteState.UNKNOWN, WriteState.CONFIRMED])
async def test_a_late_word_that_nobody_knows_does_not_open_again_what_a_later_look_has_settled(database, late):
    batch = await taken(database, "1")
    entry = an_entry(batch.due[0].link.id)
    await journal.plan(database, batch.token, [entry], LIMIT)
    await journal.answer(database, [Answer(entry.id, WriteState.REFUSED)])

    await journal.answer(database, [Answer(entry.id, late)])

    (row,) = await rows(database, tables.journal)
    assert row.state == ("refused" if late is WriteState.UNKNOWN else "confirmed")


async def test_many_answers_are_journalled_each_to_its_write(database):
    batch = await taken(database, *map(str, range(30)))
    entries = [an_entry(due.link.id) for due in batch.due]
    await journal.plan(database, batch.token, entries, LIMIT)

    await journal.answer(
        database, [Answer(entry.id, WriteState.CONFIRMED, f"code {at}") for at, entry in enumerate(entries)]
    )

    found = {row.id: row.code for row in await rows(database, tables.journal)}
    assert found == {entry.id: f"code {at}" for at, entry in enumerate(entries)}


async def test_no_answers_change_nothing(database):
    batch = await taken(database, "1")
    await journal.plan(database, batch.token, [an_entry(batch.due[0].link.id)], LIMIT)

    await journal.answer(database, [])

    assert [row.state for row in await rows(database, tables.journal)] == ["planned"]


async def test_a_vendors_long_code_is_cut_not_refused(database):
    batch = await taken(database, "1")
    entry = an_entry(batch.due[0].link.id)
    await journal.plan(database, batch.token, [entry], LIMIT)

    await journal.answer(database, [Answer(entry.id, WriteState.REFUSED, "C" * 65)])

    assert [row.state for row in await rows(database, tables.journal)] == ["refused"]
