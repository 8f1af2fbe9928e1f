"""Scans: how far a comparing has come, saved page by page, and the linked records it found to differ.

Those wait here, not due yet, until it is known what all of them together would change; then they are let go. A scan
that was cut off goes on where it stood. Only one process at a time goes through a scan: it holds it by a lease.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.errors import LeaseLost
from app.store import fence
from app.store.clock import after, db_now
from app.store.database import Database, DialectInsert, among
from app.store.links import OF_FAILURE, due_again, readable
from app.store.tables import failures, links, pointed, scans
from app.store.work_queue import Due, due_of
from app.sync.dismissals import was_gone
from app.sync.model import Kind, Lane, Side

_FORGOTTEN = timedelta(days=1)  # what a scan read that was cut off that long ago is no base to go on from
_MOST = 500


@dataclass(frozen=True, slots=True)
class Scan:
    """One comparing of a kind, held by us; `at`: where it stands, and what it has counted."""

    name: str
    id: str
    started_at: datetime
    at: Mapping[str, Any]
    owner: str


_IS_FREE = sa.or_(scans.c.held_until.is_(None), scans.c.held_until < db_now())
_OF_NAME = scans.c.name == sa.bindparam("p_name")
_OLD = sa.delete(scans).where(_OF_NAME, scans.c.saved_at < after(-_FORGOTTEN), _IS_FREE)
_BEGUN = DialectInsert(
    scans,
    lambda insert: insert.values(started_at=db_now(), saved_at=db_now()).on_conflict_do_nothing().returning(scans.c.id),
)
_ACQUIRED = (
    sa.update(scans)
    .where(_OF_NAME, _IS_FREE)
    .values(owner=sa.bindparam("p_owner"), held_until=after("p_held"))
    .returning(scans)
)


async def acquire(database: Database, name: str) -> tuple[Scan, bool]:
    """Give the scan of a name, ours from now on, and whether it goes on from one that was cut off within a day.

    Raises  LeaseLost while another process goes through it, OtherInstance
    """
    owner = str(ULID())

    async def work(connection: AsyncConnection) -> tuple[Scan, bool] | None:
        await fence.require(connection, database)
        await connection.execute(_OLD, {"p_name": name})
        begun = {"name": name, "id": str(ULID()), "state": {}}
        is_new = (await connection.scalar(_BEGUN.on(connection), begun)) is not None
        ours = {"p_name": name, "p_owner": owner, "p_held": database.timings.scan_held}
        found = (await connection.execute(_ACQUIRED, ours)).one_or_none()
        return found and (Scan(found.name, found.id, found.started_at, found.state, owner), not is_new)

    if (found := await database.transact(work)) is None:
        raise LeaseLost("another comparing of this kind is under way")
    return found


_IS_OURS = (_OF_NAME, scans.c.owner == sa.bindparam("p_owner"))
_RENEWED = sa.update(scans).where(*_IS_OURS).values(held_until=after("p_held"))
_SAVED = _RENEWED.values(state=sa.bindparam("p_state", type_=sa.JSON), saved_at=db_now())
_LEFT = sa.update(scans).where(*_IS_OURS).values(held_until=None)
_ENDED = sa.delete(scans).where(*_IS_OURS)


async def save(database: Database, scan: Scan, at: Mapping[str, Any]) -> None:
    """Save where a scan stands now.

    Raises  LeaseLost when another process has taken it over
    """
    await _ours(database, scan, _SAVED, {"p_state": dict(at), "p_held": database.timings.scan_held})


async def renew(database: Database, scan: Scan) -> None:
    """Hold a scan for its full time from now on.

    Raises  LeaseLost when another process has taken it over
    """
    await _ours(database, scan, _RENEWED, {"p_held": database.timings.scan_held})


async def leave(database: Database, scan: Scan) -> None:
    """Let a scan go: whoever comes next goes on with it at once. One that is not ours any more is left alone."""
    with suppress(LeaseLost):
        await _ours(database, scan, _LEFT)


async def is_under_way(database: Database, name: str, span: timedelta) -> bool:
    """Say whether the scan of a name was saved within a span: somebody is at it, or was until then."""
    lately = sa.select(scans.c.name).where(scans.c.name == name, scans.c.saved_at > after(-span))
    return bool(await database.read(lately))


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """Where a scan stands, and whether somebody is at it."""

    at: Mapping[str, Any]
    is_held: bool


async def progress(database: Database, name: str) -> ScanProgress | None:
    """Give how far the scan of a name has come; None where there is none."""
    rows = await database.read(sa.select(scans.c.state, _IS_FREE.label("is_free")).where(scans.c.name == name))
    return ScanProgress(rows[0].state, not rows[0].is_free) if rows else None


async def end(database: Database, scan: Scan) -> None:
    """Forget where a scan stood: it has come to its end.

    Raises  LeaseLost when another process has taken it over
    """
    await _ours(database, scan, _ENDED)


async def _ours(
    database: Database, scan: Scan, change: sa.Update | sa.Delete, told: Mapping[str, Any] | None = None
) -> None:
    ours = {"p_name": scan.name, "p_owner": scan.owner, **(told or {})}

    async def work(connection: AsyncConnection) -> bool:
        if not await fence.is_held(connection, database):
            return False
        return bool((await connection.execute(change, ours)).rowcount)

    if not await database.transact(work):
        raise LeaseLost("another process has taken this comparing over")


_NOTED = DialectInsert(
    pointed,
    lambda insert: insert.on_conflict_do_update(
        index_elements=[pointed.c.link_id],
        set_={"side": insert.excluded["side"]},
        where=insert.excluded["side"] == Side.SALESFORCE.value,
    ),
)


async def add_differing(database: Database, scan: Scan, side: Side, link_ids: Sequence[str]) -> None:
    """Note linked records that differ, by what a side holds; one that was noted stays so.

    Of one that both sides tell of, Salesforce's word is kept: it may come to be written to DrChrono.
    """

    async def work(connection: AsyncConnection) -> None:
        rows = [{"link_id": link_id, "name": scan.name, "side": side.value} for link_id in sorted(link_ids)]
        for at in range(0, len(rows), _MOST):
            await connection.execute(_NOTED.on(connection), rows[at : at + _MOST])

    if link_ids:
        await database.transact(work)


_WAITING = (
    sa.select(sa.func.count())
    .select_from(pointed.join(links, links.c.id == pointed.c.link_id))
    .where(pointed.c.name == sa.bindparam("p_name"), links.c.due_at.is_(None))
)


async def waiting(database: Database, name: str) -> int:
    """Give how many records wait to be let go, those aside that are due already."""
    return int((await database.read(_WAITING, {"p_name": name}))[0][0])


async def batches(database: Database, kind: Kind, name: str, size: int = 200) -> AsyncIterator[tuple[Due, ...]]:
    """Give those that wait as they stand, with what was kept of them, so many at a time; nothing is leased.

    One whose row cannot be read is passed over; it fails when it is synced.
    """
    here = sa.select(links.c.id).join(pointed, pointed.c.link_id == links.c.id)
    here = here.where(pointed.c.name == name, links.c.due_at.is_(None)).order_by(links.c.id).limit(size)

    async def read(part: Sequence[str]) -> dict[str, Due]:
        async def work(connection: AsyncConnection) -> tuple[Due, ...]:
            chosen = sa.select(links, *OF_FAILURE).where(links.c.id.in_(part), links.c.due_at.is_(None))
            return await due_of(connection, kind, (await connection.execute(chosen.order_by(links.c.id))).all())

        return {due.link.id: due for due in await database.transact(work)}

    last = ""
    while ids := [row.id for row in await database.read(here.where(links.c.id > last))]:
        if found := await readable(ids, read):
            yield tuple(found.values())
        last = ids[-1]


_CHOSEN = sa.select(pointed.c.link_id).where(pointed.c.name == sa.bindparam("p_name")).limit(_MOST)
_DUE = {lane: sa.update(links).where(links.c.id.in_(among("p_ids"))).values(due_again(lane)) for lane in Lane}
_GONE = sa.delete(pointed).where(pointed.c.link_id.in_(among("p_ids")))


async def release(database: Database, name: str, lane: Lane) -> int:
    """Make due in a lane all that wait; gives how many."""
    count = 0
    while True:

        async def work(connection: AsyncConnection) -> int:
            ids = (await connection.scalars(_CHOSEN, {"p_name": name})).all()
            if ids:
                await connection.execute(_DUE[lane], {"p_ids": ids})
                await connection.execute(_GONE, {"p_ids": ids})
            return len(ids)

        gone = await database.transact(work)
        if not gone:
            return count
        count += gone


async def mark_listed(database: Database, kind: Kind, side: Side, ids: Sequence[str], leg: str) -> None:
    """Note that a side's complete list showed these records; `leg`: which list."""

    async def work(connection: AsyncConnection) -> None:
        for at in range(0, len(ids), _MOST):
            theirs = sa.and_(links.c.kind == kind.value, links.c[f"{side}_id"].in_(ids[at : at + _MOST]))
            await connection.execute(sa.update(links).where(theirs).values(listed_in=leg))

    if ids:
        await database.transact(work)


