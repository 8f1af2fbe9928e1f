"""The work queue: links that are due, leased in batches, with the deliveries and unsettled writes that belong to them.

A lease is on the link and lasts until a moment of the database's clock; its token is checked on every save.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.errors import SyncError
from app.ports import LISTED
from app.store import clock_skew, fence, pending_writes, resolutions
from app.store.clock import Moment, after, db_now
from app.store.database import Database, among
from app.store.lanes import kinds_and_lanes
from app.store.links import IS_FAILED, OF_FAILURE, link_of
from app.store.resolutions import Resolution
from app.store.tables import deliveries, events, lanes, links, matches
from app.sync.card_requests import parse
from app.sync.model import BULKY, Base, CardRequest, Kind, Lane, Link, Side


@dataclass(frozen=True, slots=True)
class DeliveredBody:
    """One unfinished delivery of a record: its sealed body, and the event in it that is to be finished.

    is_listed  it is a row of a list that DrChrono answered with, not what somebody delivered
    """

    delivery_id: str
    position: int
    sealed: str | None
    version: str
    received_at: datetime
    is_listed: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """One link that was due, as it stood when taken, with the deliveries read at take.

    bodies   what DrChrono delivered
    notices  what Salesforce only pointed at: (delivery id, position) of each
    decided  what people decided of it, and nobody has carried out yet
    requests what people asked for on its card in Salesforce, in the order in which that came
    unread   why the database does not give it back; of its link no more than the id is known then
    """

    link: Link
    generation: int
    base_version: int
    attempts: int
    lane: Lane = Lane.LIVE
    bodies: tuple[DeliveredBody, ...] = ()
    notices: tuple[tuple[str, int], ...] = ()
    decided: tuple[Resolution, ...] = ()
    requests: tuple[CardRequest, ...] = ()
    unread: SyncError | None = None


@dataclass(frozen=True, slots=True)
class LeasedBatch:
    """What a worker took, of which lane, the token that proves it, and the database's clock when it did."""

    kind: Kind
    lane: Lane
    token: str
    now: datetime
    due: tuple[Due, ...]


async def due_of(connection: AsyncConnection, kind: Kind, rows: Sequence[Any]) -> tuple[Due, ...]:
    """Give the links of rows as they stand, the longest due first, with what has come in for them and is unfinished."""
    bodies = await _bodies_of(connection, kind, rows)
    notices = await _notices_of(connection, kind, rows)
    lone = [row.id for row in rows if row.drchrono_id is None]
    writes = await pending_writes.of_links(connection, [row.id for row in rows], lone)
    decided = await resolutions.open_of(connection, [row.id for row in rows])
    return tuple(
        Due(
            link_of(row, writes.get(row.id, pending_writes.NONE)),
            row.generation,
            row.base_version,
            row.attempts,
            Lane(row.lane),
            tuple(bodies.get(row.drchrono_id, ())),
            tuple((one.delivery_id, one.position) for one in notices.get(row.salesforce_id, ())),
            tuple(decided.get(row.id, ())),
            tuple(parse(one.request) for one in notices.get(row.salesforce_id, ()) if one.request),
        )
        for row in sorted(rows, key=lambda row: (row.due_at, row.id))
    )


def _unfinished(side: Side) -> sa.ColumnElement[bool]:
    is_theirs = (events.c.kind == sa.bindparam("p_kind"), events.c.record_id.in_(among("p_ids")))
    return sa.and_(events.c.side == side.value, *is_theirs, events.c.finished_at.is_(None))


_BODIES = (
    sa.select(
        events.c.record_id,
        events.c.delivery_id,
        events.c.position,
        events.c.version,
        deliveries.c.event,
        deliveries.c.body,
        deliveries.c.received_at,
    )
    .join(deliveries, deliveries.c.id == events.c.delivery_id)
    .where(_unfinished(Side.DRCHRONO))
    .order_by(deliveries.c.received_at, events.c.delivery_id, events.c.position)
)


async def _bodies_of(connection: AsyncConnection, kind: Kind, rows: Sequence[Any]) -> dict[str, list[DeliveredBody]]:
    bodies: dict[str, list[DeliveredBody]] = {}
    ids = [row.drchrono_id for row in rows if row.drchrono_id]
    for row in await connection.execute(_BODIES, {"p_kind": kind.value, "p_ids": ids}) if ids else ():
        is_listed = row.event == LISTED
        body = DeliveredBody(row.delivery_id, row.position, row.body, row.version, row.received_at, is_listed)
        bodies.setdefault(row.record_id, []).append(body)
    return bodies


_NOTICES = (
    sa.select(events.c.record_id, events.c.delivery_id, events.c.position, events.c.request)
    .where(_unfinished(Side.SALESFORCE))
    .order_by(events.c.delivery_id, events.c.position)
)


