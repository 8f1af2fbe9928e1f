"""Links: which two records are one thing, what they agreed on, whether they are due, and who may work on them.

A lease lies on the link (before linking, on the lone ref) and covers what is due on both sides. It has an owner token
that every save checks, and runs out by the database's clock, so the records of a killed worker come back by themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.store import put_ahead
from app.store.database import Database, insert_into
from app.store.due import Taken, due_of
from app.store.pace import Moment
from app.store.tables import after, db_now, failures, lanes, links, matches
from app.sync.base import Base
from app.sync.records import Kind, Lane, Link, Side
from app.sync.retry import paused_by

LEASE = timedelta(seconds=20)
BULKY = frozenset({Lane.COMPARE, Lane.BACKFILL})  # lanes whose writes may go by a job of the vendor's
_MOST_IDS = 500


def _is_free() -> sa.ColumnElement[bool]:
    paused = sa.select(lanes.c.lane).where(lanes.c.paused_at.is_not(None))
    return sa.and_(
        links.c.due_at <= db_now(),
        sa.or_(links.c.lease_until.is_(None), links.c.lease_until < db_now()),
        links.c.lane.not_in(paused),
    )


async def waiting(database: Database) -> list[tuple[Kind, Lane]]:
    """Give the kinds and lanes of which something is due, unleased and not paused, the most urgent first."""
    rows = await database.read(_WAITING)
    found = {(row.kind, row.lane) for row in rows}
    return [(kind, lane) for lane in Lane for kind in Kind if (kind.value, lane.value) in found]


def _waiting() -> sa.Select[Any]:
    """Ask kind by kind and lane by lane: each is one seek, however much is due."""
    pairs = [
        sa.select(sa.literal(kind.value).label("kind"), sa.literal(lane.value).label("lane"))
        for kind in Kind
        for lane in Lane
    ]
    each = sa.union_all(*pairs).subquery("each")
    is_there = sa.exists().where(links.c.kind == each.c.kind, links.c.lane == each.c.lane, _is_free())
    return sa.select(each.c.kind, each.c.lane).where(is_there)


_WAITING = _waiting()


async def hurry(database: Database, side: Side) -> None:
    """Make due now what waits because a side's credential was refused."""

    async def work(connection: AsyncConnection) -> None:
        waiting = sa.and_(links.c.due_at > db_now(), links.c.last_error == paused_by(side))
        await connection.execute(sa.update(links).where(waiting).values(due_at=db_now()))

    await database.transact(work)


def more_urgent(lane: Lane) -> sa.ColumnElement[str]:
    """Give the lane of a link that falls due in one: what was due already in a more urgent one stays in it."""
    urgent = [one.value for one in Lane if list(Lane).index(one) < list(Lane).index(lane)]
    stays = sa.and_(links.c.due_at.is_not(None), links.c.lane.in_(urgent))
    return sa.case((stays, links.c.lane), else_=sa.literal(lane.value))


def due_again(lane: Lane) -> dict[str, Any]:
    """Give what is set of a link that falls due in a lane: something has come in for it."""
    due_at = sa.case((links.c.due_at <= db_now(), links.c.due_at), else_=db_now())
    return {"due_at": due_at, "lane": more_urgent(lane), "generation": links.c.generation + 1, "attempts": 0}


async def point_out(
    connection: AsyncConnection, kind: Kind, side: Side, ids: Sequence[str], lane: Lane = Lane.LIVE
) -> int:
    """Make links due by their records' ids, and give how many; those nobody has heard of are left alone."""
    count = 0
    column = links.c[f"{side}_id"]
    for at in range(0, len(ids), _MOST_IDS):
        theirs = sa.and_(links.c.kind == kind.value, column.in_(ids[at : at + _MOST_IDS]))
        count += (await connection.execute(sa.update(links).where(theirs).values(due_again(lane)))).rowcount
    return count


async def due(connection: AsyncConnection, link_id: str, lane: Lane) -> None:
    """Make a link due: what somebody decided of it is to be carried out."""
    await connection.execute(sa.update(links).where(links.c.id == link_id).values(due_again(lane)))


async def look_again(connection: AsyncConnection, link_id: str, lane: Lane) -> None:
    """Make a link due, with nothing believed: DrChrono is asked what it holds, where it has the record."""
    is_known = sa.case((links.c.drchrono_id.is_not(None), db_now()), else_=links.c.confirm_at)
    again = sa.update(links).where(links.c.id == link_id).values({**due_again(lane), "confirm_at": is_known})
    await connection.execute(again)


async def note(connection: AsyncConnection, kind: Kind, ids: Sequence[str], lane: Lane = Lane.LIVE) -> int:
    """Make lone refs, due at once, of Salesforce records nobody has heard of; gives how many."""
    insert = insert_into(links, connection.dialect)
    rows = [{"id": str(ULID()), "kind": kind.value, "salesforce_id": id_, "lane": lane.value} for id_ in sorted(ids)]
    lone, count = insert.on_conflict_do_nothing().returning(links.c.id), 0
    for at in range(0, len(rows), _MOST_IDS):
        made = await connection.execute(lone.values([{**row, "due_at": db_now()} for row in rows[at : at + _MOST_IDS]]))
        count += len(made.all())
    return count