async def unlisted(database: Database, kind: Kind, side: Side, leg: str, began: str) -> list[str]:
    """Give the linked records a complete list of a side did not show, though they were linked before it was begun.

    Not those that are out of the set that is synced: whatever became of them is not carried over. Nor those that wait
    for a person, or were dismissed when the side did not show them either.

    began  an id that was made at that moment: ids begin with their time
    """
    is_linked = sa.and_(links.c.drchrono_id.is_not(None), links.c.salesforce_id.is_not(None))
    is_missing = sa.or_(links.c.listed_in.is_(None), links.c.listed_in != leg)
    is_well = sa.or_(failures.c.link_id.is_(None), failures.c.dismissed_at.is_not(None))
    place = links.outerjoin(failures, failures.c.link_id == links.c.id)
    missing = sa.select(links.c.id, failures.c.shown).select_from(place)
    missing = missing.where(links.c.kind == kind.value, is_linked, is_missing, links.c.id < began)
    rows = await database.read(missing.where(is_well, links.c.excluded_by.is_(None)).order_by(links.c.id))
    return [row.id for row in rows if not was_gone(row.shown or {}, side)]


_OF_SALESFORCE = sa.select(pointed.c.link_id).where(
    pointed.c.name == sa.bindparam("p_name"), pointed.c.side == Side.SALESFORCE.value
)
_HAS_UNSHOWN = sa.cast(links.c.unsettled, sa.Text) != "[]"
_ASKED = (
    sa.update(links)
    .where(links.c.id.in_(_OF_SALESFORCE))
    .values(confirm_at=sa.case((_HAS_UNSHOWN, after("p_confirm_after")), else_=sa.type_coerce(db_now(), sa.BigInteger)))
)


async def confirm_edited_in_salesforce(database: Database, name: str, confirm_after: timedelta) -> None:
    """Have DrChrono asked for those that wait and differ in Salesforce, when they are next looked at.

    confirm_after  how long what has yet to show a write of ours is left alone before
    """

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_ASKED, {"p_name": name, "p_confirm_after": confirm_after})

    await database.transact(work)


async def require_confirmation(database: Database, link_ids: Sequence[str]) -> None:
    """Have DrChrono asked for these records when they are next looked at."""

    async def work(connection: AsyncConnection) -> None:
        for at in range(0, len(link_ids), _MOST):
            theirs = links.c.id.in_(link_ids[at : at + _MOST])
            await connection.execute(sa.update(links).where(theirs).values(confirm_at=db_now()))

    if link_ids:
        await database.transact(work)
