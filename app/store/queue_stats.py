"""What waits, what failed and what was written, as numbers; every query rests on an index of what is due or open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.ports import LISTED
from app.store.clock import Instant, after, db_now
from app.store.database import Database
from app.store.failures import Group, group_of
from app.store.lanes import kinds_and_lanes, lane_states
from app.store.tables import deliveries, events, failures, journal, links
from app.sync.failure_causes import DRCHRONO_QUOTA_CAUSES
from app.sync.model import Kind, Lane, Side, WriteState

_RECENT_S = 60


@dataclass(frozen=True, slots=True)
class DueCount:
    """How much of one kind is due in one lane, which way it goes, and for how long the oldest of it has been due.

    direction  to_drchrono where only Salesforce has told of it, else to_salesforce
    """

    kind: str
    lane: str
    direction: str
    count: int
    oldest_s: float


def _age_s(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return (sa.type_coerce(db_now(), sa.BigInteger) - sa.type_coerce(column, sa.BigInteger)) / 1000.0


async def due_counts(database: Database) -> list[DueCount]:
    """Give what is due now or later, by kind, lane and direction; the age counts from when it became due."""
    is_back = sa.and_(_is_told_by(Side.SALESFORCE), sa.not_(_is_told_by(Side.DRCHRONO)))
    direction = sa.case((is_back, "to_drchrono"), else_="to_salesforce").label("direction")
    due = sa.select(links.c.kind, links.c.lane, links.c.due_at, direction).where(links.c.due_at.is_not(None)).subquery()
    rows = await database.read(
        sa.select(
            due.c.kind,
            due.c.lane,
            due.c.direction,
            sa.func.count().label("records"),
            sa.func.max(_age_s(due.c.due_at)).label("age"),
        ).group_by(due.c.kind, due.c.lane, due.c.direction)
    )
    return [DueCount(row.kind, row.lane, row.direction, row.records, max(float(row.age), 0.0)) for row in rows]


async def waiting_for_drchrono(database: Database) -> dict[Lane, int]:
    """Give how many records wait for a call of DrChrono's, by lane: each of them for one at least.

    These are what only Salesforce has told of, what DrChrono is to be asked about, and what had no call left. Pages of
    lists that a compare has yet to read are no records, and not among them.
    """
    needs = (
        sa.and_(_is_told_by(Side.SALESFORCE), sa.not_(_is_told_by(Side.DRCHRONO))),
        links.c.confirm_at.is_not(None),
        links.c.last_error.in_(DRCHRONO_QUOTA_CAUSES),
    )
    due = sa.select(links.c.lane, sa.func.count().label("records")).where(links.c.due_at.is_not(None), sa.or_(*needs))
    return {Lane(row.lane): row.records for row in await database.read(due.group_by(links.c.lane))}


def _is_told_by(side: Side) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        events.c.side == side.value,
        events.c.kind == links.c.kind,
        events.c.record_id == links.c[f"{side}_id"],
        events.c.finished_at.is_(None),
    )


async def synced_per_minute(database: Database) -> int:
    """Give how many outward writes were confirmed in the last minute."""
    # asked for once, in a statement of its own: for each row anew, PostgreSQL could not use the index
    since = sa.select(after(-timedelta(seconds=_RECENT_S))).scalar_subquery()
    rows = await database.read(
        sa.select(sa.func.count())
        .select_from(journal)
        .where(journal.c.state == WriteState.CONFIRMED.value, journal.c.answered_at >= since)
    )
    return int(rows[0][0])


_PARTS = (failures.c.side, failures.c.kind, failures.c.cause, failures.c.fields, failures.c.is_held)


async def failure_groups(database: Database, group: Group | None = None) -> list[sa.Row[Any]]:
    """Give failures, or those of a group, grouped by side, kind, cause and fields, the largest group first."""
    return await database.read(
        sa.select(*_PARTS, sa.func.count().label("records"), sa.func.min(failures.c.link_id).label("sample"))
        .where(group_of(group or Group()))
        .group_by(*_PARTS)
        .order_by(sa.desc("records"), failures.c.cause)
    )


async def retrying_groups(database: Database, group: Group | None = None) -> dict[tuple[Any, ...], int]:
    """Give how many records of each such group are due again: side, kind, cause, fields and whether held -> number."""
    due = sa.select(*_PARTS, sa.func.count().label("records")).join(links, links.c.id == failures.c.link_id)
    rows = await database.read(due.where(links.c.due_at.is_not(None), group_of(group or Group())).group_by(*_PARTS))
    return {tuple(row[:-1]): row.records for row in rows}


async def refs_of(database: Database, link_ids: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
    """Give link id -> the record's id in DrChrono and in Salesforce, as far as known."""
    asked = sa.select(links.c.id, links.c.drchrono_id, links.c.salesforce_id).where(links.c.id.in_(link_ids))
    return {row.id: (row.drchrono_id, row.salesforce_id) for row in await database.read(asked)} if link_ids else {}


async def journal_counts(database: Database) -> list[sa.Row[Any]]:
    """Give the writes that are not settled, by side and state."""
    return await database.read(
        sa.select(journal.c.side, journal.c.state, sa.func.count().label("writes"))
        .where(journal.c.state.in_([sa.literal_column("'planned'"), sa.literal_column("'unknown'")]))
        .group_by(journal.c.side, journal.c.state)
    )