async def _notices_of(connection: AsyncConnection, kind: Kind, rows: Sequence[Any]) -> dict[str, list[Any]]:
    notices: dict[str, list[Any]] = {}
    ids = [row.salesforce_id for row in rows if row.salesforce_id]
    for row in await connection.execute(_NOTICES, {"p_kind": kind.value, "p_ids": ids}) if ids else ():
        notices.setdefault(row.record_id, []).append(row)
    return notices


def _is_free() -> sa.ColumnElement[bool]:
    paused = sa.select(lanes.c.lane).where(lanes.c.paused_at.is_not(None))
    return sa.and_(
        links.c.due_at <= db_now(),
        sa.or_(links.c.lease_until.is_(None), links.c.lease_until < db_now()),
        links.c.lane.not_in(paused),
    )


async def waiting(database: Database) -> list[tuple[Kind, Lane]]:
    """Give the kinds and lanes of which something is due, unleased and not paused, the most urgent first.

    There are none where another installation acts.
    """
    rows = await database.read(_WAITING, fence.ours(database))
    found = {(row.kind, row.lane) for row in rows}
    return [(kind, lane) for lane in Lane for kind in Kind if (kind.value, lane.value) in found]


def _waiting() -> sa.Select[Any]:
    """Ask kind by kind and lane by lane: each is one seek, however much is due."""
    each = kinds_and_lanes()
    is_there = sa.exists().where(links.c.kind == each.c.kind, links.c.lane == each.c.lane, _is_free())
    return sa.select(each.c.kind, each.c.lane).where(fence.is_ours_now(), is_there)


_WAITING = _waiting()
_NEXT_DUE = sa.select(
    (sa.type_coerce(sa.func.min(links.c.due_at), sa.BigInteger) - sa.type_coerce(db_now(), sa.BigInteger)).label("ms")
).where(links.c.due_at > db_now())


async def next_due_in_s(database: Database) -> float | None:
    """Give in how many seconds the next record falls due that is not due yet; None when none will."""
    rows = await database.read(_NEXT_DUE)
    return None if rows[0].ms is None else float(rows[0].ms) / 1000


@dataclass(frozen=True, slots=True)
class BulkThreshold:
    """So many that it pays to take more at once: where Salesforce lacks more than `above` of the `most` longest due."""

    above: int
    most: int


_LONGEST_DUE = (
    sa.select(links.c.id)
    .where(links.c.kind == sa.bindparam("p_kind"), links.c.lane == sa.bindparam("p_lane"), _is_free())
    .order_by(links.c.due_at)
    .limit(sa.bindparam("p_limit", type_=sa.Integer))
)
_IS_LACKING = sa.and_(links.c.salesforce_id.is_(None), links.c.drchrono_id.is_not(None)).label("is_lacking")
_CROWD = _LONGEST_DUE.add_columns(_IS_LACKING)
_counted = _CROWD.subquery()
_HOW_MANY_LACK = sa.select(sa.func.count()).select_from(_counted).where(_counted.c.is_lacking)
_CHOSEN, _CROWD_CHOSEN = (first.with_for_update(skip_locked=True) for first in (_LONGEST_DUE, _CROWD))
_NOW = db_now().label("now")
_NUMBERS = (links.c.id, links.c.lane, links.c.due_at, links.c.generation, links.c.base_version, links.c.attempts)
_taken = sa.update(links).values(lease_owner=sa.bindparam("p_token"), lease_until=after("p_lease"))
_LEASED = _taken.where(links.c.id.in_(among("p_ids"))).returning(links, _NOW, *OF_FAILURE)
_LEASED_UNREAD = _taken.where(links.c.id.in_(among("p_ids"))).returning(*_NUMBERS, _NOW, IS_FAILED)


async def _bulk(connection: AsyncConnection, here: Mapping[str, str], crowd: BulkThreshold) -> Sequence[str]:
    """Lock and give those of the longest due that Salesforce lacks; none where they are too few for a crowd.

    No more than `crowd.most` are gone through, however many are due behind them.
    """
    first = {**here, "p_limit": crowd.most}
    if (await connection.scalar(_HOW_MANY_LACK, first) or 0) <= crowd.above:
        return ()
    return [row.id for row in await connection.execute(_CROWD_CHOSEN, first) if row.is_lacking]


async def lease_batch(
    database: Database,
    kind: Kind,
    lanes: Sequence[Lane] = tuple(Lane),
    limit: int = 200,
    crowd: BulkThreshold | None = None,
) -> LeasedBatch | None:
    """Lease up to `limit` due records of a kind, the longest due first, and give them; None when nothing is due.

    All are of one lane: the first of these in which something is due. Other workers pass over what is leased; an
    installation that may not act is given none.

    crowd  how many more are taken of the least urgent lanes, when so many wait there to be created in Salesforce

    Raises  StoreUnavailable, and any error that one of the rows cannot be read for; then nothing is leased
    """

    async def read(connection: AsyncConnection, rows: Sequence[Any]) -> tuple[Due, ...]:
        return await due_of(connection, kind, rows)

    return await _lease(database, _Wanted(kind, lanes, limit, crowd), _LEASED, read)


