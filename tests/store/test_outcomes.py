import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.store import journal, outcomes, tables, work_queue
from app.store.result import Failure, Result
from app.store.work_queue import Due
from app.sync.model import Base, Kind, Lane, Link, Side
from tests.store.build import (
    a_delivery,
    a_result,
    an_entry,
    came_in,
    change_link,
    expire_leases,
    on_postgresql,
    rows,
    taken,
    the_failures,
    the_link,
)

SOON = timedelta(seconds=30)
LATE = "REQUIRED_FIELD_MISSING"
CONTACT = "003000000000001AAA"


async def open_events(database):
    return {row.delivery_id for row in await rows(database, tables.events) if row.finished_at is None}


async def test_a_result_is_saved_whole_and_lets_the_lease_go(database):
    batch = await taken(database, "1")
    result = a_result(
        batch.due[0], {"email": "1.key.hash"}, salesforce_id="003000000000001AAA", seen_up_to="2026-08-01T10:00:00"
    )

    saved = await outcomes.save(database, batch.token, [result])

    link = await the_link(database)
    assert saved == {link.id}
    assert (link.base, link.base_version) == ({"email": "1.key.hash"}, 1)
    assert (link.salesforce_id, link.floor) == ("003000000000001AAA", "2026-08-01T10:00:00")
    assert (link.due_at, link.lease_owner, link.lease_until) == (None, None, None)
    assert (link.attempts, link.last_error) == (0, None)
    assert abs(link.synced_at - batch.now) < timedelta(seconds=5)


async def test_nothing_is_due_and_nothing_is_open_after_a_look_that_used_up_what_it_read(database):
    batch = await taken(database, "1")

    await outcomes.save(database, batch.token, [a_result(batch.due[0])])

    assert await work_queue.lease_batch(database, Kind.PATIENT) is None
    assert await open_events(database) == set()


async def test_a_delivery_that_came_in_between_stays_open_and_due(database):
    batch = await taken(database, "1")
    between = a_delivery("1", body="in between")
    await came_in(database, between)

    await outcomes.save(database, batch.token, [a_result(batch.due[0], again_in=timedelta(hours=1), attempts=4)])

    assert await open_events(database) == {between.id}
    again = await work_queue.lease_batch(database, Kind.PATIENT)
    assert [body.sealed for body in again.due[0].bodies] == ["in between"]
    assert (again.due[0].generation, again.due[0].attempts) == (2, 0)


async def test_news_in_between_go_into_the_live_lane(database):
    batch = await taken(database, "1")
    await came_in(database, a_delivery("1"))

    await outcomes.save(database, batch.token, [a_result(batch.due[0], again_in=SOON, lane=Lane.RETRY)])

    assert (await the_link(database)).lane == Lane.LIVE


async def test_exactly_what_was_read_at_take_is_finished(database):
    await came_in(database, a_delivery("1"), a_delivery("1"), a_delivery("2"))
    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    (first,) = [due for due in batch.due if due.link.drchrono_id == "1"]

    await outcomes.save(database, batch.token, [a_result(first)])

    still_open = {event.record_id for event in await rows(database, tables.events) if event.finished_at is None}
    assert still_open == {"2"}


async def test_of_a_delivery_about_two_records_only_the_one_looked_at_is_finished(database):
    await came_in(database, a_delivery("1", "2"))
    batch = await work_queue.lease_batch(database, Kind.PATIENT, limit=1)

    await outcomes.save(database, batch.token, [a_result(batch.due[0])])

    finished = {event.record_id: event.finished_at is not None for event in await rows(database, tables.events)}
    assert sorted(finished.values()) == [False, True]
    assert finished[batch.due[0].link.drchrono_id]


async def test_what_was_read_but_not_used_up_is_there_for_the_next_look(database):
    batch = await taken(database, "1")

    await outcomes.save(database, batch.token, [a_result(batch.due[0], is_read=False, again_in=timedelta(0))])

    again = await work_queue.lease_batch(database, Kind.PATIENT)
    assert again.due[0].bodies == batch.due[0].bodies


async def test_looking_again_is_counted_from_the_databases_clock(database):
    batch = await taken(database, "1")

    await outcomes.save(database, batch.token, [a_result(batch.due[0], again_in=SOON, lane=Lane.RETRY, attempts=2)])

    link = await the_link(database)
    assert timedelta(0) <= link.due_at - (batch.now + SOON) < timedelta(seconds=5)
    assert (link.lane, link.attempts, link.lease_owner) == (Lane.RETRY, 2, None)


@pytest.mark.parametrize(
    "rest",
    [{"again_in": SOON}, {"failure": Failure(Side.SALESFORCE, LATE)}],
    ids=["looked at again later", "failed"],
)
async def test_what_did_not_come_to_agree_is_not_called_synced(database, rest):
    batch = await taken(database, "1")

    await outcomes.save(database, batch.token, [a_result(batch.due[0], **rest)])

    assert (await the_link(database)).synced_at is None


