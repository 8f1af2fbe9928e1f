from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.ports import LISTED
from app.store import clock, journal, oauth_states, outcomes, retention, sessions, tables, work_queue
from app.store.conflicts import DecidedConflict, Sort, listed
from app.store.journal import Answer, Entry
from app.sync.model import Kind, Side, WriteState
from tests.store.build import a_delivery, a_result, came_in, change, rows, the_link

DAY = timedelta(days=1)
MONTH, YEARS = 31 * DAY, 500 * DAY
KEPT_FOR = retention.ages(30 * DAY)
LIMIT = timedelta(minutes=10)


async def pass_time(database, span):
    """Move everything that was stored into the past, as the clock would."""
    for column in (
        tables.deliveries.c.received_at,
        tables.events.c.finished_at,
        tables.journal.c.planned_at,
        tables.journal.c.answered_at,
        tables.conflicts.c.at,
    ):
        earlier = sa.type_coerce(column, sa.BigInteger) - span // timedelta(milliseconds=1)
        await change(database, sa.update(column.table).values({column: earlier}))


async def let_go(database, kept_for=KEPT_FOR, **rest):
    """Let go of what is old, and say how much of each thing went."""
    gone = dict.fromkeys(kept_for, 0)
    async for name, count in retention.batches(database, kept_for, **rest):
        gone[name] += count
    return gone


async def worked_off(database, *deliveries):
    """Let deliveries come in, and finish them."""
    await came_in(database, *deliveries)
    while batch := await work_queue.lease_batch(database, Kind.PATIENT):
        await outcomes.save(database, batch.token, [a_result(due) for due in batch.due])


async def bodies(database):
    return {row.delivery_key: row.body for row in await rows(database, tables.deliveries)}


async def written(database, state=WriteState.CONFIRMED, record_id=None, conflicts=()):
    """Journal a write of a Contact without a chart, with this answer."""
    await came_in(database, a_delivery("003A", side=Side.SALESFORCE))
    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    link_id = batch.due[0].link.id
    stamps = {"email": ("old", "new")}
    entry = Entry(link_id, Side.DRCHRONO, "create", stamps, "sealed", sent="sealed", conflicts=conflicts)
    await journal.plan(database, batch.token, [entry], LIMIT)
    if state is not WriteState.PLANNED:
        await journal.answer(database, [Answer(entry.id, state, record_id=record_id)])
    await outcomes.save(database, batch.token, [a_result(batch.due[0])])
    return link_id


async def values(database):
    return [(row.replaced, row.sent) for row in await rows(database, tables.journal)]


# --- deliveries ---


async def test_a_finished_body_goes_after_its_days_and_its_row_stays(database):
    await worked_off(database, a_delivery("1", key="old"))
    await pass_time(database, MONTH)
    await worked_off(database, a_delivery("1", key="new"))
    (before, _) = await rows(database, tables.deliveries)

    gone = await let_go(database)

    assert gone["bodies"] == 1
    assert await bodies(database) == {"old": None, "new": "sealed"}
    (after, _) = await rows(database, tables.deliveries)
    assert after == (*before[:5], None, *before[6:])
    assert len(await rows(database, tables.events)) == 2


async def test_an_unfinished_body_never_goes(database):
    await came_in(database, a_delivery("1", key="waits"))
    await pass_time(database, YEARS)

    gone = await let_go(database)

    assert not any(gone.values())
    assert await bodies(database) == {"waits": "sealed"}
    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    assert [body.sealed for body in batch.due[0].bodies] == ["sealed"]


async def test_a_body_stays_until_the_last_of_its_records_is_finished(database):
    await came_in(database, a_delivery("1", "2", key="both"))
    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    first, second = batch.due
    await outcomes.save(database, batch.token, [a_result(first), a_result(second, is_read=False, again_in=DAY)])
    await pass_time(database, YEARS)

    await let_go(database)

    assert await bodies(database) == {"both": "sealed"}


@pytest.mark.parametrize("outcome", ["skipped", "unreadable"])
async def test_what_nobody_waits_for_keeps_its_body_until_its_days_are_over(database, outcome):
    await came_in(database, a_delivery(key="none"))
    await change(database, sa.update(tables.deliveries).values(outcome=outcome))

    await pass_time(database, 29 * DAY)
    await let_go(database)
    assert await bodies(database) == {"none": "sealed"}

    await pass_time(database, 2 * DAY)
    await let_go(database)
    assert await bodies(database) == {"none": None}


