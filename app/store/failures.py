"""What waits for a person, as a group of it is tried again, dismissed or restored: in short commits, never all at once.

A failure that was dismissed stays in the table, with who did that, when and why, and with what both sides showed when
it failed: while they show the same, its record is left as it is (`app/sync/dismissals.py`).
"""

import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import Act
from app.store import audit, dependencies, record_history, resolutions
from app.store.clock import after, db_now
from app.store.database import Database
from app.store.links import due_again
from app.store.tables import failures, links
from app.sync.failure_causes import NO_PARENT, PARENT_DISMISSED, PARENT_NOT_LINKED
from app.sync.model import Kind, Lane, RecordRef, Side
from app.sync.resolutions import ResolutionEnd

BATCH = 500
_LONGEST_NAME = 254
_WITHOUT_PARENT: Mapping[Side, str] = {Side.DRCHRONO: NO_PARENT, Side.SALESFORCE: PARENT_NOT_LINKED}
_ASKED_AT_ONCE = sa.case((links.c.drchrono_id.is_not(None), db_now()))  # what it had told is used up
_AGAIN: Mapping[str, Any] = {"last_error": None, "confirm_at": _ASKED_AT_ONCE, **due_again(Lane.RETRY)}


@dataclass(frozen=True, slots=True)
class Group:
    """Which failures are meant; None: all of them, but of those that were dismissed none unless they are asked for.

    field   one of those it is about, as that side names it
    fields  all of those it is about, as they are kept: their names with commas
    ids     those of these links alone
    """

    cause: str | None = None
    side: Side | None = None
    kind: Kind | None = None
    is_held: bool | None = None
    field: str | None = None
    fields: str | None = None
    ids: frozenset[str] | None = None
    is_dismissed: bool | None = False


def group_of(group: Group) -> sa.ColumnElement[bool]:
    """Give the condition under which a failure belongs to a group."""
    f = failures.c
    parts: list[sa.ColumnElement[bool]] = [sa.true()]
    if group.cause is not None:
        parts.append(f.cause == group.cause)
    if group.side is not None:
        parts.append(f.side == group.side.value)
    if group.kind is not None:
        parts.append(f.kind == group.kind.value)
    if group.is_held is not None:
        parts.append(f.is_held.is_(group.is_held))
    if group.field is not None:
        named = sa.literal(",") + f.fields + ","
        parts.append(named.contains(f",{group.field},", autoescape=True))
    if group.fields is not None:
        parts.append(f.fields == group.fields)
    if group.ids is not None:
        parts.append(f.link_id.in_(sorted(group.ids)))
    if group.is_dismissed is not None:
        parts.append(f.dismissed_at.is_not(None) if group.is_dismissed else f.dismissed_at.is_(None))
    return sa.and_(*parts)


async def count(database: Database, group: Group) -> int:
    """Give how many there are."""
    asked = sa.select(sa.func.count()).select_from(failures).where(group_of(group))
    return int((await database.read(asked))[0][0])


async def by_field(database: Database, span: timedelta) -> Counter[tuple[Kind, Side, str]]:
    """Give (kind, side, a field as that side names it) -> failures of the last span of time that still wait."""
    f, found = failures.c, Counter[tuple[Kind, Side, str]]()
    asked = sa.select(f.kind, f.side, f.fields, sa.func.count().label("records"))
    asked = asked.where(f.at >= after(-span), f.dismissed_at.is_(None))
    for row in await database.read(asked.group_by(f.kind, f.side, f.fields)):
        for name in row.fields.split(",") if row.fields and row.side in set(Side) else ():
            found[Kind(row.kind), Side(row.side), name] += row.records
    return found


async def some(database: Database, group: Group, limit: int, after: str = "") -> list[sa.Row[Any]]:
    """Give failures with their records' ids, in the order of their links, from after one on."""
    f = failures.c
    asked = sa.select(f.link_id, f.side, f.kind, f.cause, f.fields, f.is_held, f.at)
    asked = asked.add_columns(links.c.drchrono_id, links.c.salesforce_id)
    asked = asked.join(links, links.c.id == f.link_id).where(group_of(group), f.link_id > after)
    return await database.read(asked.order_by(f.link_id).limit(limit))


async def try_again(database: Database, group: Group, limit: int | None, act: Act) -> int:
    """Make records due again, their attempts given back, in commits of 500; gives how many.

    A failure goes once its record has succeeded. What was asked for and by whom is noted with the first commit.

    Raises  StoreUnavailable: what was committed before is due, and all of it may be asked for again
    """
    return await _in_batches(database, group, limit, act, _make_due)


