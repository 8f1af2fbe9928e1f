"""Finishing: what is over once a look is saved: its deliveries, mended failures, settled writes, refs of nobody's.

Each in the transaction of whoever saves the look.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import decisions
from app.store.decisions import Ending
from app.store.endings import Result
from app.store.tables import db_now, events, failures, journal, links
from app.sync.records import Side


async def finish(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Finish exactly the deliveries that were used up, and all that was told of a Contact its link has left."""
    done = [
        {"p_delivery_id": delivery_id, "p_position": position}
        for result in saved
        for delivery_id, position in (
            *((body.delivery_id, body.position) for body in result.due.bodies if result.is_read),
            *(result.due.notices if result.is_read else ()),
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
    for former in [result.due.link for result in saved if _is_elsewhere(result)]:
        told = (events.c.kind == former.kind.value, events.c.record_id == former.salesforce_id)
        is_open = (events.c.side == Side.SALESFORCE.value, *told, events.c.finished_at.is_(None))
        await connection.execute(sa.update(events).where(*is_open).values(finished_at=db_now()))


def _is_elsewhere(result: Result) -> bool:
    """Say whether the link has another Contact now, so that what was told of its former one is over."""
    former = result.due.link.salesforce_id
    return former is not None and result.salesforce_id != former


async def keep_failures(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Keep why records wait for a person now, in place of what they waited for before."""
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


async def settle(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Journal what became of own writes whose outcome is known now."""
    rows = [{"p_id": key, "p_state": state} for r in saved for key, state in r.settled.items()]
    if rows:
        settled = sa.update(journal).where(journal.c.id == sa.bindparam("p_id"))
        await connection.execute(settled.values(state=sa.bindparam("p_state"), answered_at=db_now()), rows)


async def note_searches(connection: AsyncConnection, saved: Sequence[Result]) -> None:
    """Journal when creates of ours were first searched for in vain."""
    if ids := [key for r in saved for key in r.searched]:
        first = sa.update(journal).where(journal.c.id.in_(ids), journal.c.searched_at.is_(None))
        await connection.execute(first.values(searched_at=db_now()))


async def forget(connection: AsyncConnection, lone: Sequence[str]) -> None:
    """Delete lone refs of nobody's records, unless something has come in for them since."""
    if lone:
        is_lone = sa.or_(links.c.drchrono_id.is_(None), links.c.salesforce_id.is_(None))
        is_idle = sa.and_(links.c.due_at.is_(None), is_lone)
        gone = sa.delete(links).where(links.c.id.in_(lone), is_idle).returning(links.c.id)
        await decisions.end_of(connection, (await connection.scalars(gone)).all(), Ending.OVERTAKEN)