async def test_a_redelivery_after_the_body_was_dropped_still_changes_nothing(database):
    await worked_off(database, a_delivery("1", key="twice"))
    await pass_time(database, MONTH)
    await let_go(database)
    before = await the_link(database)

    await came_in(database, a_delivery("1", key="twice"))

    assert await bodies(database) == {"twice": None}
    assert await the_link(database) == before
    assert await work_queue.lease_batch(database, Kind.PATIENT) is None


async def test_a_record_edited_after_its_old_bodies_were_dropped_still_syncs(database):
    await worked_off(database, a_delivery("1"), a_delivery("1"))
    await pass_time(database, MONTH)
    await let_go(database)

    await came_in(database, a_delivery("1", body="edited"))

    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    assert [body.sealed for body in batch.due[0].bodies] == ["edited"]


async def test_our_own_lists_go_whole_after_a_day(database):
    listed = {"1": 1, "2": 1, "3": 1}
    for record_id in listed:
        await came_in(database, a_delivery(record_id, key=record_id))
    await change(
        database, sa.update(tables.deliveries).where(tables.deliveries.c.delivery_key < "3").values(event=LISTED)
    )
    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    done = [a_result(due) if due.link.drchrono_id != "2" else a_result(due, is_read=False) for due in batch.due]
    await outcomes.save(database, batch.token, done)
    await pass_time(database, 2 * DAY)

    gone = await let_go(database)

    assert gone["lists"] == 1
    assert await bodies(database) == {"2": "sealed", "3": "sealed"}
    assert {row.record_id for row in await rows(database, tables.events)} == {"2", "3"}


async def test_rows_go_after_a_year_and_a_month_with_their_events(database):
    await worked_off(database, a_delivery("1", "2", key="old"))
    await came_in(database, a_delivery("3", key="waits"))
    await pass_time(database, YEARS)
    await came_in(database, a_delivery("4", key="new"))

    await let_go(database)

    assert await bodies(database) == {"waits": "sealed", "new": "sealed"}
    assert {row.record_id for row in await rows(database, tables.events)} == {"3", "4"}


async def test_rows_stay_as_long_as_their_contents(database):
    await worked_off(database, a_delivery("1", key="old"))
    await pass_time(database, YEARS)

    await let_go(database, retention.ages(2 * YEARS))

    assert await bodies(database) == {"old": "sealed"}


# --- writes ---


async def test_the_values_of_a_settled_write_go_and_its_row_stays(database):
    await written(database)
    (before,) = await rows(database, tables.journal)
    await pass_time(database, MONTH)

    await let_go(database)

    (after,) = await rows(database, tables.journal)
    assert (after.replaced, after.sent) == (None, None)
    assert (after.id, after.link_id, after.stamps, after.state) == (
        before.id,
        before.link_id,
        before.stamps,
        "confirmed",
    )


async def test_of_several_writes_exactly_the_settled_ones_lose_their_values(database):
    for at, state in enumerate(WriteState):
        await written(
            database, state, conflicts=(DecidedConflict(Kind.PATIENT, "email", "drchrono owns it", "sealed"),)
        )
        assert at == len(await rows(database, tables.journal)) - 1
    await pass_time(database, MONTH)

    gone = await let_go(database)

    kept = {row.state: row.replaced for row in await rows(database, tables.journal)}
    assert kept == {"planned": "sealed", "confirmed": None, "refused": None, "unknown": "sealed"}
    assert (gone["values"], gone["undo"]) == (2, 2)


@pytest.mark.parametrize("state", [WriteState.PLANNED, WriteState.UNKNOWN])
async def test_the_values_of_an_unsettled_write_never_go(database, state):
    await written(database, state)
    await pass_time(database, YEARS)

    await let_go(database)

    assert await values(database) == [("sealed", "sealed")]


async def test_the_values_of_a_create_stay_until_a_link_names_what_it_made(database):
    await written(database, record_id="220000900")
    await pass_time(database, YEARS)

    await let_go(database)
    assert await values(database) == [("sealed", "sealed")]

    await change(database, sa.update(tables.links).values(drchrono_id="220000900"))
    await let_go(database)
    assert await values(database) == []


