"""Links: which two records are one thing, what they agreed on, whether they are due, and who may work on them.

A lease lies on the link (before linking, on the lone ref) and covers what is due on both sides. It has an owner token
that every save checks, and runs out by the database's clock, so the records of a killed worker come back by themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.store.database import Database
from app.store.tables import after, db_now, deliveries, events, failures, journal, lanes, links
from app.sync.base import Base
from app.sync.records import Kind, Lane, Link, OwnWrite, Side

LEASE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Body:
    """One unfinished delivery of a record: its sealed body, and the event in it that is to be finished."""

    delivery_id: str
    position: int
    sealed: bytes | None
    version: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """One link that was due, as it stood when taken, with the deliveries read at take."""

    link: Link
    generation: int
    base_version: int
    attempts: int
    bodies: tuple[Body, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a worker took, the token that proves it, and the database's clock when it did."""

    kind: Kind
    token: str
    due: tuple[Due, ...] = ()
    now: datetime = datetime.min

    def __len__(self) -> int:
        return len(self.due)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record waits for a person."""

    side: Side
    cause: str
    fields: tuple[str, ...] = ()
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How one look at a link ended, ready to be saved.

    is_read     the deliveries read at take are used up; False keeps them for the next look
    again_at    when to look again; None clears due, unless something came in meanwhile
    """

    due: Due
    base: Base
    salesforce_id: str | None
    floor: str
    is_read: bool
    again_in: timedelta | None = None
    confirm_at: datetime | None = None
    lane: Lane = Lane.LIVE
    attempts: int = 0
    last_error: str | None = None
    failure: Failure | None = None
    settled: Mapping[str, str] = field(default_factory=dict)


def _is_free() -> sa.ColumnElement[bool]:
    paused = sa.select(lanes.c.lane).where(lanes.c.paused_at.is_not(None))
    return sa.and_(
        links.c.due_at <= db_now(),
        sa.or_(links.c.lease_until.is_(None), links.c.lease_until < db_now()),
        links.c.lane.not_in(paused),
    )


async def waiting_kinds(database: Database) -> list[Kind]:
    """Give the kinds of which something is due, unleased and not paused."""
    rows = await database.read(sa.select(links.c.kind).where(_is_free()).distinct())
    return [Kind(row.kind) for row in rows]


async def take(database: Database, kind: Kind, limit: int = 200) -> Taken:
    """Lease up to `limit` due records of a kind, the longest due first; other workers pass them over."""
    token = str(ULID())

    async def work(connection: AsyncConnection) -> Taken:
        chosen = sa.select(links.c.id).where(links.c.kind == kind.value, _is_free()).order_by(links.c.due_at)
        ids = (await connection.scalars(chosen.limit(limit).with_for_update(skip_locked=True))).all()
        if not ids:
            return Taken(kind, token)
        leased = sa.update(links).where(links.c.id.in_(ids)).values(lease_owner=token, lease_until=after(LEASE))
        rows = (await connection.execute(leased.returning(links, db_now().label("now")))).all()
        bodies = await _bodies(connection, kind, rows)
        writes = await _own_writes(connection, ids)
        failed = set((await connection.scalars(sa.select(failures.c.link_id).where(failures.c.link_id.in_(ids)))).all())
        return Taken(
            kind,
            token,
            tuple(
                Due(
                    _link(row, writes.get(row.id, ()), is_failed=row.id in failed),
                    row.generation,
                    row.base_version,
                    row.attempts,
                    tuple(bodies.get(row.drchrono_id, ())),
                )
                for row in sorted(rows, key=lambda row: (row.due_at, row.id))
            ),
            rows[0].now,
        )

    return await database.transact(work)


def _link(row: Any, writes: Sequence[OwnWrite], *, is_failed: bool) -> Link:
    return Link(
        row.id,
        Kind(row.kind),
        row.drchrono_id,
        row.salesforce_id,
        Base(row.base),
        row.floor,
        row.confirm_at,
        tuple(writes),
        is_failed,
    )


async def _bodies(connection: AsyncConnection, kind: Kind, rows: Sequence[Any]) -> dict[str, list[Body]]:
    ids = [row.drchrono_id for row in rows if row.drchrono_id]
    found = await connection.execute(
        sa.select(
            events.c.record_id,
            events.c.delivery_id,
            events.c.position,
            events.c.version,
            deliveries.c.body,
            deliveries.c.received_at,
        )
        .join(deliveries, deliveries.c.id == events.c.delivery_id)
        .where(
            events.c.side == Side.DRCHRONO.value,
            events.c.kind == kind.value,
            events.c.record_id.in_(ids),
            events.c.finished_at.is_(None),
        )
        .order_by(deliveries.c.received_at, events.c.delivery_id, events.c.position)
    )
    bodies: dict[str, list[Body]] = {}
    for row in found:
        body = Body(row.delivery_id, row.position, row.body, row.version, row.received_at)
        bodies.setdefault(row.record_id, []).append(body)
    return bodies


