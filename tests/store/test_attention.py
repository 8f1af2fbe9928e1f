"""What needs attention, record by record: since when, after how many attempts, with note, message and history."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.ports import Act, Action, By
from app.store import attention, failures, outcomes, record_history, retention, tables, work_queue
from app.store.clock import after
from app.store.failures import Group
from app.store.links import mark_link_due
from app.store.result import Failure
from app.sync.model import Kind, Lane, Side
from tests.store.build import a_delivery, a_result, came_in, change, rows, taken, the_link

REFUSED, EMPTY = "FIELD_CUSTOM_VALIDATION_EXCEPTION", "cannot_be_empty"
MARIA = By("operator", "session 1f2e3d4c", "maria")


async def fails(database, *record_ids, cause=REFUSED, message=None, **rest):
    """Let records fail, after a delivery of each."""
    batch = await taken(database, *record_ids)
    failure = Failure(Side.SALESFORCE, cause, ("MobilePhone",), message=message, **rest)
    await outcomes.save(database, batch.token, [a_result(due, failure=failure) for due in batch.due])


async def fails_again(database, **how):
    """Let somebody try what fails again, and let it fail once more."""
    await failures.try_again(database, Group(), None, Act(MARIA, Action.RETRY, "all"))
    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    failure = Failure(Side.SALESFORCE, how.get("cause", REFUSED), ("MobilePhone",))
    await outcomes.save(database, batch.token, [a_result(due, failure=failure) for due in batch.due])


async def happened(database, record_id="1"):
    link = await the_link(database, record_id)
    return [(row.what, row.by_name, row.times) for row in await record_history.acts_of(database, link.id, 50)]


async def test_what_waits_longest_comes_first_page_by_page_and_only_that_of_the_group(database):
    await fails(database, "1")
    await fails(database, "2", cause=EMPTY)
    await fails(database, "3")

    (first,) = await attention.page(database, Group(cause=REFUSED), 1)
    rest = await attention.page(database, Group(cause=REFUSED), 10, (first.since, first.link_id))

    assert (first.drchrono_id, [row.drchrono_id for row in rest]) == ("1", ["3"])
    assert (first.attempts, first.due_at, first.has_message, first.note) == (1, None, False, None)


async def test_what_fails_again_in_the_same_way_has_done_so_since_it_first_did_and_keeps_its_note(database):
    await fails(database, "1", message="sealed")
    link = await the_link(database)
    await attention.keep_note(database, link.id, "a sealed note", Act(MARIA, Action.NOTE, "patient 1"))
    (before,) = await attention.page(database, Group(), 1)

    await fails_again(database)
    (same,) = await attention.page(database, Group(), 1)
    await fails_again(database, cause=EMPTY)
    (other,) = await attention.page(database, Group(), 1)

    assert (same.since, same.attempts, same.note, same.has_message) == (before.since, 2, "a sealed note", False)
    assert (other.since > before.since, other.attempts, other.note) == (True, 1, "a sealed note")


async def test_a_note_ends_with_the_failure_and_none_is_kept_where_nothing_waits(database):
    await fails(database, "1")
    link, act = await the_link(database), Act(MARIA, Action.NOTE, "patient 1")
    await attention.keep_note(database, link.id, "sealed", act)
    batch = await taken(database, "1")
    await outcomes.save(database, batch.token, [a_result(due) for due in batch.due])

    assert await attention.keep_note(database, link.id, "late", act) is False
    assert await rows(database, tables.failures) == []


async def test_the_history_tells_who_retried_and_counts_what_fails_in_the_same_way(database):
    await fails(database, "1")
    await fails_again(database)
    for _ in range(2):  # by a comparison, without anybody's word
        link = await the_link(database)
        await database.transact(lambda connection, id_=link.id: mark_link_due(connection, id_, Lane.COMPARE))
        batch = await work_queue.lease_batch(database, Kind.PATIENT)
        failure = Failure(Side.SALESFORCE, REFUSED, ("MobilePhone",))
        await outcomes.save(database, batch.token, [a_result(due, failure=failure) for due in batch.due])
    await fails(database, "1")

    assert await happened(database) == [
        ("failed", "", 1),
        ("failed", "", 3),
        ("retried", "maria", 1),
        ("failed", "", 1),
    ]
    told = await record_history.acts_of(database, link.id, 1)
    assert len(told[0].deliveries) == 1, "an edit that was not applied is told for itself"


async def test_a_message_goes_by_age_and_its_failure_stays(database):
    await fails(database, "1", message="old")
    await fails(database, "2", message="new")
    is_first, month = tables.failures.c.message == "old", timedelta(days=31)
    await change(database, sa.update(tables.failures).where(is_first).values(at=after(-month)))

    async for _ in retention.batches(database, retention.ages(timedelta(days=30))):
        pass

    assert [row.message for row in await rows(database, tables.failures)] == [None, "new"]


@pytest.mark.parametrize("is_kept", [True, False])
async def test_the_last_body_that_is_kept_names_a_record(database, is_kept):
    await came_in(database, a_delivery("1", body="first"), a_delivery("1", body="second" if is_kept else None))

    found = await attention.latest_bodies(database, Kind.PATIENT, ["1", "2"])

    assert [(row.record_id, row.body) for row in found] == [("1", "second" if is_kept else "first")]