async def dismiss(database: Database, group: Group, limit: int | None, act: Act) -> int:
    """Dismiss failures, at most so many, in commits of 500; gives how many.

    Their records are left as they are until a value changes on either side. What a person decided of them and was not
    carried out is dropped; whoever failed for want of one of them says that it was dismissed.
    """
    dismissed = {
        "dismissed_at": db_now(),
        "dismissed_by": (act.by.name or act.by.who)[:_LONGEST_NAME],
        "reason": act.reason,
    }

    async def mark(connection: AsyncConnection, ids: Sequence[str]) -> None:
        refs = await _say_so(connection, ids, {"status_due_at": db_now()})
        await connection.execute(sa.update(failures).where(failures.c.link_id.in_(ids)).values(dismissed))
        await resolutions.end_of(connection, ids, ResolutionEnd.DROPPED)
        for side, cause in _WITHOUT_PARENT.items():
            await _rename(connection, [ref for ref in refs if ref.side is side], cause, PARENT_DISMISSED)

    return await _in_batches(database, group, limit, act, mark)


async def restore(database: Database, group: Group, limit: int | None, act: Act) -> int:
    """Undo the dismissal of failures, in commits of 500: they wait for a person again, and are due; gives how many."""

    async def mark(connection: AsyncConnection, ids: Sequence[str]) -> None:
        refs = await _say_so(connection, ids, {**_AGAIN, "status_due_at": db_now()})
        await end_dismissals(connection, ids)
        for side, cause in _WITHOUT_PARENT.items():
            await _rename(connection, [ref for ref in refs if ref.side is side], PARENT_DISMISSED, cause)

    return await _in_batches(database, dataclasses.replace(group, is_dismissed=True), limit, act, mark)


async def end_dismissals(connection: AsyncConnection, link_ids: Sequence[str]) -> None:
    """Have what was dismissed of links wait for a person again."""
    if link_ids:
        none = dict.fromkeys(("dismissed_at", "dismissed_by", "reason"))
        await connection.execute(sa.update(failures).where(failures.c.link_id.in_(link_ids)).values(none))


async def _make_due(connection: AsyncConnection, ids: Sequence[str]) -> None:
    await connection.execute(sa.update(links).where(links.c.id.in_(ids)).values(_AGAIN))


async def _say_so(connection: AsyncConnection, ids: Sequence[str], values: Mapping[str, Any]) -> list[RecordRef]:
    """Change links before their failures, as whoever saves an outcome does, and give the records they stand for."""
    changed = sa.update(links).where(links.c.id.in_(ids)).values(values)
    named = changed.returning(links.c.kind, links.c.drchrono_id, links.c.salesforce_id)
    rows = (await connection.execute(named)).all()
    return [
        RecordRef(side, Kind(row.kind), id_)
        for row in rows
        for side, id_ in ((Side.DRCHRONO, row.drchrono_id), (Side.SALESFORCE, row.salesforce_id))
        if id_ is not None
    ]


async def _rename(connection: AsyncConnection, parents: Sequence[RecordRef], was: str, now: str) -> None:
    """Give another cause to the failures of those who wait for one of these; no vendor is asked for that."""
    waiting = await dependencies.waiting_for(connection, parents)
    theirs = sa.and_(failures.c.link_id.in_(waiting), failures.c.cause == was)
    if waiting:
        changed = sa.update(failures).where(theirs).values(cause=now).returning(failures.c.link_id)
        ids = (await connection.scalars(changed)).all()
        await connection.execute(sa.update(links).where(links.c.id.in_(ids)).values(status_due_at=db_now()))


async def _in_batches(
    database: Database,
    group: Group,
    limit: int | None,
    act: Act,
    do: Callable[[AsyncConnection, Sequence[str]], Awaitable[None]],
) -> int:
    """Do something to the failures of a group, in the order of their links, in short commits; gives how many.

    Those that failed since it began are left alone, so it ends whatever goes on beside it.
    """
    done, after = 0, ""
    (now,) = await database.read(sa.select(db_now().label("at")))
    while limit is None or done < limit:
        most = BATCH if limit is None else min(BATCH, limit - done)

        async def work(connection: AsyncConnection, after: str = after, most: int = most) -> list[str]:
            ids = await _next(connection, sa.and_(group_of(group), failures.c.at <= now.at), after, most)
            if ids:
                await do(connection, ids)
                await record_history.note_acts(connection, ids, act)
            if ids and not after:
                await audit.note(database, connection, act)
            return ids

        ids = await database.transact(work)
        if not ids:
            break
        done, after = done + len(ids), ids[-1]
    return done


async def _next(connection: AsyncConnection, these: sa.ColumnElement[bool], after: str, most: int) -> list[str]:
    asked = sa.select(failures.c.link_id).where(these, failures.c.link_id > after)
    return list(await connection.scalars(asked.order_by(failures.c.link_id).limit(most)))