async def _own_writes(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[OwnWrite]]:
    """Give the unsettled writes of links we hold; a *planned* one is a dead worker's, so it may have been sent."""
    found = await connection.execute(
        sa.select(journal.c.id, journal.c.link_id, journal.c.stamps, journal.c.settle_at)
        .where(journal.c.link_id.in_(ids), journal.c.state.in_(("planned", "unknown")))
        .order_by(journal.c.id)
    )
    writes: dict[str, list[OwnWrite]] = {}
    for row in found:
        stamps = {name: (old, new) for name, (old, new) in row.stamps.items()}
        writes.setdefault(row.link_id, []).append(OwnWrite(row.id, stamps, row.settle_at))
    return writes


async def renew(connection: AsyncConnection, token: str, ids: Sequence[str] | None = None) -> set[str]:
    """Prolong a lease by its full length, and give the link ids it still covers."""
    ours = sa.update(links).where(links.c.lease_owner == token, links.c.lease_until >= db_now())
    if ids is not None:
        ours = ours.where(links.c.id.in_(ids))
    return set((await connection.scalars(ours.values(lease_until=after(LEASE)).returning(links.c.id))).all())


async def record(database: Database, token: str, results: Sequence[Result]) -> list[Result]:
    """Save how a batch ended, in one transaction, and give the results that were saved.

    A result whose lease is lost, or whose base moved on, is left out: its successor looks for itself. Exactly the
    deliveries read at take are finished; due is cleared only where nothing came in since.
    """

    async def work(connection: AsyncConnection) -> list[Result]:
        held = sa.select(links.c.id, links.c.generation, links.c.base_version).where(
            links.c.id.in_([result.due.link.id for result in results]), links.c.lease_owner == token
        )
        rows = {r.id: r for r in await connection.execute(held.order_by(links.c.id).with_for_update())}
        saved = [r for r in results if (row := rows.get(r.due.link.id)) and row.base_version == r.due.base_version]
        if saved:
            await connection.execute(_SAVE, [_row(result, rows[result.due.link.id].generation) for result in saved])
            await _finish(connection, saved)
            await _keep_failures(connection, saved)
            await _settle(connection, saved)
        return saved

    return await database.transact(work)


_SAVE = (
    sa.update(links)
    .where(links.c.id == sa.bindparam("p_id"))
    .values(
        salesforce_id=sa.bindparam("p_salesforce_id"),
        base=sa.bindparam("p_base", type_=sa.JSON),
        base_version=links.c.base_version + 1,
        floor=sa.bindparam("p_floor"),
        confirm_at=sa.bindparam("p_confirm_at"),
        lane=sa.bindparam("p_lane"),
        due_at=sa.case(
            (sa.bindparam("p_in_ms", type_=sa.BigInteger).is_(None), None),
            else_=sa.type_coerce(db_now(), sa.BigInteger) + sa.bindparam("p_in_ms", type_=sa.BigInteger),
        ),
        attempts=sa.bindparam("p_attempts"),
        last_error=sa.bindparam("p_last_error"),
        synced_at=sa.case((sa.bindparam("p_is_synced", type_=sa.Boolean), db_now()), else_=links.c.synced_at),
        lease_owner=None,
        lease_until=None,
    )
)


def _row(result: Result, generation: int) -> dict[str, Any]:
    is_news = generation != result.due.generation
    wait_ms = None if result.again_in is None else result.again_in // timedelta(milliseconds=1)
    return {
        "p_id": result.due.link.id,
        "p_salesforce_id": result.salesforce_id,
        "p_base": dict(result.base.stamps),
        "p_floor": result.floor,
        "p_confirm_at": result.confirm_at,
        "p_lane": Lane.LIVE.value if is_news else result.lane.value,
        "p_in_ms": 0 if is_news else wait_ms,
        "p_attempts": 0 if is_news else result.attempts,
        "p_last_error": result.last_error,
        "p_is_synced": result.failure is None and result.again_in is None,
    }


async def _finish(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    done = [
        {"p_delivery_id": body.delivery_id, "p_position": body.position}
        for result in saved
        if result.is_read
        for body in result.due.bodies
    ]
    if done:
        done.sort(key=lambda row: (row["p_delivery_id"], row["p_position"]))
        finished = sa.update(events).values(finished_at=db_now())
        await connection.execute(
            finished.where(
                events.c.delivery_id == sa.bindparam("p_delivery_id"), events.c.position == sa.bindparam("p_position")
            ),
            done,
        )


async def _keep_failures(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    mended = [r.due.link.id for r in saved if r.due.link.is_failed and (r.failure or r.is_read)]
    if mended:
        await connection.execute(sa.delete(failures).where(failures.c.link_id.in_(mended)))
    rows = [
        {
            "link_id": r.due.link.id,
            "side": r.failure.side.value,
            "kind": r.due.link.kind.value,
            "cause": r.failure.cause[:64],
            "fields": ",".join(r.failure.fields)[:512],
            "is_held": r.failure.is_held,
        }
        for r in saved
        if r.failure
    ]
    if rows:
        await connection.execute(sa.insert(failures).values(at=db_now()), rows)


async def _settle(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    rows = [{"p_id": key, "p_state": state} for r in saved for key, state in r.settled.items()]
    if rows:
        settled = sa.update(journal).where(journal.c.id == sa.bindparam("p_id"))
        await connection.execute(settled.values(state=sa.bindparam("p_state"), answered_at=db_now()), rows)
