"""When a link learns an id that a lone ref holds, the lone ref ends in it: nothing that was due for it is lost."""

import asyncio
from datetime import timedelta

import pytest

from app.store import clock, journal, outcomes, tables, work_queue
from app.store.journal import Answer
from app.store.result import Failure
from app.sync.model import Kind, Lane, Side, WriteState
from tests.store.build import a_delivery, a_result, an_entry, came_in, change, on_postgresql, rows, the_failures

CHART, CONTACT, OTHER_CONTACT = "1", "003000000000001AAA", "003000000000002AAA"
D, S = Side.DRCHRONO, Side.SALESFORCE
SOON = timedelta(seconds=30)
CAUSE = "REQUIRED_FIELD_MISSING"
BOTH_WAYS = pytest.mark.parametrize("side", Side, ids=["the chart's ref learns", "the Contact's ref learns"])

pytestmark = BOTH_WAYS


def of(side):
    return CHART if side is D else CONTACT


def learns(due, **rest):
    """A result in which a lone ref learns the other side's id."""
    other = {"salesforce_id": CONTACT} if due.link.drchrono_id else {"drchrono_id": CHART}
    return a_result(due, **other, **rest)


async def notice(database, side, key=None):
    """Something comes in about the side's record; gives the delivery."""
    delivery = a_delivery(of(side), side=side, key=key)
    await came_in(database, delivery)
    return delivery


async def taken_of(database, side):
    """The side's record falls due and is taken; gives the batch."""
    await notice(database, side)
    return await work_queue.lease_batch(database, Kind.PATIENT)


async def left_alone(database, side, **result):
    """The side's lone ref was looked at and is no longer due; gives its link id."""
    batch = await taken_of(database, side)
    await outcomes.save(database, batch.token, [a_result(batch.due[0], **result)])
    return batch.due[0].link.id


async def the_only_link(database):
    (row,) = await rows(database, tables.links)
    return row


async def open_events(database):
    return {(row.side, row.record_id) for row in await rows(database, tables.events) if row.finished_at is None}


async def test_a_lone_ref_that_is_not_due_ends_in_the_link_that_learns_of_it(database, side):
    await left_alone(database, side.other)
    batch = await taken_of(database, side)

    saved = await outcomes.save(database, batch.token, [learns(batch.due[0], base={"email": "agreed"})])

    link = await the_only_link(database)
    assert saved == {batch.due[0].link.id} == {link.id}
    assert (link.drchrono_id, link.salesforce_id, link.base) == (CHART, CONTACT, {"email": "agreed"})
    assert await rows(database, tables.failures) == []


async def test_what_was_due_for_a_lone_ref_the_link_is_due_for_at_once(database, side):
    batch = await taken_of(database, side)
    await notice(database, side.other)

    await outcomes.save(database, batch.token, [learns(batch.due[0], again_in=SOON, lane=Lane.RETRY, attempts=2)])

    again = await work_queue.lease_batch(database, Kind.PATIENT)
    (due,) = again.due
    assert (due.link.id, due.attempts) == (batch.due[0].link.id, 0)
    assert (len(due.bodies), len(due.notices)) == ((0, 1) if side is D else (1, 0))
    assert (await the_only_link(database)).lane == Lane.LIVE


async def test_after_that_both_sides_deliveries_are_finished_exactly_as_read(database, side):
    batch = await taken_of(database, side)
    await notice(database, side.other)
    await outcomes.save(database, batch.token, [learns(batch.due[0])])
    again = await work_queue.lease_batch(database, Kind.PATIENT)
    between = [await notice(database, one) for one in Side]

    await outcomes.save(database, again.token, [a_result(again.due[0])])

    still_open = {row.delivery_id for row in await rows(database, tables.events) if row.finished_at is None}
    assert still_open == {delivery.id for delivery in between}
    assert (await the_only_link(database)).due_at is not None


async def test_a_delivery_between_take_and_save_is_counted_though_it_came_to_the_lone_ref(database, side):
    await left_alone(database, side.other)
    batch = await taken_of(database, side)
    await notice(database, side.other)
    await notice(database, side)

    await outcomes.save(database, batch.token, [learns(batch.due[0])])

    (due,) = (await work_queue.lease_batch(database, Kind.PATIENT)).due
    assert (due.generation, due.base_version) == (2, 1)
    assert (len(due.bodies), len(due.notices)) == (1, 1)


