"""How looks ended, saved in one transaction: bases, floors, what is finished, what is due again, what failed."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import decisions, matching, parents, tallies, zones
from app.store.claims import without_claims, without_successors
from app.store.database import Database
from app.store.endings import Result
from app.store.finishing import finish, forget, keep_failures, note_searches, settle
from app.store.tables import db_now, links

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


async def record(database: Database, token: str, results: Sequence[Result]) -> set[str]:
    """Save how a batch ended, in one transaction, and give the link ids that were saved.

    A result whose lease is lost, or whose base moved on, is left out: its successor looks for itself. Exactly the
    deliveries read at take are finished; due is cleared only where nothing came in since.
    """

    async def work(connection: AsyncConnection) -> set[str]:
        held = sa.select(links.c.id, links.c.generation, links.c.base_version, links.c.lane).where(
            links.c.id.in_([result.due.link.id for result in results]), links.c.lease_owner == token
        )
        rows = {r.id: r for r in await connection.execute(held.order_by(links.c.id).with_for_update())}
        saved = [r for r in results if (row := rows.get(r.due.link.id)) and row.base_version == r.due.base_version]
        done = {result.due.link.id for result in saved}
        saved = await without_claims(connection, await without_successors(connection, saved))
        if saved:
            await connection.execute(_SAVE, [_row(result, rows[result.due.link.id]) for result in saved])
            await finish(connection, saved)
            await keep_failures(connection, saved)
            await settle(connection, saved)
            await note_searches(connection, saved)
            await decisions.end(connection, {key: how for r in saved for key, how in r.decided.items()})
            await forget(connection, [r.due.link.id for r in saved if r.is_nobodys])
            await _tell_others(connection, saved)
        await matching.release(connection, token)
        return done & {result.due.link.id for result in (*saved, *(one for one in results if one.succeeds))}

    done = await database.transact(work)
    if awaited := {ref for result in results for ref in result.awaits}:
        await parents.wake_come(database, awaited)
    return done


def _row(result: Result, now: Any) -> dict[str, Any]:
    """Give what is saved of a link; `now`: how it stands. What is left to do stays as urgent as it was, or less."""
    is_news = result.is_news or now.generation != result.due.generation
    lane = result.due.lane.behind(result.lane)
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
        "p_lane": now.lane if is_news else lane.value,
        "p_in_ms": 0 if is_news else wait_ms,
        "p_attempts": 0 if is_news else result.attempts,
        "p_last_error": result.last_error and result.last_error[:64],
        "p_is_synced": result.failure is None and result.again_in is None,
    }


async def _tell_others(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Keep what the looks mean for other records: who waits for whom, who has come, a doctor's zone."""
    waiting = {r.due.link.id: r.awaits for r in saved if r.awaits}
    await parents.await_them(connection, waiting, saved[0].due.lane)
    await parents.wake(connection, [ref for r in saved if r.has_come for ref in r.refs])
    doctors = {r.drchrono_id: r.zone for r in saved if r.zone and r.drchrono_id}
    await zones.keep(connection, doctors)
    await tallies.add(connection, Counter(name for r in saved for name in r.counts))
