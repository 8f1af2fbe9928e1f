"""How looks ended, saved in one transaction: bases, floors, what is finished, what is due again, what failed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import matching, parents, series, tallies, zones
from app.store.database import Database
from app.store.links import Due
from app.store.tables import db_now, events, failures, journal, links
from app.sync.base import Base
from app.sync.records import Lane, Ref, Side


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record waits for a person. `fields` are named as that side names them."""

    side: Side
    cause: str
    fields: tuple[str, ...] = ()
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How one look at a link ended, ready to be saved.

    is_read     the deliveries read at take are used up; False keeps them for the next look
    again_in    how long until the next look; None clears due, unless something came in meanwhile
    settled     own writes whose outcome is known now: journal id -> state
    unsettled   fields written to DrChrono that it has not shown since
    is_news     something came in for it under another name: it is due again at once
    is_nobodys  a lone ref that is no business of ours: nothing is remembered of it
    series      its place in a series of visits; None where this look did not say
    succeeds    the link that the record is another id of
    awaits      the records it refers to that are not there yet
    zone        of a doctor: the zone of their visits
    counts      what is to be counted of this look, by name
    searched    creates of ours that were searched for in vain: journal ids
    person      keyed hash of who it is; None where this look did not say
    """

    due: Due
    base: Base
    drchrono_id: str | None
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
    unsettled: frozenset[str] = frozenset()
    is_news: bool = False
    is_nobodys: bool = False
    searched: tuple[str, ...] = ()
    person: str | None = None
    series: str | None = None
    succeeds: str | None = None
    awaits: tuple[Ref, ...] = ()
    zone: str = ""
    counts: tuple[str, ...] = ()

    @property
    def refs(self) -> list[Ref]:
        """The record, on each side it is known on."""
        ids = ((Side.DRCHRONO, self.drchrono_id), (Side.SALESFORCE, self.salesforce_id))
        return [Ref(side, self.due.link.kind, id_) for side, id_ in ids if id_]

    @property
    def has_come(self) -> bool:
        """Whether those who refer to the record need wait no longer: it is linked now, or nothing comes of it."""
        was_linked = self.due.link.drchrono_id and self.due.link.salesforce_id
        is_linked = self.drchrono_id and self.salesforce_id
        is_over = self.again_in is None and not self.is_nobodys  # a Contact may be ticked later
        return not was_linked and bool(is_linked or is_over)


async def record(database: Database, token: str, results: Sequence[Result]) -> set[str]:
    """Save how a batch ended, in one transaction, and give the link ids that were saved.

    A result whose lease is lost, or whose base moved on, is left out: its successor looks for itself. Exactly the
    deliveries read at take are finished; due is cleared only where nothing came in since.
    """

    async def work(connection: AsyncConnection) -> set[str]:
        held = sa.select(links.c.id, links.c.generation, links.c.base_version).where(
            links.c.id.in_([result.due.link.id for result in results]), links.c.lease_owner == token
        )
        rows = {r.id: r for r in await connection.execute(held.order_by(links.c.id).with_for_update())}
        saved = [r for r in results if (row := rows.get(r.due.link.id)) and row.base_version == r.due.base_version]
        done = {result.due.link.id for result in saved}
        saved = await _without_claims(connection, await _without_successors(connection, saved))
        if saved:
            await connection.execute(_SAVE, [_row(result, rows[result.due.link.id].generation) for result in saved])
            await _finish(connection, saved)
            await _keep_failures(connection, saved)
            await _settle(connection, saved)
            await _note_searches(connection, saved)
            await _forget(connection, [r.due.link.id for r in saved if r.is_nobodys])
            await _tell_others(connection, saved, is_sqlite=database.is_sqlite)
        await matching.release(connection, token)
        return done & {result.due.link.id for result in (*saved, *(one for one in results if one.succeeds))}

    done = await database.transact(work)
    if awaited := {ref for result in results for ref in result.awaits}:
        await parents.wake_come(database, awaited)
    return done


async def _without_successors(connection: AsyncConnection, saved: Sequence[Result]) -> list[Result]:
    """Give links the new ids of their records; a link that is being worked on gets it a little later."""
    left = []
    for result in saved:
        if result.succeeds is None:
            left.append(result)
        elif not await series.succeed(
            connection, result.due.link.id, result.succeeds, result.due.link.drchrono_id or ""
        ):
            left.append(_later(result))
    return left


async def _without_claims(connection: AsyncConnection, saved: Sequence[Result]) -> list[Result]:
    """Take over lone refs of records that turn out to be a link's; hold a link whose record is another link's already.

    One clash must not undo its whole batch. What a lone ref was due for, its new link is due for.
    """
    # a chart that has met its Contact goes before a Contact that names a chart
    for side in (Side.SALESFORCE, Side.DRCHRONO):
        saved = await _without_claims_on(connection, side, saved)
    return list(saved)


async def _without_claims_on(connection: AsyncConnection, side: Side, saved: Sequence[Result]) -> list[Result]:
    column, other = links.c[f"{side}_id"], links.c[f"{side.other}_id"]
    wanted = {id_: r for r in reversed(saved) if (id_ := _new_id(r, side))}  # of several the first
    if not wanted:
        return list(saved)
    kind = saved[0].due.link.kind.value
    there = sa.select(links.c.id, column.label("record"), other.label("other")).where(
        links.c.kind == kind, column.in_(list(wanted))
    )
    rows = (await connection.execute(there.with_for_update())).all()
    absorbed = await _absorbed(
        connection, {row.id: wanted[row.record].due.link.id for row in rows if row.other is None}
    )
    news = {row.record for row in rows if row.id in absorbed}
    busy = {row.record for row in rows if row.other is None} - news
    claimed = {row.record for row in rows} - news - busy
    if busy and side is Side.SALESFORCE:  # a chart has come whose Contact may have been what made it: let it look
        await _hurry(connection, [row.id for row in rows if row.record in busy])
    kept = []
    for result in saved:
        if result.due.link.id in absorbed:
            continue
        id_ = _new_id(result, side)
        if id_ is not None and id_ in busy:
            result = _later(result)  # noqa: PLW2901
        elif id_ is not None and id_ in claimed:
            result = _held(result)  # noqa: PLW2901
        elif id_ is not None:
            claimed.add(id_)
            result = replace(result, is_news=result.is_news or id_ in news)  # noqa: PLW2901
        kept.append(result)
    return kept


async def _absorbed(connection: AsyncConnection, into: Mapping[str, str]) -> set[str]:
    """Delete lone refs in favour of the links they turned out to be; those with a write under way stay."""
    if not into:
        return set()
    is_open = journal.c.state.in_(("planned", "unknown"))  # or has made a record that no link has yet
    is_written = sa.exists().where(journal.c.link_id == links.c.id, is_open | journal.c.record_id.is_not(None))
    gone = sa.delete(links).where(links.c.id.in_(list(into)), sa.not_(is_written)).returning(links.c.id)
    absorbed = set((await connection.scalars(gone)).all())
    await connection.execute(sa.delete(failures).where(failures.c.link_id.in_(absorbed)))
    for link_id in absorbed:
        moved = sa.update(journal).where(journal.c.link_id == link_id).values(link_id=into[link_id])
        await connection.execute(moved)
    return absorbed


async def _hurry(connection: AsyncConnection, ids: Sequence[str]) -> None:
    news = sa.update(links).where(links.c.id.in_(sorted(ids)))
    await connection.execute(news.values(due_at=db_now(), generation=links.c.generation + 1))


def _new_id(result: Result, side: Side) -> str | None:
    """Give the id a result adds to its link on a side."""
    id_ = result.drchrono_id if side is Side.DRCHRONO else result.salesforce_id
    return id_ if id_ and id_ != result.due.link.id_on(side) else None


def _held(result: Result) -> Result:
    cause = "contact_of_another_link"
    return replace(
        _unchanged(result),
        is_read=True,
        failure=Failure(Side.SALESFORCE, cause, is_held=True),
        last_error=cause,
        again_in=None,
    )


def _later(result: Result) -> Result:
    """Leave a link as it is while the lone ref it claims has a write under way."""
    return replace(
        _unchanged(result), is_read=False, again_in=_SOON, lane=Lane.RETRY, last_error="other_ref_busy", failure=None
    )


def _unchanged(result: Result) -> Result:
    link = result.due.link
    return replace(result, drchrono_id=link.drchrono_id, salesforce_id=link.salesforce_id, base=link.base)


_SOON = timedelta(seconds=2)

_SAVE = (
    sa.update(links)
    .where(links.c.id == sa.bindparam("p_id"))
    .values(
        drchrono_id=sa.bindparam("p_drchrono_id"),
        salesforce_id=sa.bindparam("p_salesforce_id"),
        base=sa.bindparam("p_base", type_=sa.JSON),
        base_version=links.c.base_version + 1,
        series=sa.func.coalesce(sa.bindparam("p_series", type_=sa.String), links.c.series),
        person=sa.func.coalesce(sa.bindparam("p_person", type_=sa.String), links.c.person),
        floor=sa.bindparam("p_floor"),
        confirm_at=sa.bindparam("p_confirm_at"),
        unsettled=sa.bindparam("p_unsettled", type_=sa.JSON),
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
    is_news = result.is_news or generation != result.due.generation
    wait_ms = None if result.again_in is None else result.again_in // timedelta(milliseconds=1)
    return {
        "p_id": result.due.link.id,
        "p_drchrono_id": result.drchrono_id,
        "p_salesforce_id": result.salesforce_id,
        "p_base": dict(result.base.stamps),
        "p_floor": result.floor,
        "p_series": result.series,
        "p_person": result.person,
        "p_confirm_at": result.confirm_at,
        "p_unsettled": sorted(result.unsettled),
        "p_lane": Lane.LIVE.value if is_news else result.lane.value,
        "p_in_ms": 0 if is_news else wait_ms,
        "p_attempts": 0 if is_news else result.attempts,
        "p_last_error": result.last_error and result.last_error[:64],
        "p_is_synced": result.failure is None and result.again_in is None,
    }


async def _finish(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    done = [
        {"p_delivery_id": delivery_id, "p_position": position}
        for result in saved
        for delivery_id, position in (
            *((body.delivery_id, body.position) for body in result.due.bodies if result.is_read),
            *(result.due.notices if result.is_read or _is_elsewhere(result) else ()),
        )
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


def _is_elsewhere(result: Result) -> bool:
    """Say whether the link has another Contact now, so that what was told of its former one is over."""
    former = result.due.link.salesforce_id
    return former is not None and result.salesforce_id != former


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


async def _tell_others(connection: AsyncConnection, saved: Sequence[Result], *, is_sqlite: bool) -> None:
    """Keep what the looks mean for other records: who waits for whom, who has come, a doctor's zone."""
    waiting = {r.due.link.id: r.awaits for r in saved if r.awaits}
    await parents.await_them(connection, waiting, is_sqlite=is_sqlite)
    await parents.wake(connection, [ref for r in saved if r.has_come for ref in r.refs])
    doctors = {r.drchrono_id: r.zone for r in saved if r.zone and r.drchrono_id}
    await zones.keep(connection, doctors, is_sqlite=is_sqlite)
    await tallies.add(connection, Counter(name for r in saved for name in r.counts), is_sqlite=is_sqlite)


async def _forget(connection: AsyncConnection, lone: Sequence[str]) -> None:
    """Delete lone refs of nobody's records, unless something has come in for them since."""
    if lone:
        is_lone = sa.or_(links.c.drchrono_id.is_(None), links.c.salesforce_id.is_(None))
        is_idle = sa.and_(links.c.due_at.is_(None), is_lone)
        await connection.execute(sa.delete(links).where(links.c.id.in_(lone), is_idle))


async def _note_searches(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    if ids := [key for r in saved for key in r.searched]:
        first = sa.update(journal).where(journal.c.id.in_(ids), journal.c.searched_at.is_(None))
        await connection.execute(first.values(searched_at=db_now()))


async def _settle(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    rows = [{"p_id": key, "p_state": state} for r in saved for key, state in r.settled.items()]
    if rows:
        settled = sa.update(journal).where(journal.c.id == sa.bindparam("p_id"))
        await connection.execute(settled.values(state=sa.bindparam("p_state"), answered_at=db_now()), rows)
