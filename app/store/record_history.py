"""A record's history: that it failed or is held, and what people did about it; causes and names of fields, no value.

What fails again in the same way, with nothing new that came in, counts on one row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.ports import Act, Action, By
from app.store.clock import db_now
from app.store.database import Database
from app.store.tables import decisions, record_history
from app.sync.model import Side

_h, _d = record_history.c, decisions.c
_MOST_DELIVERIES = 50


class Happened(StrEnum):
    """What a row says: how a look at the record ended, or what a person did about it."""

    FAILED = "failed"
    HELD = "held"
    RETRIED = "retried"
    DISMISSED = "dismissed"
    RESTORED = "restored"
    CHECKED = "checked"
    NOTED = "noted"


_OF_ACTIONS: Mapping[Action, Happened] = {
    Action.RETRY: Happened.RETRIED,
    Action.DISCARD: Happened.DISMISSED,
    Action.RESTORE: Happened.RESTORED,
    Action.LOOK: Happened.CHECKED,
    Action.NOTE: Happened.NOTED,
}


@dataclass(frozen=True, slots=True)
class FailedTurn:
    """A look at a record that ended in a failure or a hold; `deliveries`: what had come in for it."""

    link_id: str
    side: Side
    cause: str
    fields: str
    is_held: bool
    deliveries: tuple[str, ...] = field(default=())


def name_of(by: By) -> str:
    """Give what a person who acts is called: by name, else by the session, bearer or command that it was."""
    return (by.name or by.who)[:254]


_INSERTED = sa.insert(record_history).values(at=db_now(), last_at=db_now())
_AGAIN = sa.update(record_history).where(_h.id == sa.bindparam("p_id")).values(times=_h.times + 1, last_at=db_now())


async def note_failures(connection: AsyncConnection, turns: Sequence[FailedTurn]) -> None:
    """Note that looks ended in failures and holds; the same once more, and of nothing new, is counted."""
    if not turns:
        return
    newest = sa.select(sa.func.max(_h.id)).where(_h.link_id.in_([one.link_id for one in turns])).group_by(_h.link_id)
    before = {row.link_id: row for row in await connection.execute(sa.select(record_history).where(_h.id.in_(newest)))}
    again = [before[one.link_id].id for one in turns if _is_the_same(one, before.get(one.link_id))]
    news = [one for one in turns if not _is_the_same(one, before.get(one.link_id))]
    if again:
        await connection.execute(_AGAIN, [{"p_id": id_} for id_ in sorted(again)])
    if news:
        await connection.execute(_INSERTED, [_row(one) for one in news])


def _is_the_same(turn: FailedTurn, row: Any) -> bool:
    if row is None or turn.deliveries:
        return False
    what = _what(turn).value
    return (row.what, row.side, row.cause, row.fields) == (what, turn.side.value, turn.cause, turn.fields)


def _what(turn: FailedTurn) -> Happened:
    return Happened.HELD if turn.is_held else Happened.FAILED


def _row(turn: FailedTurn) -> dict[str, Any]:
    return {
        "id": str(ULID()),
        "link_id": turn.link_id,
        "what": _what(turn).value,
        "side": turn.side.value,
        "cause": turn.cause,
        "fields": turn.fields,
        "deliveries": list(turn.deliveries[-_MOST_DELIVERIES:]),
    }


async def note_acts(connection: AsyncConnection, link_ids: Sequence[str], act: Act) -> None:
    """Note what a person did about records, by whom; an act that no history tells of is passed over."""
    happened = _OF_ACTIONS.get(act.action)
    if happened is not None and link_ids:
        rows = [
            {"id": str(ULID()), "link_id": link_id, "what": happened.value, "by_name": name_of(act.by)}
            for link_id in link_ids
        ]
        await connection.execute(_INSERTED, rows)


async def move(connection: AsyncConnection, from_id: str, to_id: str) -> None:
    """Give a link's history to the link that stands for its record from now on."""
    await connection.execute(sa.update(record_history).where(_h.link_id == from_id).values(link_id=to_id))


async def acts_of(database: Database, link_id: str, limit: int, before: str | None = None) -> list[sa.Row[Any]]:
    """Give what happened to a record, newest first; older than an id where told."""
    asked = sa.select(record_history).where(_h.link_id == link_id)
    if before is not None:
        asked = asked.where(_h.id < before)
    return await database.read(asked.order_by(_h.id.desc()).limit(limit))


async def decisions_of(database: Database, link_id: str, limit: int, before: str | None = None) -> list[sa.Row[Any]]:
    """Give what people decided of a record and how that ended, newest first; older than an id where told."""
    columns = (_d.id, _d.field, _d.side, _d.twin, _d.conflict_id, _d.by_name, _d.state, _d.at, _d.ended_at)
    asked = sa.select(*columns).where(_d.link_id == link_id)
    if before is not None:
        asked = asked.where(_d.id < before)
    return await database.read(asked.order_by(_d.id.desc()).limit(limit))
