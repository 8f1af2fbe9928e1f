"""Activity: what was received, applied and failed, in slots of five minutes, and how long it took to apply it.

A slot that is over is summed up once, from the rows that tell of each delivery, write and failure, so that a chart of a
week does not go through a million of them; what is not summed up yet is counted from those rows as it stands. How long
deliveries took the workers count as they record it, in the buckets of the metric: no row tells it afterwards.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import LISTED
from app.store import schedules
from app.store.clock import db_now, instant, millis
from app.store.database import Database, DialectInsert, Insert, insert_into
from app.store.record_history import Happened
from app.store.tables import activity, deliveries, journal, links, record_history
from app.sync.model import Side, WriteState

SLOT = timedelta(minutes=5)
KEPT_FOR = timedelta(days=35)
_SLOT_MS = SLOT // timedelta(milliseconds=1)
_SETTLED = timedelta(minutes=2)  # what was stamped in a slot is committed so long after its end
_PART = timedelta(hours=2)  # so much is summed up in one transaction
_WATERMARK = "activity"


class Measure(StrEnum):
    """What is counted; each by a side, and by a part that differs with it."""

    RECEIVED = "received"  # by who delivered and what the delivery came to
    APPLIED = "applied"  # writes, by who has taken them
    ENDED = "ended"  # looks that ended in a failure or a hold, by whose record it is to be mended in and which it was
    LATENCY = "latency"  # deliveries that were applied, by who delivered and the bucket of how long it took


@dataclass(frozen=True, slots=True)
class ActivityCount:
    """How often something happened in a step: the step's number, what, of which side, of which part."""

    step: int
    measure: Measure
    side: Side
    part: str
    count: int


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows of which each is one of a measure, by the moment it is stamped with."""

    measure: Measure
    at: sa.Column[Any]
    side: sa.ColumnElement[str]
    part: sa.ColumnElement[str]
    there: sa.ColumnElement[bool]


_SOURCES = (
    _Source(
        Measure.RECEIVED,
        deliveries.c.received_at,
        deliveries.c.side,
        deliveries.c.outcome,
        deliveries.c.event != LISTED,
    ),
    _Source(
        Measure.APPLIED,
        journal.c.answered_at,
        journal.c.side,
        sa.literal_column("''"),
        journal.c.state == WriteState.CONFIRMED.value,
    ),
    _Source(
        Measure.ENDED,
        record_history.c.at,
        record_history.c.side,
        record_history.c.what,
        record_history.c.what.in_([Happened.FAILED.value, Happened.HELD.value]),
    ),
)


def slot_of(at: datetime) -> datetime:
    """Give the begin of the slot that an instant is in."""
    return instant(millis(at) // _SLOT_MS * _SLOT_MS / 1000)


async def counts(database: Database, since: datetime, until: datetime, step: timedelta) -> list[ActivityCount]:
    """Give what happened between two moments, by steps from the first; a step in which nothing was is not there.

    since, until, step  whole slots
    """
    mark = await schedules.watermark(database, _WATERMARK)
    summed = min(max(mark or since, since), until)
    found = await database.read(_summed(since, until, summed, step))
    if summed < until:
        rest = sa.union_all(*(_counted(source, summed, until, _steps(source.at, since, step)) for source in _SOURCES))
        found += await database.read(rest)
    by: dict[tuple[int, str, str, str], int] = {}
    for row in found:
        key = (int(row.step), row.measure, row.side, row.part)
        by[key] = by.get(key, 0) + int(row.times)
    known = {key: times for key, times in by.items() if key[1] in set(Measure) and key[2] in set(Side)}
    return [ActivityCount(at, Measure(what), Side(side), part, n) for (at, what, side, part), n in known.items()]


def _steps(at: sa.ColumnElement[Any], since: datetime, step: timedelta) -> sa.ColumnElement[int]:
    """Give the number of the step, from a moment on, that a stamp is in."""
    passed = sa.type_coerce(at, sa.BigInteger) - sa.literal(millis(since), sa.BigInteger)
    return passed // sa.literal(step // timedelta(milliseconds=1), sa.BigInteger)


def _summed(since: datetime, until: datetime, summed: datetime, step: timedelta) -> sa.Select[Any]:
    a, first, last, end = activity.c, *(millis(at) // _SLOT_MS for at in (since, until, summed))
    number = ((a.slot - first) // (step // SLOT)).label("step")
    is_there = sa.and_(a.slot >= first, a.slot < last, sa.or_(a.slot < end, a.measure == Measure.LATENCY.value))
    parts = (number, a.measure, a.side, a.part)
    return sa.select(*parts, sa.func.sum(a["count"]).label("times")).where(is_there).group_by(*parts)


def _counted(source: _Source, since: datetime, until: datetime, number: sa.ColumnElement[int]) -> sa.Select[Any]:
    """Ask what the rows themselves tell, by a number that each is given."""
    each = (
        sa.select(number.label("step"), source.side.label("side"), source.part.label("part"))
        .where(source.at >= since, source.at < until, source.there)
        .subquery()
    )
    measure = sa.literal_column(f"'{source.measure}'", sa.String).label("measure")
    asked = sa.select(each.c.step, measure, each.c.side, each.c.part, sa.func.count().label("times"))
    return asked.group_by(each.c.step, each.c.side, each.c.part)


async def sum_up(database: Database) -> int:
    """Sum up the slots that are over and were not yet; gives how many. It may be cut off, and done again, anywhere.

    Raises  StoreUnavailable
    """
    (clock,) = await database.read(sa.select(db_now().label("now")))
    end, slots = slot_of(clock.now - _SETTLED), 0
    begin = await schedules.watermark(database, _WATERMARK) or slot_of(end - KEPT_FOR)
    begin = max(begin, slot_of(end - KEPT_FOR))
    while begin < end:
        worked_since = time.monotonic()
        begin = await _next(database, begin, end)
        until = min(begin + _PART, end)

        async def work(connection: AsyncConnection, since: datetime = begin, until: datetime = until) -> None:
            for source in _SOURCES:
                await _keep(connection, source, since, until)
            await schedules.raise_in(connection, _WATERMARK, until)

        await database.transact(work)
        slots, begin = slots + (until - begin) // SLOT, until
        if begin < end:  # there is much to catch up with: others go first
            await asyncio.sleep(time.monotonic() - worked_since)
    return slots


async def _next(database: Database, since: datetime, until: datetime) -> datetime:
    """Give the first slot from a moment on in which anything happened; the end where nothing did."""
    firsts = [
        sa.select(sa.func.min(sa.type_coerce(one.at, sa.BigInteger)).label("ms")).where(one.at >= since, one.at < until)
        for one in _SOURCES
    ]
    found = [row.ms for row in await database.read(sa.union_all(*firsts)) if row.ms is not None]
    return slot_of(instant(min(found) / 1000)) if found else until


async def _keep(connection: AsyncConnection, source: _Source, since: datetime, until: datetime) -> None:
    slot = sa.type_coerce(source.at, sa.BigInteger) // _SLOT_MS
    names = ["slot", "measure", "side", "part", "count"]
    insert = insert_into(activity, connection.dialect).from_select(names, _counted(source, since, until, slot))
    again = insert.on_conflict_do_update(
        index_elements=list(activity.primary_key), set_={"count": insert.excluded["count"]}
    )
    await connection.execute(again)


def _added(insert: Insert) -> sa.Executable:
    more = {"count": activity.c["count"] + insert.excluded["count"]}
    now = {"slot": sa.type_coerce(db_now(), sa.BigInteger) // _SLOT_MS, "measure": Measure.LATENCY.value}
    return insert.values(now).on_conflict_do_update(index_elements=list(activity.primary_key), set_=more)


_ADDED = DialectInsert(activity, _added)


async def add_latency(connection: AsyncConnection, buckets: Mapping[tuple[str, str], int]) -> None:
    """Add how many deliveries took how long to the slot it is now; (side, bucket) -> how many."""
    rows = [{"side": side, "part": part, "count": count} for (side, part), count in sorted(buckets.items())]
    if rows:
        await connection.execute(_ADDED.on(connection), rows)


async def drop_old(database: Database) -> int:
    """Let go of the slots that are older than charts go; gives how many rows."""

    async def work(connection: AsyncConnection) -> int:
        oldest = (sa.type_coerce(db_now(), sa.BigInteger) - KEPT_FOR // timedelta(milliseconds=1)) // _SLOT_MS
        return (await connection.execute(sa.delete(activity).where(activity.c.slot < oldest))).rowcount

    return await database.transact(work)


async def latest_writes(database: Database, limit: int) -> list[sa.Row[Any]]:
    """Give the writes that a side has taken last, newest first, with their records' ids."""
    j = journal.c
    newest = sa.select(j.id, j.answered_at.label("at"), j.link_id, j.side, j.call)
    newest = newest.where(j.answered_at.is_not(None), j.state == WriteState.CONFIRMED.value)
    return await _with_ids(database, newest.order_by(j.answered_at.desc()).limit(limit))


async def latest_failures(database: Database, limit: int) -> list[sa.Row[Any]]:
    """Give the failures and holds that began last, newest first, with their records' ids."""
    h = record_history.c
    newest = sa.select(h.id, h.at, h.link_id, h.what, h.cause).where(_SOURCES[-1].there)
    return await _with_ids(database, newest.order_by(h.at.desc(), h.id.desc()).limit(limit))


async def _with_ids(database: Database, newest: sa.Select[Any]) -> list[sa.Row[Any]]:
    """Give rows that name a link with its kind and ids; those of one that is gone are left out."""
    found = newest.subquery()
    asked = sa.select(found, links.c.kind, links.c.drchrono_id, links.c.salesforce_id)
    asked = asked.join(links, links.c.id == found.c.link_id)
    return await database.read(asked.order_by(found.c.at.desc(), found.c.id.desc()))
