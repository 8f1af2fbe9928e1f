"""Cost grows with what is due, open or old, never with what is stored: by the plans of the very statements we send."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from app.store import (
    attention,
    clock,
    conflicts,
    identity_index,
    journal,
    outcomes,
    queue_stats,
    record_history,
    record_views,
    resolutions,
    retention,
    sync_status,
    tables,
    work_queue,
)
from app.store.conflicts import NO_UNDO, Sort
from app.store.inbox import statements
from app.store.journal import Answer
from app.sync.model import Kind, Lane, RecordRef, Side, WriteState
from app.sync.resolutions import ResolutionEnd
from tests.store.build import a_delivery, a_result, an_entry, change, on_sqlite, open_inbox, plan_of, statements_of
from tests.store.plans import cost, fill, walked_through

SOME, MANY = 1_000, 30_000
DAY = timedelta(days=1)
TAKEN = 200


async def let_due(database, among):
    """Let 200 records, spread over all there are, be due for a delivery of each side."""
    numbers = range(1, among + 1, among // TAKEN)
    told = [a_delivery(f"003{n}", side=Side.SALESFORCE) for n in numbers]
    inbox = open_inbox(database)
    await asyncio.gather(*(inbox.keep(one) for one in (*told, *(a_delivery(str(n)) for n in numbers))))
    await inbox.close()


async def let_rest(database):
    """Let nothing be due or open any more."""
    links, events = tables.links.c, tables.events.c  # only what is: of a million rows the rest takes a minute to write
    is_taken = sa.or_(links.due_at.is_not(None), links.lease_until.is_not(None))
    await change(database, sa.update(tables.links).where(is_taken).values(due_at=None, lease_until=None))
    is_open = events.finished_at.is_(None)
    await change(database, sa.update(tables.events).where(is_open).values(finished_at=clock.db_now()))


async def given_back(database):
    """Let what was taken be free again."""
    free = sa.update(tables.links).where(tables.links.c.lease_until.is_not(None))
    await change(database, free.values(lease_until=None, lease_owner=None))


async def a_whole_pass(database):
    """Take what is due, journal a write of each, and record the end."""
    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    entries = [an_entry(due.link.id, replaced="sealed") for due in batch.due]
    await journal.written_lately(database, [due.link.id for due in batch.due])
    await journal.plan(database, batch.token, entries, timedelta(minutes=10))
    await journal.answer(database, [Answer(entry.id, WriteState.UNKNOWN) for entry in entries])
    ends = zip(batch.due, entries, strict=True)
    await outcomes.save(database, batch.token, [a_result(due, settled={one.id: "confirmed"}) for due, one in ends])


async def a_crowd_is_taken(database):
    """Take what waits to be created in Salesforce, many at once."""
    waiting = sa.update(tables.links).where(tables.links.c.due_at.is_not(None))
    await change(database, waiting.values(lane=Lane.BACKFILL.value, salesforce_id=None))
    batch = await work_queue.lease_batch(database, Kind.PATIENT, crowd=work_queue.BulkThreshold(50, 150))
    assert len(batch.due) == 150


async def keeping_house(database):
    """Let go of the contents of what is two days old, then of its rows."""
    contents = {rule.name: 2 * DAY if rule.dropped else 9 * DAY for rule in retention.RULES}
    for kept_for in (contents, dict.fromkeys(contents, 2 * DAY)):
        async for _ in retention.batches(database, kept_for):
            pass


async def the_first_page_of_patients(database):
    """Give the beginning of the list; its index is walked through, as far as the page."""
    assert len(await record_views.page(database, Kind.PATIENT, 51)) == 51


async def a_later_page_of_patients(database):
    """Give a later page of the list, and what is known of those whom a search has found."""
    assert await record_views.page(database, Kind.PATIENT, 51, "L5")
    await record_views.of(database, Kind.PATIENT, Side.SALESFORCE, [f"003{n}" for n in range(50)])


async def a_record_and_its_history(database):
    """Give a record by either side's id, and what happened to it, page by page."""
    one = await record_views.find(database, RecordRef(Side.DRCHRONO, Kind.PATIENT, "7"))
    assert one == await record_views.find(database, RecordRef(Side.SALESFORCE, Kind.PATIENT, "0037"))
    ids = {side: one.link.id_on(side) for side in Side}
    for before in (None, "Z"):
        assert await record_views.deliveries_of(database, Kind.PATIENT, ids, 101, before)
        assert await record_views.writes_of(database, one.id, 101, before)
        assert await record_history.acts_of(database, one.id, 101, before)
        assert await record_history.decisions_of(database, one.id, 101, before)
    assert await record_views.conflicts_of(database, one.id)