async def test_a_look_that_failed_later_leaves_when_it_last_agreed(database):
    first = await taken(database, "1")
    await outcomes.save(database, first.token, [a_result(first.due[0])])
    agreed_at = (await the_link(database)).synced_at
    second = await taken(database, "1")

    await outcomes.save(database, second.token, [a_result(second.due[0], again_in=SOON)])

    assert (await the_link(database)).synced_at == agreed_at


async def test_a_result_under_a_lease_another_has_now_is_not_saved(database):
    first = await taken(database, "1")
    await expire_leases(database)
    second = await work_queue.lease_batch(database, Kind.PATIENT)

    saved = await outcomes.save(database, first.token, [a_result(first.due[0], {"email": "of the first"})])

    link = await the_link(database)
    assert saved == set()
    assert (link.base, link.base_version, link.lease_owner) == ({}, 0, second.token)
    assert link.due_at is not None
    assert len(await open_events(database)) == 1


async def test_a_result_of_a_base_that_moved_on_is_not_saved(database):
    batch = await taken(database, "1")
    await change_link(database, base_version=1)

    saved = await outcomes.save(database, batch.token, [a_result(batch.due[0], {"email": "of the first"})])

    assert saved == set()
    assert ((await the_link(database)).base, len(await open_events(database))) == ({}, 1)


async def test_a_lost_lease_costs_its_neighbours_nothing(database):
    batch = await taken(database, "1", "2", "3")
    await change_link(database, "2", lease_owner="another")

    saved = await outcomes.save(database, batch.token, [a_result(due, {"email": "new"}) for due in batch.due])

    assert saved == {due.link.id for due in batch.due if due.link.drchrono_id != "2"}
    assert [(await the_link(database, record_id)).base_version for record_id in "123"] == [1, 0, 1]


async def test_of_two_workers_that_save_the_same_look_one_wins(database):
    batch = await taken(database, "1")
    result = a_result(batch.due[0])

    answers = await asyncio.gather(*(outcomes.save(database, batch.token, [result]) for _ in range(2)))

    assert sorted(map(len, answers)) == [0, 1]
    assert (await the_link(database)).base_version == 1


async def test_nothing_to_save_is_nothing_saved(database):
    assert await outcomes.save(database, "token", []) == set()


async def test_a_failure_is_kept_with_its_cause_and_fields(database):
    batch = await taken(database, "1", "2")
    of_one = a_result(batch.due[0], failure=Failure(Side.SALESFORCE, LATE, ("email", "city")))
    of_two = a_result(batch.due[1], failure=Failure(Side.DRCHRONO, "gone_in_drchrono", is_held=True))

    await outcomes.save(database, batch.token, [of_one, of_two])

    failed = await the_failures(database)
    assert failed[LATE][:6] == (batch.due[0].link.id, "salesforce", "patient", LATE, "email,city", False)
    assert failed["gone_in_drchrono"].is_held is True
    assert abs(failed[LATE].at - batch.now) < timedelta(seconds=5)
    assert (await the_link(database, "1")).last_error == LATE


async def test_a_record_that_failed_says_so_at_the_next_take(database):
    batch = await taken(database, "1", "2")
    await outcomes.save(
        database, batch.token, [a_result(batch.due[0], failure=Failure(Side.SALESFORCE, LATE)), a_result(batch.due[1])]
    )

    again = await taken(database, "1", "2")

    assert {due.link.drchrono_id: due.link.is_failed for due in again.due} == {"1": True, "2": False}


async def test_a_failure_is_mended_by_a_look_that_succeeds(database):
    first = await taken(database, "1")
    await outcomes.save(database, first.token, [a_result(first.due[0], failure=Failure(Side.SALESFORCE, LATE))])
    second = await taken(database, "1")

    await outcomes.save(database, second.token, [a_result(second.due[0])])

    assert await rows(database, tables.failures) == []


async def test_a_failure_stays_while_the_next_look_only_waits(database):
    first = await taken(database, "1")
    await outcomes.save(database, first.token, [a_result(first.due[0], failure=Failure(Side.SALESFORCE, LATE))])
    second = await taken(database, "1")

    await outcomes.save(database, second.token, [a_result(second.due[0], is_read=False, again_in=SOON)])

    assert set(await the_failures(database)) == {LATE}


async def test_a_new_failure_replaces_the_old_one(database):
    first = await taken(database, "1")
    await outcomes.save(database, first.token, [a_result(first.due[0], failure=Failure(Side.SALESFORCE, LATE))])
    second = await taken(database, "1")

    await outcomes.save(database, second.token, [a_result(second.due[0], failure=Failure(Side.SALESFORCE, "OTHER"))])

    assert set(await the_failures(database)) == {"OTHER"}


async def test_a_long_cause_and_many_fields_are_cut_not_refused(database):
    batch = await taken(database, "1")
    failure = Failure(Side.SALESFORCE, "C" * 100, tuple(f"a_rather_long_field_name_{n}" for n in range(40)))

    await outcomes.save(database, batch.token, [a_result(batch.due[0], failure=failure)])

    (row,) = await rows(database, tables.failures)
    assert (len(row.cause), len(row.fields)) == (64, 512)