async def test_a_lone_refs_failure_ends_with_it(database, side):
    await left_alone(database, side.other, failure=Failure(S, CAUSE))
    batch = await taken_of(database, side)

    await outcomes.save(database, batch.token, [learns(batch.due[0])])

    assert await the_failures(database) == {}


async def test_a_failure_of_the_link_itself_is_kept(database, side):
    await left_alone(database, side.other, failure=Failure(S, "OTHER"))
    batch = await taken_of(database, side)

    await outcomes.save(database, batch.token, [learns(batch.due[0], failure=Failure(S, CAUSE))])

    assert {cause: row.link_id for cause, row in (await the_failures(database)).items()} == {
        CAUSE: batch.due[0].link.id
    }


async def test_what_a_lone_ref_has_written_is_in_the_links_journal(database, side):
    batch = await taken_of(database, side.other)
    entry = an_entry(batch.due[0].link.id)
    await journal.plan(database, batch.token, [entry], SOON)
    await journal.answer(database, [Answer(entry.id, WriteState.CONFIRMED)])
    await outcomes.save(database, batch.token, [a_result(batch.due[0])])
    batch = await taken_of(database, side)

    await outcomes.save(database, batch.token, [learns(batch.due[0])])

    assert [row.link_id for row in await rows(database, tables.journal)] == [batch.due[0].link.id]


async def test_a_lone_ref_another_worker_looks_at_is_absorbed_and_its_result_comes_to_nothing(database, side):
    slow = await taken_of(database, side.other)
    batch = await taken_of(database, side)

    await outcomes.save(database, batch.token, [learns(batch.due[0], base={"email": "agreed"})])
    saved = await outcomes.save(database, slow.token, [learns(slow.due[0], base={"email": "of the slow one"})])

    link = await the_only_link(database)
    assert saved == set()
    assert (link.drchrono_id, link.salesforce_id, link.base) == (CHART, CONTACT, {"email": "agreed"})
    assert (side.other.value, of(side.other)) in await open_events(database), "the slow one's reading is not lost"
    assert link.due_at is not None


async def test_a_worker_whose_lone_ref_was_absorbed_starts_no_write(database, side):
    slow = await taken_of(database, side.other)
    batch = await taken_of(database, side)
    await outcomes.save(database, batch.token, [learns(batch.due[0])])

    ours = await journal.plan(database, slow.token, [an_entry(slow.due[0].link.id)], SOON)

    assert ours == set()
    assert await rows(database, tables.journal) == []


@pytest.mark.parametrize("state", [None, WriteState.UNKNOWN], ids=["planned", "unknown"])
async def test_a_lone_ref_with_a_write_in_the_air_stays_and_the_link_comes_back_for_it(database, side, state):
    slow = await taken_of(database, side.other)
    entry = an_entry(slow.due[0].link.id)
    await journal.plan(database, slow.token, [entry], SOON)
    if state:
        await journal.answer(database, [Answer(entry.id, state)])
    batch = await taken_of(database, side)

    saved = await outcomes.save(database, batch.token, [learns(batch.due[0], base={"email": "agreed"})])

    found = {row.id: row for row in await rows(database, tables.links)}
    waiting, busy = found[batch.due[0].link.id], found[slow.due[0].link.id]
    assert saved == {waiting.id}
    assert waiting.base == {}
    assert {waiting.drchrono_id, waiting.salesforce_id} == {of(side), None}
    assert waiting.due_at is not None
    assert busy.lease_owner == slow.token
    assert (side.value, of(side)) in await open_events(database)
    assert [row.link_id for row in await rows(database, tables.journal)] == [busy.id]
    assert await rows(database, tables.failures) == []


async def test_once_its_write_is_settled_the_lone_ref_ends_in_the_link(database, side):
    slow = await taken_of(database, side.other)
    entry = an_entry(slow.due[0].link.id)
    await journal.plan(database, slow.token, [entry], SOON)
    batch = await taken_of(database, side)
    await outcomes.save(database, batch.token, [learns(batch.due[0])])
    await journal.answer(database, [Answer(entry.id, WriteState.REFUSED)])
    await outcomes.save(database, slow.token, [a_result(slow.due[0])])
    await change(database, tables.links.update().values(due_at=clock.db_now(), lane="live"))
    again = await work_queue.lease_batch(database, Kind.PATIENT)
    (due,) = [due for due in again.due if due.link.id == batch.due[0].link.id]

    await outcomes.save(database, again.token, [learns(due)])

    link = await the_only_link(database)
    assert (link.drchrono_id, link.salesforce_id) == (CHART, CONTACT)


