from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.store import clock, journal, lanes, outcomes, queue_stats, tables
from app.store.journal import Answer
from app.store.lanes import set_paused
from app.store.queue_stats import DueCount
from app.store.result import Failure
from app.sync.model import Kind, Lane, Side, WriteState
from tests.store.build import (
    a_delivery,
    a_result,
    an_entry,
    came_in,
    change,
    change_link,
    on_sqlite,
    plan_of,
    statements_of,
    taken,
)

LIMIT = timedelta(minutes=10)


async def test_an_empty_database_has_nothing_to_tell(database):
    assert await queue_stats.due_counts(database) == []
    assert await queue_stats.synced_per_minute(database) == 0
    assert await queue_stats.failure_groups(database) == []
    assert await queue_stats.journal_counts(database) == []


async def test_what_is_due_is_counted_by_kind_and_lane(database):
    await came_in(database, a_delivery("1", "2", "3"), a_delivery("4", kind=Kind.DOCTOR))
    await change_link(database, "3", lane=Lane.RETRY.value)

    counts = await queue_stats.due_counts(database)

    assert {(count.kind, count.lane): count.count for count in counts} == {
        ("patient", "live"): 2,
        ("patient", "retry"): 1,
        ("doctor", "live"): 1,
    }


async def test_the_age_is_that_of_the_longest_due(database):
    await came_in(database, a_delivery("1", "2"))
    await change_link(database, "1", due_at=clock.after(-timedelta(seconds=90)))

    (count,) = await queue_stats.due_counts(database)

    assert 90 <= count.oldest_s < 95


async def test_what_is_due_later_counts_and_has_no_age(database):
    await came_in(database, a_delivery("1"))
    await change_link(database, "1", due_at=clock.after(timedelta(minutes=5)))

    assert await queue_stats.due_counts(database) == [DueCount("patient", "live", "to_salesforce", 1, 0.0)]


async def test_what_is_done_is_not_counted(database):
    batch = await taken(database, "1")
    await outcomes.save(database, batch.token, [a_result(batch.due[0])])

    assert await queue_stats.due_counts(database) == []


async def test_writes_confirmed_in_the_last_minute_are_the_rate(database):
    batch = await taken(database, "1")
    now, long_ago, refused, open_ = (an_entry(batch.due[0].link.id) for _ in range(4))
    await journal.plan(database, batch.token, [now, long_ago, refused, open_], LIMIT)
    answers = [
        Answer(now.id, WriteState.CONFIRMED),
        Answer(long_ago.id, WriteState.CONFIRMED),
        Answer(refused.id, WriteState.REFUSED),
    ]
    await journal.answer(database, answers)
    then = clock.after(-timedelta(seconds=61))
    await change(database, sa.update(tables.journal).where(tables.journal.c.id == long_ago.id).values(answered_at=then))

    assert await queue_stats.synced_per_minute(database) == 1


async def test_failures_are_grouped_and_the_largest_group_comes_first(database):
    batch = await taken(database, "1", "2", "3")
    lacks, other = Failure(Side.SALESFORCE, "LACKS", ("email",)), Failure(Side.SALESFORCE, "A_OTHER", is_held=True)
    failures = [other, lacks, lacks]
    ends = [a_result(due, failure=failure) for due, failure in zip(batch.due, failures, strict=True)]
    await outcomes.save(database, batch.token, ends)

    groups = await queue_stats.failure_groups(database)

    assert [(group.side, group.kind, group.cause, group.fields, group.is_held, group.records) for group in groups] == [
        ("salesforce", "patient", "LACKS", "email", False, 2),
        ("salesforce", "patient", "A_OTHER", "", True, 1),
    ]
    assert groups[1].sample == batch.due[0].link.id


async def test_unsettled_writes_are_counted_by_side_and_state(database):
    batch = await taken(database, "1")
    entries = [an_entry(batch.due[0].link.id) for _ in range(4)]
    await journal.plan(database, batch.token, entries, LIMIT)
    answers = [Answer(entries[0].id, WriteState.UNKNOWN), Answer(entries[1].id, WriteState.CONFIRMED)]
    await journal.answer(database, answers)

    counts = await queue_stats.journal_counts(database)

    assert {(count.side, count.state): count.writes for count in counts} == {
        ("salesforce", "unknown"): 1,
        ("salesforce", "planned"): 2,
    }


async def test_lanes_are_told_most_urgent_first_and_run_unless_paused(database):
    states = await lanes.lane_states(database)

    assert [state.lane for state in states] == ["live", "retry", "confirm", "compare", "backfill"]
    assert not [state for state in states if state.is_paused or state.reason or state.since]


async def test_a_paused_lane_says_why_and_since_when(database):
    await set_paused(database, [Lane.RETRY], "Salesforce is being upgraded")

    (state,) = [state for state in await lanes.lane_states(database) if state.is_paused]

    assert (state.lane, state.reason) == ("retry", "Salesforce is being upgraded")
    assert abs(state.since - datetime.now(UTC)) < timedelta(seconds=5)


async def test_pausing_again_takes_the_newer_reason(database):
    await set_paused(database, [Lane.RETRY], "first")
    await set_paused(database, [Lane.RETRY], "second")

    assert [state.reason for state in await lanes.lane_states(database) if state.is_paused] == ["second"]


async def test_resuming_one_lane_leaves_the_others(database):
    await set_paused(database, list(Lane), "all of them")

    await set_paused(database, [Lane.LIVE], None)

    paused = {state.lane for state in await lanes.lane_states(database) if state.is_paused}
    assert paused == set(Lane) - {Lane.LIVE}


async def test_a_long_reason_is_cut_not_refused(database):
    await set_paused(database, [Lane.LIVE], "x" * 300)

    assert (await lanes.lane_states(database))[0].reason == "x" * 200


async def test_a_paused_lanes_work_stays_in_it(database):
    await came_in(database, a_delivery("1"))

    await set_paused(database, [Lane.LIVE], "wait")

    assert [(count.lane, count.count) for count in await queue_stats.due_counts(database)] == [("live", 1)]


@on_sqlite
@pytest.mark.parametrize(
    ("query", "index"),
    [
        (queue_stats.due_counts, "ix_links_lane_due"),
        (queue_stats.synced_per_minute, "ix_journal_answered_at"),
        (queue_stats.journal_counts, "ix_journal_open"),
    ],
    ids=["due", "rate", "unsettled writes"],
)
async def test_a_number_rests_on_an_index(database, query, index):
    ((statement, given),) = await statements_of(database, query)

    plan = plan_of(database, statement, given)

    assert "INDEX" in plan
    assert index in plan