async def test_a_long_error_is_cut_not_refused(database):
    batch = await taken(database, "1", "2")

    saved = await outcomes.save(
        database, batch.token, [a_result(batch.due[0], again_in=SOON, last_error="C" * 65), a_result(batch.due[1])]
    )

    assert len(saved) == 2


async def linked(database, record_id, contact):
    """Link a record with a Contact, and leave nothing due."""
    batch = await taken(database, record_id)
    await outcomes.save(database, batch.token, [a_result(batch.due[0], salesforce_id=contact)])


async def test_a_contact_of_another_link_is_held_and_costs_its_neighbours_nothing(database):
    await linked(database, "9", CONTACT)
    batch = await taken(database, "1", "2")
    clash, free = (next(due for due in batch.due if due.link.drchrono_id == record_id) for record_id in "12")

    saved = await outcomes.save(database, batch.token, [a_result(clash, salesforce_id=CONTACT), a_result(free)])

    assert saved == {clash.link.id, free.link.id}
    held = (await the_failures(database))["contact_of_another_link"]
    assert (held.link_id, held.is_held) == (clash.link.id, True)
    assert (await the_link(database, "1")).salesforce_id is None
    assert (await the_link(database, "9")).salesforce_id == CONTACT
    assert (await the_link(database, "2")).synced_at is not None


async def test_of_two_links_of_a_batch_that_claim_one_contact_the_second_is_held(database):
    batch = await taken(database, "1", "2")

    await outcomes.save(database, batch.token, [a_result(due, salesforce_id=CONTACT) for due in batch.due])

    assert {row.salesforce_id for row in await rows(database, tables.links)} == {CONTACT, None}
    assert set(await the_failures(database)) == {"contact_of_another_link"}


async def test_a_linked_record_keeps_its_contact(database):
    first = await taken(database, "1")
    await outcomes.save(database, first.token, [a_result(first.due[0], salesforce_id=CONTACT)])
    second = await taken(database, "1")

    await outcomes.save(database, second.token, [a_result(second.due[0])])

    assert (await the_link(database)).salesforce_id == CONTACT
    assert await the_failures(database) == {}


async def test_a_held_claim_agreed_on_nothing(database):
    await linked(database, "9", CONTACT)
    batch = await taken(database, "1")

    await outcomes.save(database, batch.token, [a_result(batch.due[0], {"email": "agreed"}, salesforce_id=CONTACT)])

    assert (await the_link(database)).base == {}


async def test_writes_found_to_have_happened_or_not_are_settled_in_the_same_commit(database):
    batch = await taken(database, "1")
    landed, lost, left = (an_entry(batch.due[0].link.id) for _ in range(3))
    await journal.plan(database, batch.token, [landed, lost, left], SOON)

    settled = {landed.id: "confirmed", lost.id: "refused"}
    await outcomes.save(database, batch.token, [a_result(batch.due[0], settled=settled)])

    found = {row.id: (row.state, row.answered_at is not None) for row in await rows(database, tables.journal)}
    assert found == {landed.id: ("confirmed", True), lost.id: ("refused", True), left.id: ("planned", False)}


async def test_what_a_lost_lease_found_of_writes_is_not_believed(database):
    batch = await taken(database, "1")
    entry = an_entry(batch.due[0].link.id)
    await journal.plan(database, batch.token, [entry], SOON)
    await change_link(database, lease_owner="another")

    await outcomes.save(database, batch.token, [a_result(batch.due[0], settled={entry.id: "refused"})])

    assert [row.state for row in await rows(database, tables.journal)] == ["planned"]


async def test_a_failing_save_saves_nothing_of_the_batch(database):
    batch = await taken(database, "1")
    await outcomes.save(database, batch.token, [a_result(batch.due[0], failure=Failure(Side.SALESFORCE, LATE))])
    again = await taken(database, "1", "2")
    blind = Result(  # a look that does not know of the failure collides with it
        Due(blinded(again.due[0].link), again.due[0].generation, again.due[0].base_version, 0),
        replace(blinded(again.due[0].link), base=Base({"email": "new"})),
        is_read=True,
        failure=Failure(Side.SALESFORCE, "OTHER"),
    )

    with pytest.raises(Exception, match="the database refused"):
        await outcomes.save(database, again.token, [blind, a_result(again.due[1], {"email": "new"})])

    assert [(await the_link(database, record_id)).base for record_id in "12"] == [{}, {}]
    assert len(await open_events(database)) == 2


def blinded(link):
    return Link(link.id, link.kind, link.drchrono_id, link.salesforce_id, link.base)


@on_postgresql
async def test_two_batches_saved_at_once_in_another_order_both_get_through(database):
    batch = await taken(database, *map(str, range(50)))
    there, back = list(batch.due), list(reversed(batch.due))

    answers = await asyncio.gather(
        outcomes.save(database, batch.token, [a_result(due) for due in there]),
        outcomes.save(database, batch.token, [a_result(due) for due in back]),
    )

    assert sorted(map(len, answers)) == [0, 50]