async def test_absorbing_costs_its_neighbours_nothing(database, side):
    await left_alone(database, side.other)
    for record_id in ("7", "8"):
        await came_in(database, a_delivery(record_id))
    await notice(database, side)
    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    endings = [learns(due) if due.link.id_on(side) == of(side) else a_result(due, {"x": "new"}) for due in batch.due]

    saved = await outcomes.save(database, batch.token, endings)

    assert len(saved) == 3
    assert [row.base for row in await rows(database, tables.links) if row.drchrono_id in ("7", "8")] == [
        {"x": "new"},
        {"x": "new"},
    ]


async def test_a_record_of_another_link_is_held_and_neither_link_changes(database, side):
    await left_alone(database, D, salesforce_id=CONTACT)
    mine = "2" if side is D else OTHER_CONTACT
    await came_in(database, a_delivery(mine, side=side))
    batch = await work_queue.lease_batch(database, Kind.PATIENT)

    await outcomes.save(database, batch.token, [learns(batch.due[0], base={"email": "agreed"})])

    held = (await the_failures(database))["contact_of_another_link"]
    assert (held.link_id, held.is_held) == (batch.due[0].link.id, True)
    pairs = {(row.drchrono_id, row.salesforce_id) for row in await rows(database, tables.links)}
    assert pairs == {(CHART, CONTACT), ("2", None) if side is D else (None, OTHER_CONTACT)}


@pytest.mark.parametrize("is_due", [False, True], ids=["quiet", "due"])
async def test_of_two_that_claim_one_lone_ref_the_first_absorbs_it_and_the_second_is_held(database, side, is_due):
    await left_alone(database, side.other)
    if is_due:
        await notice(database, side.other)
        await work_queue.lease_batch(database, Kind.PATIENT)
    for record_id in ("2", "3") if side is D else (CONTACT, OTHER_CONTACT):
        await came_in(database, a_delivery(record_id, side=side))
    batch = await work_queue.lease_batch(database, Kind.PATIENT)

    saved = await outcomes.save(database, batch.token, [learns(due) for due in batch.due])

    found = await rows(database, tables.links)
    assert (len(saved), len(found)) == (2, 2)
    assert [row.cause for row in await rows(database, tables.failures)] == ["contact_of_another_link"]
    (absorber,) = [row for row in found if row.drchrono_id and row.salesforce_id]
    assert absorber.due_at is not None


async def test_of_two_that_claim_one_lone_ref_the_first_gets_its_journal(database, side):
    batch = await taken_of(database, side.other)
    entry = an_entry(batch.due[0].link.id)
    await journal.plan(database, batch.token, [entry], SOON)
    await journal.answer(database, [Answer(entry.id, WriteState.CONFIRMED)])
    await outcomes.save(database, batch.token, [a_result(batch.due[0])])
    for record_id in ("2", "3") if side is D else (CONTACT, OTHER_CONTACT):
        await came_in(database, a_delivery(record_id, side=side))
    batch = await work_queue.lease_batch(database, Kind.PATIENT)

    await outcomes.save(database, batch.token, [learns(due) for due in batch.due])

    (absorber,) = [row for row in await rows(database, tables.links) if row.drchrono_id and row.salesforce_id]
    assert [row.link_id for row in await rows(database, tables.journal)] == [absorber.id]


async def test_two_lone_refs_of_one_batch_that_learn_of_each_other_become_one_link(database, side):
    await notice(database, side)
    await notice(database, side.other)
    batch = await work_queue.lease_batch(database, Kind.PATIENT)

    await outcomes.save(database, batch.token, [learns(due) for due in batch.due])

    link = await the_only_link(database)
    assert (link.drchrono_id, link.salesforce_id) == (CHART, CONTACT)
    assert link.due_at is not None


@on_postgresql
async def test_two_workers_whose_lone_refs_learn_of_each_other_at_once_leave_one_link(database, side):
    one, other = await taken_of(database, side), await taken_of(database, side.other)

    saved = await asyncio.gather(
        outcomes.save(database, one.token, [learns(one.due[0])]),
        outcomes.save(database, other.token, [learns(other.due[0])]),
    )

    link = await the_only_link(database)
    assert sorted(map(len, saved)) == [0, 1]
    assert (link.drchrono_id, link.salesforce_id) == (CHART, CONTACT)
    assert link.due_at is not None