async def records_that_need_attention(database):
    """Give how some records stand, and what their last deliveries held."""
    ids = [f"L{n}" for n in range(50)]
    assert len(await record_views.of_links(database, ids)) == 49
    assert await attention.some(database, ids) == []
    assert len(await attention.latest_bodies(database, Kind.PATIENT, [str(n) for n in range(50)])) == 49


async def the_statuses_that_are_to_be_shown(database):
    """Give the records of which Salesforce may show something else, and keep what it shows by now."""
    rested = sa.update(tables.links).where(tables.links.c.due_at.is_not(None))
    await change(database, rested.values(due_at=None, status_due_at=clock.db_now()))
    assert await sync_status.are_due(database, [Kind.PATIENT, Kind.APPOINTMENT])
    found = await sync_status.due(database, Kind.PATIENT, tuple(Lane), 1000)
    await sync_status.shown(database, [(one, "shown") for one in found])
    assert (len(found), await sync_status.are_due(database, [Kind.PATIENT])) == (TAKEN, False)


@pytest.fixture
async def filled(database):
    """A database with many records, of which 200 are due, and the oldest thousand done with three days ago."""
    await fill(database, 1, SOME)
    ends = (tables.conflicts.c.at, tables.decisions.c.ended_at, tables.record_history.c.at)
    for column in (tables.deliveries.c.received_at, tables.journal.c.answered_at, *ends):
        await change(database, sa.update(column.table).values({column: clock.after(-3 * DAY)}))
    await fill(database, SOME + 1, MANY)
    await let_due(database, MANY)
    return database


async def walks(database, sent):
    return {found: statement for statement, given in sent for found in await walked_through(database, statement, given)}


LOOKS = (
    work_queue.waiting,
    work_queue.next_due_in_s,
    queue_stats.due_counts,
    queue_stats.oldest_due_s,
    queue_stats.journal_counts,
    queue_stats.synced_per_minute,
    a_later_page_of_patients,
    a_record_and_its_history,
    records_that_need_attention,
)


@pytest.mark.parametrize(
    "runs",
    [[a_whole_pass], [a_crowd_is_taken], [keeping_house], LOOKS, [the_statuses_that_are_to_be_shown]],
    ids=["pass", "crowd", "house", "looks", "statuses"],
)
async def test_nothing_walks_through_a_table_that_grows(filled, runs):
    for run in runs:
        sent = await statements_of(filled, run)

        assert len(sent) > 0
        assert await walks(filled, sent) == {}, run.__name__


async def test_what_a_person_decided_and_the_conflict_it_is_about_are_found_by_index(filled):
    async def asked(database):
        await conflicts.find(database, "C7")
        await conflicts.listed(database, Sort(field="email"), 50, "C9")
        await resolutions.waiting(database, ["L1", "L2"])
        await database.transact(lambda connection: resolutions.open_of(connection, ["L1", "L2"]))
        await database.transact(lambda connection: resolutions.end_of(connection, ["L1"], ResolutionEnd.DROPPED))

    sent = await statements_of(filled, asked)

    assert len(sent) >= 5
    assert await walks(filled, sent) == {}


@on_sqlite
async def test_whom_a_batch_is_matched_with_is_sought_by_person_or_id_and_never_in_all_of_a_kind(filled):
    persons, ids = [f"{n:064d}" for n in range(TAKEN)], {str(n) for n in range(TAKEN)}

    sent = [
        *await statements_of(filled, identity_index.known_people, Kind.PATIENT, persons),
        *await statements_of(filled, identity_index.sent_for, Kind.PATIENT, persons),
        *await statements_of(filled, identity_index.already_paired, Kind.PATIENT, Side.DRCHRONO, ids),
        *await statements_of(filled, identity_index.already_paired, Kind.PATIENT, Side.SALESFORCE, ids),
    ]

    steps = [step for one in sent for step in plan_of(filled, *one).splitlines()]
    assert len(sent) == 5
    assert [step for step in steps if step.endswith(("(kind=?)", ">?)"))] == []