async def latest_deliveries(database: Database) -> dict[tuple[str, str], str]:
    """Give (side, kind) -> the id of the newest delivery a vendor made of it; ids begin with their time."""
    kinds = (events.c.side, events.c.kind)
    newest = sa.select(*kinds, sa.func.max(events.c.delivery_id).label("id")).group_by(*kinds)
    by_vendors = newest.join(deliveries, deliveries.c.id == events.c.delivery_id).where(deliveries.c.event != LISTED)
    rows = await database.read(by_vendors)
    return {(row.side, row.kind): row.id for row in rows}


async def leased_count(database: Database) -> dict[str, int]:
    """Give kind -> how many records are worked on now; a lease lies on what is due."""
    is_leased = (links.c.due_at.is_not(None), links.c.lease_until > db_now())
    counted = sa.select(links.c.kind, sa.func.count().label("records")).where(*is_leased)
    return {row.kind: row.records for row in await database.read(counted.group_by(links.c.kind))}


async def failed_counts(database: Database) -> list[sa.Row[Any]]:
    """Give how many records wait for a person, by side, kind, cause and whether they are held."""
    group = (failures.c.side, failures.c.kind, failures.c.cause, failures.c.is_held)
    counted = sa.select(*group, sa.func.count().label("records")).where(failures.c.dismissed_at.is_(None))
    return await database.read(counted.group_by(*group))


async def dismissed_counts(database: Database) -> dict[str, int]:
    """Give kind -> how many records failed or were held, and were dismissed."""
    counted = sa.select(failures.c.kind, sa.func.count().label("records")).where(failures.c.dismissed_at.is_not(None))
    return {row.kind: row.records for row in await database.read(counted.group_by(failures.c.kind))}


async def excluded_counts(database: Database) -> dict[str, int]:
    """Give kind -> how many records the mapping leaves out of the set that is synced."""
    counted = sa.select(links.c.kind, sa.func.count().label("records")).where(links.c.excluded_by.is_not(None))
    return {row.kind: row.records for row in await database.read(counted.group_by(links.c.kind))}


def _oldest_due() -> sa.Select[Any]:
    """Ask kind by kind and lane by lane: each is one seek, however much is due."""
    each = kinds_and_lanes()
    there = (links.c.kind == each.c.kind, links.c.lane == each.c.lane, links.c.due_at.is_not(None))
    first = sa.select(sa.func.min(sa.type_coerce(links.c.due_at, sa.BigInteger))).where(*there).scalar_subquery()
    return sa.select(each.c.lane, (sa.type_coerce(db_now(), sa.BigInteger) - first).label("age_ms"))


_OLDEST_DUE = _oldest_due()


async def oldest_due_s(database: Database) -> dict[Lane, float]:
    """Give lane -> how long its longest due record has been due; 0 where none is due by now."""
    oldest = dict.fromkeys(Lane, 0.0)
    for row in await database.read(_OLDEST_DUE):
        lane = Lane(row.lane)
        oldest[lane] = max(oldest[lane], float(row.age_ms or 0) / 1000)
    return oldest


@dataclass(frozen=True, slots=True)
class CallCounts:
    """How often a side delivered, and when last."""

    times: int
    last_at: datetime


async def received_since(database: Database, since: datetime) -> Mapping[Side, CallCounts]:
    """Give side -> what it delivered since then; a side that did not is not there."""
    d = deliveries.c
    rows = await database.read(
        sa.select(d.side, sa.func.count().label("times"), sa.func.max(d.received_at, type_=Instant).label("last_at"))
        .where(d.received_at >= since, d.event != LISTED)
        .group_by(d.side)
    )
    return {Side(row.side): CallCounts(row.times, row.last_at) for row in rows}


@dataclass(frozen=True, slots=True)
class LeftOfComparison:
    """What is due in a lane: how many records, in how many seconds the next falls due (0: now), why it is paused."""

    records: int
    next_in_s: float | None
    is_paused: str = ""


async def left_of_comparison(database: Database, lane: Lane, kinds: Sequence[Kind]) -> LeftOfComparison:
    """Give what is due of these kinds in a lane, now or later."""
    ahead = sa.type_coerce(sa.func.min(links.c.due_at), sa.BigInteger) - sa.type_coerce(db_now(), sa.BigInteger)
    is_here = (
        links.c.kind.in_([kind.value for kind in kinds]),
        links.c.lane == lane.value,
        links.c.due_at.is_not(None),
    )
    (row,) = await database.read(sa.select(sa.func.count().label("records"), ahead.label("ms")).where(*is_here))
    reasons = [one.reason or "" for one in await lane_states(database) if one.is_paused and one.lane is lane]
    return LeftOfComparison(row.records, None if row.ms is None else max(float(row.ms) / 1000, 0.0), "".join(reasons))


@dataclass(frozen=True, slots=True)
class LeftToPeople:
    """Failures of one cause: how many records, and whether they are held."""

    cause: str
    is_held: bool
    records: int


async def left_to_people(database: Database, kind: Kind, since: datetime) -> list[LeftToPeople]:
    """Give the failures of a kind since a moment by cause, the largest group first."""
    group = (failures.c.cause, failures.c.is_held)
    asked = sa.select(*group, sa.func.count().label("records")).where(
        failures.c.kind == kind.value, failures.c.at >= since, failures.c.dismissed_at.is_(None)
    )
    rows = await database.read(asked.group_by(*group).order_by(sa.desc("records"), failures.c.cause))
    return [LeftToPeople(row.cause, row.is_held, row.records) for row in rows]