async def agreed(database: Database, kind: Kind, ids: Sequence[str], side: Side = Side.DRCHRONO) -> dict[str, Link]:
    """Give, of a side's records by id, the links of those that are linked and have no failure."""
    found: dict[str, Link] = {}
    column = links.c[f"{side}_id"]
    for at in range(0, len(ids), _MOST_IDS):
        theirs = sa.and_(links.c.kind == kind.value, column.in_(ids[at : at + _MOST_IDS]))
        is_failed = sa.exists().where(failures.c.link_id == links.c.id)
        is_well = sa.and_(links.c[f"{side.other}_id"].is_not(None), sa.not_(is_failed))
        asked = sa.select(links.c.id, links.c.drchrono_id, links.c.salesforce_id, links.c.base, column.label("own_id"))
        for row in await database.read(asked.where(theirs, is_well)):
            found[row.own_id] = Link(row.id, kind, row.drchrono_id, row.salesforce_id, Base(row.base))
    return found


async def in_hand(database: Database, kind: Kind, ids: Sequence[str], side: Side) -> set[str]:
    """Give, of a side's records by id, those that are due, have a failure, or were heard of and are in no pair."""
    found: set[str] = set()
    column = links.c[f"{side}_id"]
    is_failed = sa.exists().where(failures.c.link_id == links.c.id)
    is_known = sa.or_(links.c.due_at.is_not(None), links.c[f"{side.other}_id"].is_(None), is_failed)
    for at in range(0, len(ids), _MOST_IDS):
        theirs = sa.and_(links.c.kind == kind.value, column.in_(ids[at : at + _MOST_IDS]))
        found |= {row.id for row in await database.read(sa.select(column.label("id")).where(theirs, is_known))}
    return found


async def linked(database: Database, kind: Kind) -> int:
    """Give how many records of a kind are linked."""
    is_linked = sa.and_(links.c.drchrono_id.is_not(None), links.c.salesforce_id.is_not(None))
    asked = sa.select(sa.func.count()).select_from(links).where(links.c.kind == kind.value, is_linked)
    return int((await database.read(asked))[0][0])


async def latest_bases(database: Database, limit: int) -> list[Base]:
    """Give the bases of the youngest links."""
    rows = await database.read(sa.select(links.c.base).order_by(links.c.id.desc()).limit(limit))
    return [Base(row.base) for row in rows]


async def next_due_in_s(database: Database) -> float | None:
    """Give in how many seconds the next record falls due that is not due yet; None when none will."""
    ahead = sa.type_coerce(sa.func.min(links.c.due_at), sa.BigInteger) - sa.type_coerce(db_now(), sa.BigInteger)
    rows = await database.read(sa.select(ahead.label("ms")).where(links.c.due_at > db_now()))
    return None if rows[0].ms is None else float(rows[0].ms) / 1000


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many that it pays to take more at once: where Salesforce lacks more than `above` of the `most` longest due."""

    above: int
    most: int


_LACKING = sa.and_(links.c.salesforce_id.is_(None), links.c.drchrono_id.is_not(None))


async def _crowd(connection: AsyncConnection, here: sa.Select[Any], crowd: Crowd) -> Sequence[str]:
    """Lock and give those of the longest due that Salesforce lacks; none where they are too few for a crowd.

    No more than `crowd.most` are gone through, however many are due behind them.
    """
    first = here.add_columns(_LACKING.label("is_lacking")).order_by(links.c.due_at).limit(crowd.most)
    among = first.subquery()
    many = await connection.scalar(sa.select(sa.func.count()).select_from(among).where(among.c.is_lacking)) or 0
    if many <= crowd.above:
        return ()
    return [row.id for row in await connection.execute(first.with_for_update(skip_locked=True)) if row.is_lacking]


async def take(
    database: Database,
    kind: Kind,
    lanes: Sequence[Lane] = tuple(Lane),
    limit: int = 200,
    crowd: Crowd | None = None,
) -> Taken | None:
    """Lease up to `limit` due records of a kind, the longest due first, and give them; None when nothing is due.

    All are of one lane: the first of these in which something is due. Other workers pass over what is leased.

    crowd  how many more are taken of the least urgent lanes, when so many wait there to be created in Salesforce
    """
    token = str(ULID())

    async def work(connection: AsyncConnection) -> tuple[Taken, Moment] | None:
        for lane in lanes:
            here = sa.select(links.c.id).where(links.c.kind == kind.value, links.c.lane == lane.value, _is_free())
            if crowd and lane in BULKY and (ids := await _crowd(connection, here, crowd)):
                break
            chosen = here.order_by(links.c.due_at).limit(limit).with_for_update(skip_locked=True)
            if ids := (await connection.scalars(chosen)).all():
                break
        else:
            return None
        leased = sa.update(links).where(links.c.id.in_(ids)).values(lease_owner=token, lease_until=after(LEASE))
        is_failed = sa.exists().where(failures.c.link_id == links.c.id).label("is_failed")
        rows = (await connection.execute(leased.returning(links, db_now().label("now"), is_failed))).all()
        moment = await put_ahead.noticed(connection, database.pace, rows[0].now)
        return Taken(kind, lane, token, rows[0].now, await due_of(connection, kind, rows)), moment

    if (found := await database.transact(work)) is None:
        return None
    taken, moment = found
    database.pace.note(moment)
    return taken


async def renew(connection: AsyncConnection, token: str, ids: Sequence[str] | None = None) -> set[str]:
    """Prolong a lease by its full length, and give the link ids it still covers.

    Whoever may be matched under it is held as long: so a lease that still covers a link covers its match.
    """
    ours = sa.update(links).where(links.c.lease_owner == token, links.c.lease_until >= db_now())
    if ids is not None:
        ours = ours.where(links.c.id.in_(ids))
    kept = set((await connection.scalars(ours.values(lease_until=after(LEASE)).returning(links.c.id))).all())
    await connection.execute(sa.update(matches).where(matches.c.owner == token).values(until=after(LEASE)))
    return kept