@on_sqlite
async def test_conflicts_are_read_in_their_order_and_never_sorted(filled):
    for sort in (Sort(), Sort(Kind.PATIENT), Sort(field="email"), Sort(state=WriteState.CONFIRMED), Sort(undo=NO_UNDO)):
        ((statement, given),) = await statements_of(filled, conflicts.listed, sort, 50, "C9")

        plan = plan_of(filled, statement, given)
        assert "TEMP B-TREE" not in plan, (sort, plan)


async def test_the_inboxs_statements_walk_through_no_table(filled):
    dialect = sqlite.dialect(paramstyle="qmark") if filled.is_sqlite else PGDialect_asyncpg()
    group = [a_delivery(str(n)) for n in range(1, TAKEN)]
    group += [a_delivery(f"003{n}", side=Side.SALESFORCE) for n in range(1, TAKEN)]

    if filled.is_sqlite:
        texts, batches = statements.statements(dialect), [(rows,) for rows in statements.parameters(group)]
    else:
        texts, batches = [statements.one_statement(dialect)], [tuple(statements.both_parameters(group))]

    assert all(all(told) for told in batches)
    assert await walks(filled, list(zip(texts, batches, strict=True))) == {}


async def of_taking(database, among):
    """Give what it costs to take 200 due records among so many."""
    await let_rest(database)
    await let_due(database, among)
    sent = await statements_of(database, work_queue.lease_batch, Kind.PATIENT)
    await given_back(database)
    return await cost(database, sent)


async def compared(database, many):
    await fill(database, 1, SOME)
    among_some = await of_taking(database, SOME)
    await fill(database, SOME + 1, many)
    among_many = await of_taking(database, many)
    print(f"taking {TAKEN} among {SOME:,}: {among_some:,}; among {many:,}: {among_many:,}")
    return among_many / among_some


@pytest.mark.long  # in each run the plans say so, of the same statements
async def test_taking_200_costs_the_same_among_a_thousand_and_fifty_thousand(database):
    assert await compared(database, 50_000) < 3


async def of_the_first_page(database):
    sent = await statements_of(database, the_first_page_of_patients)
    return await cost(database, [("BEGIN", ()), *sent] if database.is_sqlite else sent)


@pytest.mark.long  # in each run the plans say so, of the same statements
async def test_the_first_page_of_patients_costs_the_same_among_a_thousand_and_thirty_thousand(database):
    await fill(database, 1, SOME)
    among_some = await of_the_first_page(database)
    await fill(database, SOME + 1, MANY)

    assert await of_the_first_page(database) / among_some < 3


async def of_a_crowd(database, behind):
    """Give what it costs to take a crowd of a hundred, so many others being due behind it that are linked."""
    due = sa.update(tables.links).values(due_at=clock.db_now(), lane=Lane.BACKFILL.value)
    await change(database, due.where(tables.links.c.id.in_([f"L{n}" for n in range(1, behind + 1)])))
    first = sa.update(tables.links).where(tables.links.c.id.in_([f"L{n}" for n in range(1, 101)]))
    await change(database, first.values(due_at=clock.after(-DAY), salesforce_id=None))
    sent = await statements_of(database, take_a_crowd)
    await given_back(database)
    return await cost(database, sent)


async def take_a_crowd(database):
    batch = await work_queue.lease_batch(database, Kind.PATIENT, crowd=work_queue.BulkThreshold(50, 200))
    assert len(batch.due) == 100


@pytest.mark.long  # in each run the plans say so, of the same statements
async def test_a_crowd_costs_the_same_whatever_is_due_behind_it(database):
    await fill(database, 1, 20_000)
    before_some = await of_a_crowd(database, SOME)

    before_many = await of_a_crowd(database, 20_000)

    assert before_many < 3 * before_some


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_taking_200_costs_the_same_among_a_thousand_and_a_million(database):
    assert await compared(database, 1_000_000) < 3
