"""Claims: what is saved of a link that found its record to be one that another row stands for already.

A lone ref that stands for it is taken over, with what it was due for and what was journalled for it; while a write of
it is under way, the claim comes again a little later. A record of another link is never taken away: its claimant waits
for a person. A visit under a new id gives that id to the link it had.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import identity_index, record_history, resolutions
from app.store.clock import db_now
from app.store.database import Database
from app.store.failures import end_dismissals
from app.store.result import Failure, Result, Retry
from app.store.tables import failures, journal, links
from app.sync.failure_causes import OTHER_LINK
from app.sync.model import OPEN, Kind, Lane, Link, Side
from app.sync.resolutions import ResolutionEnd

_SOON = timedelta(seconds=2)


async def without_successors(connection: AsyncConnection, saved: Sequence[Result]) -> list[Result]:
    """Give links the new ids of their records; a link that is being worked on gets it a little later."""
    left = []
    for result in saved:
        predecessor = result.change.succeeds
        if predecessor is None:
            left.append(result)
        elif not await succeed(connection, result.due.link.id, predecessor, result.due.link.drchrono_id or ""):
            left.append(_later(result))
    return left


async def without_claims(connection: AsyncConnection, saved: Sequence[Result]) -> list[Result]:
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
            if id_ in news:
                result = replace(result, change=replace(result.change, is_news=True))  # noqa: PLW2901
        kept.append(result)
    return kept


def _new_id(result: Result, side: Side) -> str | None:
    """Give the id a result adds to its link on a side."""
    id_ = result.link.id_on(side)
    return id_ if id_ and id_ != result.due.link.id_on(side) else None


async def _absorbed(connection: AsyncConnection, into: Mapping[str, str]) -> set[str]:
    """Delete lone refs in favour of the links they turned out to be; those with a write under way stay."""
    if not into:
        return set()
    is_open = journal.c.state.in_(OPEN)  # or has made a record that no link has yet
    is_written = sa.exists().where(journal.c.link_id == links.c.id, is_open | journal.c.record_id.is_not(None))
    gone = sa.delete(links).where(links.c.id.in_(list(into)), sa.not_(is_written))
    persons = {row.id: row.person for row in await connection.execute(gone.returning(links.c.id, links.c.person))}
    absorbed = set(persons)
    await identity_index.move_identities(connection, {one: into[one] for one in absorbed}, persons.items())
    await connection.execute(sa.delete(failures).where(failures.c.link_id.in_(absorbed)))
    await resolutions.end_of(connection, absorbed, ResolutionEnd.OVERTAKEN)
    for link_id in absorbed:
        moved = sa.update(journal).where(journal.c.link_id == link_id).values(link_id=into[link_id])
        await connection.execute(moved)
        await record_history.move(connection, link_id, into[link_id])
    return absorbed


async def _hurry(connection: AsyncConnection, ids: Sequence[str]) -> None:
    news = sa.update(links).where(links.c.id.in_(sorted(ids)))
    await connection.execute(news.values(due_at=db_now(), generation=links.c.generation + 1))


def _held(result: Result) -> Result:
    """Leave a link to a person because the record it claims is another link's."""
    return replace(
        result,
        link=_without_claim(result),
        is_read=True,
        retry=None,
        failure=Failure(Side.SALESFORCE, OTHER_LINK, is_held=True),
        resolutions=dict.fromkeys(result.resolutions, ResolutionEnd.OVERTAKEN.value),
    )


def _later(result: Result) -> Result:
    """Leave a link as it is while the lone ref it claims has a write under way."""
    return replace(
        result,
        link=_without_claim(result),
        is_read=False,
        retry=Retry(_SOON, Lane.RETRY, "other_ref_busy"),
        failure=None,
        resolutions={},
    )


def _without_claim(result: Result) -> Link:
    """Give the link as it stands without the record it claims: the two agreed on nothing."""
    was = result.due.link
    return replace(result.link, drchrono_id=was.drchrono_id, salesforce_id=was.salesforce_id, base=was.base)


async def known_series(database: Database, kind: Kind, places: Collection[str]) -> dict[str, str]:
    """Give place in its series -> link id, of the visits that are linked."""
    theirs = sa.and_(links.c.kind == kind.value, links.c.series.in_(sorted(places)), links.c.salesforce_id.is_not(None))
    rows = await database.read(sa.select(links.c.series, links.c.id).where(theirs)) if places else []
    return {row.series: row.id for row in rows}


async def succeed(connection: AsyncConnection, lone_id: str, link_id: str, drchrono_id: str) -> bool:
    """Give a link its record's new id, and what its lone ref was due for; False while somebody works on the link."""
    is_free = sa.or_(links.c.lease_until.is_(None), links.c.lease_until < db_now())
    ours = sa.select(links.c.id).where(links.c.id == link_id, is_free).with_for_update()
    if await connection.scalar(ours) is None:
        return False
    await connection.execute(sa.delete(failures).where(failures.c.link_id == lone_id))
    await resolutions.end_of(connection, [lone_id], ResolutionEnd.OVERTAKEN)
    await connection.execute(sa.update(journal).where(journal.c.link_id == lone_id).values(link_id=link_id))
    await record_history.move(connection, lone_id, link_id)
    person = await connection.scalar(sa.delete(links).where(links.c.id == lone_id).returning(links.c.person))
    await identity_index.move_identities(connection, {lone_id: link_id}, [(lone_id, person)])
    anew = {
        "drchrono_id": drchrono_id,
        "floor": "",
        "due_at": db_now(),
        "confirm_at": db_now(),
        "generation": links.c.generation + 1,
        "attempts": 0,
    }
    await connection.execute(sa.update(links).where(links.c.id == link_id).values(anew))
    await end_dismissals(connection, [link_id])
    return True
