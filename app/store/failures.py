"""What waits for a person, as a group of it is tried again or let go: by cause, side and kind, never a whole table."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import Act
from app.store import audit, record_history, resolutions
from app.store.clock import after, db_now
from app.store.database import Database
from app.store.links import due_again
from app.store.tables import failures, links
from app.sync.model import Kind, Lane, Side
from app.sync.resolutions import ResolutionEnd

BATCH = 500
_ASKED_AT_ONCE = sa.case((links.c.drchrono_id.is_not(None), db_now()))  # what it had told is used up


@dataclass(frozen=True, slots=True)
class Group:
    """Which failures are meant; None: all of them.

    field   one of those it is about, as that side names it
    fields  all of those it is about, as they are kept: their names with commas
    """

    cause: str | None = None
    side: Side | None = None
    kind: Kind | None = None
    is_held: bool | None = None
    field: str | None = None
    fields: str | None = None


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
    return sa.and_(*parts)


async def count(database: Database, group: Group) -> int:
    """Give how many there are."""
    asked = sa.select(sa.func.count()).select_from(failures).where(group_of(group))
    return int((await database.read(asked))[0][0])


async def by_field(database: Database, span: timedelta) -> Counter[tuple[Kind, Side, str]]:
    """Give (kind, side, a field as that side names it) -> failures of the last span of time that still wait."""
    f, found = failures.c, Counter[tuple[Kind, Side, str]]()
    asked = sa.select(f.kind, f.side, f.fields, sa.func.count().label("records")).where(f.at >= after(-span))
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
    again = {"last_error": None, "confirm_at": _ASKED_AT_ONCE, **due_again(Lane.RETRY)}

    async def due(connection: AsyncConnection, ids: Sequence[str]) -> None:
        await connection.execute(sa.update(links).where(links.c.id.in_(ids)).values(again))

    return await _in_batches(database, group, limit, act, due)


async def let_go(database: Database, group: Group, limit: int | None, act: Act) -> int:
    """Forget failures, at most so many, in commits of 500, and leave their records alone until the next edit.

    What DrChrono had told is used up, so at that next edit it is asked what it holds. What a person decided of them and
    was not carried out is dropped. Gives how many.
    """

    async def forget(connection: AsyncConnection, ids: Sequence[str]) -> None:
        is_idle = sa.and_(links.c.id.in_(ids), links.c.due_at.is_(None))
        left = {"last_error": None, "confirm_at": _ASKED_AT_ONCE}
        await connection.execute(sa.update(links).where(is_idle).values(left))
        await connection.execute(sa.update(links).where(links.c.id.in_(ids)).values(status_due_at=db_now()))
        await connection.execute(sa.delete(failures).where(failures.c.link_id.in_(ids)))
        await resolutions.end_of(connection, ids, ResolutionEnd.DROPPED)

    return await _in_batches(database, group, limit, act, forget)


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