async def test_a_write_settled_late_keeps_its_values_from_then_on(database):
    link_id = await written(database, WriteState.UNKNOWN)
    await pass_time(database, MONTH)
    (row,) = await rows(database, tables.journal)
    await journal.answer(database, [Answer(row.id, WriteState.REFUSED)])

    await let_go(database)

    assert await values(database) == [("sealed", "sealed")]
    assert link_id == row.link_id


async def test_settled_writes_go_after_a_year_and_a_month(database):
    await written(database, WriteState.REFUSED)
    await pass_time(database, YEARS)

    await let_go(database)

    assert await rows(database, tables.journal) == []


# --- conflicts ---

BOTH = DecidedConflict(Kind.PATIENT, "email", "salesforce owns it", "sealed")


async def test_a_conflict_keeps_its_row_when_its_values_go(database):
    await written(database, conflicts=(BOTH,))
    await pass_time(database, MONTH)

    await let_go(database)

    assert [row.kept for row in await rows(database, tables.conflicts)] == [None]
    assert [(one.field, one.rule) for one in await listed(database, Sort(), 9)] == [("email", "salesforce owns it")]


async def test_the_values_of_a_conflict_stay_while_its_write_is_unsettled(database):
    await written(database, WriteState.UNKNOWN, conflicts=(BOTH,))
    await pass_time(database, YEARS)

    await let_go(database)

    assert [row.kept for row in await rows(database, tables.conflicts)] == ["sealed"]


async def test_a_conflict_goes_after_a_year_and_a_month(database):
    await written(database, conflicts=(BOTH,))
    await pass_time(database, YEARS)

    await let_go(database)

    assert await rows(database, tables.conflicts) == []


# --- batches ---


async def test_a_run_that_dies_between_two_batches_loses_nothing_and_is_gone_on_with(database):
    await worked_off(database, *(a_delivery(str(n), key=str(n)) for n in range(5)))
    await came_in(database, a_delivery("waits", key="waits"))
    await pass_time(database, MONTH)

    dying = retention.batches(database, KEPT_FOR, 2)
    assert await anext(dying) == ("bodies", 2)
    await dying.aclose()

    half = await bodies(database)
    assert [half[str(n)] for n in range(5)] == [None, None, "sealed", "sealed", "sealed"]
    await let_go(database)
    assert {key for key, body in (await bodies(database)).items() if body} == {"waits"}


async def test_what_stays_does_not_stop_what_comes_after_it(database):
    await came_in(database, *(a_delivery(str(n), key=f"waits{n}") for n in range(5)))
    await came_in(database, *(a_delivery(key=f"over{n}") for n in range(3)))
    same = clock.after(-MONTH)
    await change(database, sa.update(tables.deliveries).values(received_at=same))

    await let_go(database, most=2)

    assert {key for key, body in (await bodies(database)).items() if body is None} == {"over0", "over1", "over2"}


async def test_what_is_reopened_between_finding_and_letting_go_stays(database):
    await worked_off(database, a_delivery("1", key="again"))
    await pass_time(database, MONTH)
    (rule,) = [rule for rule in retention.RULES if rule.name == "bodies"]
    before = datetime.now(UTC) - 30 * DAY
    found = await database.read(retention._old(rule, before, None, 9))
    await change(database, sa.update(tables.events).values(finished_at=None))

    gone = await retention._let_go(database, rule, before, [row.id for row in found])

    assert (len(found), gone) == (1, 0)
    assert await bodies(database) == {"again": "sealed"}


# --- leftovers ---


async def test_leftovers_go_and_what_is_in_use_stays(database, vault):
    await sessions.begin(database, "a session", "print", "operator", "anna")
    ours = oauth_states.OAuthStates(database, vault)
    await ours.expect("state", "browser")
    await ours.hold({"access_token": "Canary"})

    assert await retention.forget_leftovers(database) == 0
    await change(database, sa.update(tables.sessions).values(seen_at=clock.after(-DAY)))
    await change(database, sa.update(tables.consents).values(expires_at=clock.after(-DAY)))
    await change(database, sa.update(tables.connections).values(pending_at=clock.after(-DAY)))

    assert await retention.forget_leftovers(database) == 3
    assert [row.pending for row in await rows(database, tables.connections)] == [None]
