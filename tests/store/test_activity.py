"""Activity is the same whether it was summed up already or not, and no chart goes through all that was ever stored."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.metrics.definitions import END_TO_END
from app.ports import LISTED
from app.store import activity, clock, outcomes, schedules, tables
from app.store.activity import SLOT, ActivityCount, Measure
from app.store.counters import ProcessCounters
from app.store.result import Failure
from app.sync.model import Side
from tests.store.build import a_delivery, a_result, came_in, change, rows, statements_of, taken
from tests.store.plans import fill, walked_through

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def now_in(database):
    return (await database.read(sa.select(clock.db_now().label("now"))))[0].now


async def lasted(database, ago):
    """Let all that was received be so long ago."""
    received_at = await now_in(database) - ago
    await change(database, sa.update(tables.deliveries).values(received_at=received_at))


async def of_day(database):
    """Give what happened in the last day, as if it were one step."""
    end = activity.slot_of(await now_in(database)) + SLOT
    return set(await activity.counts(database, end - DAY, end, DAY))


async def test_what_is_summed_up_counts_as_it_did_before(database):
    await came_in(database, a_delivery("1"), a_delivery("2", side=Side.SALESFORCE), a_delivery("3", "4"))
    await lasted(database, HOUR)
    await came_in(database, a_delivery("5"))  # of this very moment: never summed up before it is over

    before = await of_day(database)
    await activity.sum_up(database)

    assert before == {
        ActivityCount(0, Measure.RECEIVED, Side.DRCHRONO, "kept", 3),
        ActivityCount(0, Measure.RECEIVED, Side.SALESFORCE, "kept", 1),
    }
    assert await of_day(database) == before
    assert sum(row.count for row in await rows(database, tables.activity)) == 3


async def test_summing_up_again_counts_nothing_twice(database):
    await came_in(database, a_delivery("1"), a_delivery("2"))
    await lasted(database, HOUR)
    await activity.sum_up(database)
    await schedules.raise_watermark(
        database, "activity", await now_in(database) - 2 * HOUR
    )  # its clock was turned back

    again = await activity.sum_up(database)

    assert again > 0
    assert [row.count for row in await rows(database, tables.activity)] == [2]


async def test_what_we_listed_ourselves_was_received_from_nobody(database):
    await came_in(database, a_delivery("1"))
    await change(database, sa.update(tables.deliveries).values(event=LISTED))

    assert await of_day(database) == set()


async def test_each_step_has_what_happened_in_it(database):
    await came_in(database, a_delivery("1"))
    await lasted(database, 3 * HOUR)
    await came_in(database, a_delivery("2"), a_delivery("3"))
    end = activity.slot_of(await now_in(database)) + SLOT

    found = await activity.counts(database, end - 4 * HOUR, end, HOUR)

    assert sorted((one.step, one.count) for one in found) in ([(0, 1), (3, 2)], [(1, 1), (3, 2)])


async def test_how_long_it_took_is_saved_with_the_counters_in_its_bucket(database):
    counts = ProcessCounters()
    for lasted_s in (0.3, 0.4, 45):
        counts.observe(END_TO_END, lasted_s, Side.DRCHRONO.value)

    await counts.save(database)
    await counts.save(database)  # nothing is new

    assert await of_day(database) == {
        ActivityCount(0, Measure.LATENCY, Side.DRCHRONO, "2", 2),
        ActivityCount(0, Measure.LATENCY, Side.DRCHRONO, "8", 1),
    }


async def test_what_no_chart_shows_any_more_goes(database):
    old = await now_in(database) - activity.KEPT_FOR - HOUR
    slot = clock.millis(old) // clock.millis(clock.instant(SLOT.total_seconds()))
    for at in (slot, slot + DAY // SLOT):
        row = {"slot": at, "measure": "received", "side": "drchrono", "part": "kept", "count": 1}
        await change(database, sa.insert(tables.activity).values(row))

    assert await activity.drop_old(database) == 1
    assert len(await rows(database, tables.activity)) == 1


async def test_what_began_to_fail_or_to_be_held_is_counted_once(database):
    batch = await taken(database, "1", "2", "3")
    ends = [
        Failure(Side.SALESFORCE, "LACKS"),
        Failure(Side.SALESFORCE, "LACKS"),
        Failure(Side.DRCHRONO, "held", is_held=True),
    ]
    found = [a_result(due, failure=end) for due, end in zip(batch.due, ends, strict=True)]
    await outcomes.save(database, batch.token, found)

    assert {one for one in await of_day(database) if one.measure is Measure.ENDED} == {
        ActivityCount(0, Measure.ENDED, Side.SALESFORCE, "failed", 2),
        ActivityCount(0, Measure.ENDED, Side.DRCHRONO, "held", 1),
    }
    assert [row.drchrono_id for row in await activity.latest_failures(database, 2)] == ["3", "2"]


@pytest.fixture
async def filled(database):
    """A database with many deliveries and writes, of which few are of the last hour."""
    await fill(database, 1, 5_000)
    for column in (tables.deliveries.c.received_at, tables.journal.c.answered_at, tables.record_history.c.at):
        await change(database, sa.update(column.table).values({column: clock.after(-20 * DAY)}))
    await fill(database, 5_001, 5_100)
    return database


async def test_a_chart_of_a_week_goes_through_no_table_that_grows(filled):
    await activity.sum_up(filled)
    end = activity.slot_of(await now_in(filled)) + SLOT

    sent = await statements_of(filled, activity.counts, end - 7 * DAY, end, 3 * HOUR)

    assert len(sent) == 3
    assert [walk for text, given in sent for walk in await walked_through(filled, text, given)] == []
