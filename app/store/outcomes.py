"""Outcomes: how leased links ended, saved in one transaction.

Bases, what was seen up to, what is finished, what is due again, what failed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import (
    counters,
    dependencies,
    doctor_zones,
    documents,
    identity_index,
    pending_writes,
    record_history,
    resolutions,
)
from app.store.clock import Instant, db_now, millis
from app.store.database import Database, JsonRows, among, json_of
from app.store.failures import end_dismissals
from app.store.link_claims import without_claims, without_successors
from app.store.record_history import FailedTurn
from app.store.result import Failure, Result
from app.store.tables import events, failures, journal, links
from app.sync.dismissals import Shown
from app.sync.model import Side
from app.sync.resolutions import ResolutionEnd

_told = JsonRows()
_TURN: Mapping[str, Any] = {
    "lane": _told.text("lane"),
    "due_at": sa.type_coerce(db_now(), sa.BigInteger) + _told.number("in_ms"),  # null where it is not due again
    "attempts": _told.number("attempts"),
    "last_error": _told.text("last_error"),
    "lease_owner": None,
    "lease_until": None,
    "status_due_at": db_now(),
}
_IS_IT = links.c.id == _told.text("id")
_SAVED_UNREAD = sa.update(links).where(_IS_IT).values(_TURN)  # all the rest of a row that was not read stays as it is
_SAVED = (
    sa.update(links)
    .where(_IS_IT)
    .values(
        **_TURN,
        drchrono_id=_told.text("drchrono_id"),
        salesforce_id=_told.text("salesforce_id"),
        base=_told.document("base"),
        base_version=links.c.base_version + 1,
        series=sa.func.coalesce(_told.text("series"), links.c.series),
        person=sa.func.coalesce(_told.text("person"), links.c.person),
        floor=_told.text("floor"),
        confirm_at=_told.number("confirm_at"),
        unsettled=_told.document("unsettled"),
        synced_at=sa.case((_told.number("is_synced") == 1, db_now()), else_=links.c.synced_at),
        excluded_by=_told.text("excluded_by"),
    )
)


_HELD = (
    sa.select(links.c.id, links.c.generation, links.c.base_version, links.c.lane, links.c.person)
    .where(links.c.id.in_(among("p_ids")), links.c.lease_owner == sa.bindparam("p_token"))
    .order_by(links.c.id)
    .with_for_update()
)
_FINISHED = (
    sa.update(events)
    .where(
        events.c.delivery_id == _told.text("delivery_id"),
        events.c.position == _told.number("position"),
    )
    .values(finished_at=db_now())
)


async def save(database: Database, token: str, results: Sequence[Result], *, is_last: bool = True) -> set[str]:
    """Save how a batch ended, in one transaction, and give the link ids that were saved.

    A result whose lease is lost, or whose base moved on, is left out: its successor looks for itself. Exactly the
    deliveries read at take are finished; due is cleared only where nothing came in since.

    is_last  what the token holds for matching is let go; False while more of its batch is to be saved
    """

    async def work(connection: AsyncConnection) -> set[str]:
        ours = {"p_ids": [result.due.link.id for result in results], "p_token": token}
        rows = {r.id: r for r in await connection.execute(_HELD, ours)}
        saved = [r for r in results if (row := rows.get(r.due.link.id)) and row.base_version == r.due.base_version]
        done = {result.due.link.id for result in saved}
        saved = await without_claims(connection, await without_successors(connection, saved))
        if saved:
            await note_former_identities(connection, saved, {id_: row.person for id_, row in rows.items()})
            await _save_links(connection, saved, rows)
            await finish_deliveries(connection, saved)
            await keep_failures(connection, saved)
            await _keep_documents(connection, saved)
            await pending_writes.settle(connection, [result.settled for result in saved])
            await note_searches(connection, saved)
            await resolutions.end(connection, {key: how for r in saved for key, how in r.resolutions.items()})
            await forget_unlinked(connection, [r.due.link.id for r in saved if r.change.is_nobodys])
            await _tell_others(connection, saved)
        if is_last:
            await identity_index.release_people(connection, token)
        return done & {result.due.link.id for result in (*saved, *(one for one in results if one.change.succeeds))}

    done = await database.transact(work)
    if awaited := {ref for result in results for ref in result.effects.awaits}:
        await dependencies.wake_come(database, awaited)
    return done


async def _save_links(connection: AsyncConnection, saved: Sequence[Result], rows: Mapping[str, Any]) -> None:
    """Save what links are now; of one whose row was not read, only when it is looked at again, and why."""
    for statement, of_unread in ((_SAVED, False), (_SAVED_UNREAD, True)):
        some = [r for r in saved if (r.due.unread is not None) is of_unread]
        if some:
            told = [_row(result, rows[result.due.link.id]) for result in some]
            await connection.execute(statement, {"p_rows": json_of(told)})


def _row(result: Result, now: Any) -> dict[str, Any]:
    """Give what is saved of a link; `now`: how it stands. What is left to do stays as urgent as it was, or less."""
    link, retry = result.link, result.retry
    is_news = result.change.is_news or now.generation != result.due.generation
    lane = result.due.lane.behind(retry.lane) if retry else result.due.lane
    wait_ms = retry.again_in // timedelta(milliseconds=1) if retry else None
    return {
        "id": link.id,
        "drchrono_id": link.drchrono_id,
        "salesforce_id": link.salesforce_id,
        "base": json_of(dict(link.base.stamps)),
        "floor": link.seen_up_to,
        "series": result.identity.series,
        "person": result.identity.hash,
        "confirm_at": link.confirm_due_at and millis(link.confirm_due_at),
        "unsettled": json_of(sorted(link.unconfirmed_fields)),
        "lane": now.lane if is_news else lane.value,
        "in_ms": 0 if is_news else wait_ms,
        "attempts": 0 if is_news else result.attempts,
        "last_error": result.last_error and result.last_error[:64],
        "is_synced": int(not (result.failure or result.is_dismissed or retry or link.excluded_by)),
        "excluded_by": ",".join(sorted(link.excluded_by)) or None,
    }


async def _keep_documents(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Keep what is known of documents beside their links, and whose documents are to be listed: the new patients'."""
    await documents.keep(connection, [r.document for r in saved if r.document is not None])
    replaced = {r.replaces: r.link.drchrono_id for r in saved if r.replaces and r.link.drchrono_id}
    await documents.note_replaced(connection, replaced)
    for lane in {r.wants_documents for r in saved if r.wants_documents is not None}:
        ids = [r.link.drchrono_id for r in saved if r.wants_documents is lane and r.link.drchrono_id]
        await documents.want(connection, ids, lane)