async def lease_unread(
    database: Database, kind: Kind, lanes: Sequence[Lane] = tuple(Lane), limit: int = 200
) -> LeasedBatch | None:
    """Lease as `lease_batch` does, and give no more of each record than its id and its numbers: none can fail of those.

    `read_leased` gives the rest.
    """

    async def number(_connection: AsyncConnection, rows: Sequence[Any]) -> tuple[Due, ...]:
        return tuple(
            Due(
                Link(row.id, kind, None, None, Base(), is_failed=bool(row.is_failed)),
                row.generation,
                row.base_version,
                row.attempts,
                Lane(row.lane),
            )
            for row in sorted(rows, key=lambda row: (row.due_at, row.id))
        )

    return await _lease(database, _Wanted(kind, lanes, limit), _LEASED_UNREAD, number)


async def read_leased(database: Database, leased: LeasedBatch, ids: Sequence[str]) -> dict[str, Due]:
    """Give link id -> the record as it stands, of those that are leased still.

    Raises  StoreUnavailable, and any error that one of the rows cannot be read for
    """

    async def work(connection: AsyncConnection) -> dict[str, Due]:
        theirs = sa.select(links, *OF_FAILURE).where(links.c.id.in_(ids), links.c.lease_owner == leased.token)
        rows = (await connection.execute(theirs)).all()
        return {due.link.id: due for due in await due_of(connection, leased.kind, rows)}

    return await database.transact(work)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be leased, as `lease_batch` is asked for it."""

    kind: Kind
    lanes: Sequence[Lane]
    limit: int
    crowd: BulkThreshold | None = None


async def _lease(
    database: Database,
    wanted: _Wanted,
    leased: sa.Executable,
    read: Callable[[AsyncConnection, Sequence[Any]], Awaitable[tuple[Due, ...]]],
) -> LeasedBatch | None:
    """Lease what is wanted and give it as it is read of what the statement gives, in one transaction.

    It need not survive a power cut: nobody works under it then. But what waits anew for a clock put ahead does.
    """
    token, is_ahead = str(ULID()), bool(database.pace.ahead(database.pace.read(datetime.now(UTC))))

    async def work(connection: AsyncConnection) -> tuple[LeasedBatch, Moment] | None:
        if (chosen := await _choose(connection, database, wanted)) is None:
            return None
        lane, ids = chosen
        ours = {"p_ids": ids, "p_token": token, "p_lease": database.timings.lease}
        rows = (await connection.execute(leased, ours)).all()
        moment = await clock_skew.extend_pending_writes(connection, database.pace, rows[0].now)
        return LeasedBatch(wanted.kind, lane, token, rows[0].now, await read(connection, rows)), moment

    if (found := await database.transact(work, is_durable=is_ahead)) is None:
        return None
    taken, moment = found
    database.pace.note(moment)
    return taken


async def _choose(
    connection: AsyncConnection, database: Database, wanted: _Wanted
) -> tuple[Lane, Sequence[str]] | None:
    """Lock what is to be leased, and give of which lane it is, and the link ids; None where nothing is."""
    if not await fence.is_held(connection, database):
        return None
    for lane in wanted.lanes:
        here = {"p_kind": wanted.kind.value, "p_lane": lane.value}
        if wanted.crowd and lane in BULKY and (ids := await _bulk(connection, here, wanted.crowd)):
            return lane, ids
        if ids := (await connection.scalars(_CHOSEN, {**here, "p_limit": wanted.limit})).all():
            return lane, ids
    return None


async def renew_lease(database: Database, token: str) -> bool:
    """Prolong a lease by its full length, and say whether it still covers anything.

    Raises  StoreUnavailable
    """

    async def work(connection: AsyncConnection) -> bool:
        return bool(await renew(connection, database, token))

    return await database.transact(work)


_is_held = (links.c.lease_owner == sa.bindparam("p_token"), links.c.lease_until >= db_now())
_RENEWED = sa.update(links).where(*_is_held).values(lease_until=after("p_lease")).returning(links.c.id)
_RENEWED_SOME = _RENEWED.where(links.c.id.in_(among("p_ids")))
_MATCH_RENEWED = sa.update(matches).where(matches.c.owner == sa.bindparam("p_token")).values(until=after("p_lease"))


async def renew(
    connection: AsyncConnection, database: Database, token: str, ids: Sequence[str] | None = None
) -> set[str]:
    """Prolong a lease by its full length, and give the link ids it still covers; none where another installation acts.

    Whoever may be matched under it is held as long: so a lease that still covers a link covers its match.
    """
    if not await fence.is_held(connection, database):
        return set()
    ours = {"p_token": token, "p_lease": database.timings.lease}
    some = (_RENEWED, ours) if ids is None else (_RENEWED_SOME, {**ours, "p_ids": ids})
    kept = set((await connection.scalars(*some)).all())
    await connection.execute(_MATCH_RENEWED, ours)
    return kept
