"""What waits, what failed and what was written, as numbers; every query rests on an index of what is due or open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import audit
from app.store.audit import Act
from app.store.database import Database
from app.store.inbox import LISTED
from app.store.states import State
from app.store.tables import after, db_now, deliveries, events, failures, journal, lanes, links
from app.sync.records import Lane, Side
from app.sync.retry import DRCHRONO_LACKS

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
        links.c.last_error.in_(DRCHRONO_LACKS),
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
        .where(journal.c.state == State.CONFIRMED.value, journal.c.answered_at >= since)
    )
    return int(rows[0][0])


async def failure_groups(database: Database, these: sa.ColumnElement[bool] | None = None) -> list[sa.Row[Any]]:
    """Give failures, or these of them, grouped by side, kind, cause and fields, the largest group first."""
    group = (failures.c.side, failures.c.kind, failures.c.cause, failures.c.fields, failures.c.is_held)
    return await database.read(
        sa.select(*group, sa.func.count().label("records"), sa.func.min(failures.c.link_id).label("sample"))
        .where(sa.true() if these is None else these)
        .group_by(*group)
        .order_by(sa.desc("records"), failures.c.cause)
    )


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


async def lane_states(database: Database) -> list[dict[str, Any]]:
    """Give every lane, most urgent first, whether it is paused and why."""
    paused = {row.lane: row for row in await database.read(sa.select(lanes).where(lanes.c.paused_at.is_not(None)))}
    return [
        {
            "lane": lane.value,
            "paused": lane.value in paused,
            "reason": paused[lane.value].reason if lane.value in paused else None,
            "since": paused[lane.value].paused_at.isoformat() if lane.value in paused else None,
        }
        for lane in Lane
    ]


async def is_paused(database: Database, lane: Lane) -> bool:
    """Say whether a lane is paused."""
    paused = sa.select(lanes.c.lane).where(lanes.c.lane == lane.value, lanes.c.paused_at.is_not(None))
    return bool(await database.read(paused))


async def set_paused(database: Database, names: list[Lane], reason: str | None, act: Act | None = None) -> None:
    """Pause lanes with a reason, or resume them with None, noting the act. A paused lane's work stays in it."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(lanes).where(lanes.c.lane.in_([name.value for name in names])))
        if reason is not None:
            await connection.execute(
                sa.insert(lanes).values(paused_at=db_now()),
                [{"lane": name.value, "reason": reason[:200]} for name in names],
            )
        if act is not None:
            await audit.note(connection, act)

    await database.transact(work)