async def note_former_identities(
    connection: AsyncConnection, saved: Sequence[Result], persons: Mapping[str, str | None]
) -> None:
    """Keep who charts were known as, and who else was said of them; `persons`: link id -> who it was until now."""
    charts = [result for result in saved if result.link.drchrono_id is not None]
    now = {r.link.id: r.identity.hash or persons[r.link.id] for r in charts}
    former = [(r.link.id, persons[r.link.id]) for r in charts if r.due.link.drchrono_id is not None]
    said = [(r.link.id, person) for r in charts for person in r.identity.others]
    await identity_index.note_identities(connection, [*former, *said], now)


async def _tell_others(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Keep what the looks mean for other records: who waits for whom, who has come, a doctor's zone."""
    waiting = {r.due.link.id: r.effects.awaits for r in saved if r.effects.awaits}
    await dependencies.await_them(connection, waiting, saved[0].due.lane)
    await dependencies.wake(connection, [ref for r in saved if r.has_come for ref in r.refs])
    doctors = {r.link.drchrono_id: r.effects.zone for r in saved if r.effects.zone and r.link.drchrono_id}
    await doctor_zones.keep(connection, doctors)
    await counters.add(connection, Counter(name for r in saved for name in r.effects.counts))


async def finish_deliveries(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Finish exactly the deliveries that were used up, and all that was told of a Contact its link has left."""
    done = [
        {"delivery_id": delivery_id, "position": position}
        for result in saved
        for delivery_id, position in (
            *((body.delivery_id, body.position) for body in result.due.bodies if result.is_read),
            *(result.due.notices if result.is_read else ()),
        )
    ]
    if done:
        done.sort(key=lambda row: (row["delivery_id"], row["position"]))
        await connection.execute(_FINISHED, {"p_rows": json_of(done)})
    for former in [result.due.link for result in saved if _is_elsewhere(result)]:
        told = (events.c.kind == former.kind.value, events.c.record_id == former.salesforce_id)
        is_open = (events.c.side == Side.SALESFORCE.value, *told, events.c.finished_at.is_(None))
        await connection.execute(sa.update(events).where(*is_open).values(finished_at=db_now()))


def _is_elsewhere(result: Result) -> bool:
    """Say whether the link has another Contact now, so that what was told of its former one is over."""
    former = result.due.link.salesforce_id
    return former is not None and result.link.salesforce_id != former


async def keep_failures(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Keep why records wait for a person now, in place of what they waited for before, and in their history.

    What fails again keeps its note; where it fails in the same way, it has done so since it first did. What was
    dismissed stays so while both sides show what they did then, also where that was done during the look.
    """
    mended = [r.due.link.id for r in saved if r.due.link.is_failed and _is_ended(r)]
    before: dict[str, Any] = {}
    if mended:
        theirs = failures.c.link_id.in_(mended)
        asked = sa.select(failures).where(theirs).with_for_update()
        before = {row.link_id: row for row in await connection.execute(asked)}
        await connection.execute(sa.delete(failures).where(theirs))
    rows = [_failure_row(r, r.failure, before.get(r.due.link.id)) for r in saved if r.failure]
    if rows:
        await connection.execute(_FAILED, rows)
        news = {row["link_id"] for row in rows if row["dismissed_at"] is None}
        turns = [_failed_turn(r, r.failure) for r in saved if r.failure and r.due.link.id in news]
        await record_history.note_failures(connection, turns)
    await end_dismissals(connection, [r.due.link.id for r in saved if r.due.link.is_dismissed and _is_elsewhere(r)])
    shown = [
        {"p_id": r.due.link.id, "p_shown": r.shown} for r in saved if r.is_dismissed and r.shown != r.due.link.shown
    ]
    if shown:
        await connection.execute(_SHOWN, sorted(shown, key=lambda row: str(row["p_id"])))


_FAILED = sa.insert(failures).values(
    at=db_now(), since=sa.func.coalesce(sa.bindparam("p_since", type_=Instant), db_now(), type_=Instant)
)
_SHOWN = (
    sa.update(failures)
    .where(failures.c.link_id == sa.bindparam("p_id"))
    .values(shown=sa.bindparam("p_shown", type_=sa.JSON))
)


def _is_ended(result: Result) -> bool:
    """Say whether the failure that a record had is over: it succeeded, or fails anew."""
    return bool(result.failure) or (result.is_read and not result.is_dismissed)


def _failure_row(result: Result, failure: Failure, before: Any) -> dict[str, Any]:
    cause, fields, was = failure.cause[:64], ",".join(failure.fields)[:512], result.due.link
    now = (failure.side.value, cause, fields)
    is_the_same = before is not None and (before.side, before.cause, before.fields) == now
    stays_dismissed = before is not None and _stays_dismissed(before, result.shown, cause)
    return {
        "link_id": was.id,
        "side": failure.side.value,
        "kind": was.kind.value,
        "cause": cause,
        "fields": fields,
        "is_held": failure.is_held,
        "attempts": result.due.attempts + 1 + (before.attempts if is_the_same else 0),
        "message": failure.message,
        "note": None if before is None else before.note,
        "p_since": before.since if is_the_same else None,
        "shown": dict(result.shown or was.shown),
        "conflicts": sorted(was.conflicts if result.conflicts is None else result.conflicts),
        "dismissed_at": before.dismissed_at if stays_dismissed else None,
        "dismissed_by": before.dismissed_by if stays_dismissed else None,
        "reason": before.reason if stays_dismissed else None,
    }


def _stays_dismissed(before: Any, shown: Shown, cause: str) -> bool:
    """Say whether what was dismissed is what fails still; where no side was seen, the cause tells."""
    if before.dismissed_at is None:
        return False
    return bool(before.shown == shown if before.shown and shown else before.cause == cause)


def _failed_turn(result: Result, failure: Failure) -> FailedTurn:
    """Give what its history tells of a look that failed, with what had come in for it; a row of a list is no news."""
    due = result.due
    came_in = [body.delivery_id for body in due.bodies if not body.is_listed]
    came_in += [delivery_id for delivery_id, _ in due.notices]
    return FailedTurn(
        due.link.id,
        failure.side,
        failure.cause[:64],
        ",".join(failure.fields)[:512],
        failure.is_held,
        tuple(dict.fromkeys(came_in)),
    )


async def note_searches(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Journal when creates of ours were first searched for in vain."""
    if ids := [key for r in saved for key in r.searched]:
        first = sa.update(journal).where(journal.c.id.in_(ids), journal.c.searched_at.is_(None))
        await connection.execute(first.values(searched_at=db_now()))


async def forget_unlinked(connection: AsyncConnection, lone: Sequence[str]) -> None:
    """Delete lone refs of nobody's records, unless something has come in for them since."""
    if lone:
        is_lone = sa.or_(links.c.drchrono_id.is_(None), links.c.salesforce_id.is_(None))
        is_idle = sa.and_(links.c.due_at.is_(None), is_lone)
        gone = sa.delete(links).where(links.c.id.in_(lone), is_idle).returning(links.c.id)
        ids = (await connection.scalars(gone)).all()
        await identity_index.forget_identities(connection, ids)
        await resolutions.end_of(connection, ids, ResolutionEnd.OVERTAKEN)
