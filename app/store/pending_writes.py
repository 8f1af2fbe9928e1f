"""Our own writes, as the journal has them, of links that are looked at: unsettled ones, and what may land late."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.clock import db_now
from app.store.database import Database, among
from app.store.tables import journal, links
from app.sync.model import OPEN, UPLOAD, PendingWrite, Side, WriteState
from app.sync.plan import SettledWrites


@dataclass(frozen=True, slots=True)
class OwnWrites:
    """The writes of one link, oldest first: those whose outcome is not known, and those that may land late."""

    unsettled: tuple[PendingWrite, ...] = ()
    late: tuple[PendingWrite, ...] = ()


NONE = OwnWrites()
_j = journal.c
_WRITES = sa.select(
    *(_j.id, _j.link_id, _j.side, _j.call, _j.stamps, _j.sent, _j.content_stamp),
    *(_j.record_id, _j.searched_at, _j.job, _j.late_until),
    sa.func.coalesce(_j.late_until, _j.settle_at, type_=_j.settle_at.type).label("until"),
).where(_j.link_id.in_(among("p_ids")))
_OPEN_WRITES = _WRITES.where(_j.state.in_(OPEN)).order_by(_j.id)
_LATE_WRITES = _WRITES.where(_j.late_until.is_not(None)).order_by(_j.id)
_MADE = _WRITES.where(_j.state == WriteState.CONFIRMED.value, _j.record_id.is_not(None)).order_by(_j.id)


async def of_links(connection: AsyncConnection, ids: Sequence[str], lone: Sequence[str]) -> dict[str, OwnWrites]:
    """Give link id -> its writes; a *planned* one is a dead worker's, so it may have been sent.

    Of a Contact without a chart (`lone`) also the create that made one: its worker died before it could say so in the
    link.
    """
    unsettled = list(await connection.execute(_OPEN_WRITES, {"p_ids": ids}))
    if lone:
        unsettled += await connection.execute(_MADE, {"p_ids": lone})
    late = list(await connection.execute(_LATE_WRITES, {"p_ids": ids}))
    found = _by_link(unsettled), _by_link(late)
    return {
        link_id: OwnWrites(*(tuple(part.get(link_id, ())) for part in found)) for link_id in found[0].keys() | found[1]
    }


_UPLOADED = (
    sa.select(links.c.drchrono_id)
    .join(journal, journal.c.link_id == links.c.id)
    .where(
        *(_j.state.in_(OPEN), _j.call == UPLOAD, _j.side == Side.SALESFORCE.value),
        links.c.drchrono_id.in_(among("p_ids")),
        sa.or_(links.c.due_at.is_not(None), links.c.lease_owner.is_not(None)),
    )
)


async def being_uploaded(database: Database, ids: Collection[str]) -> set[str]:
    """Give, of DrChrono's ids, those of which an upload to Salesforce is looked for, whose outcome is not known."""
    rows = await database.read(_UPLOADED, {"p_ids": sorted(ids)}) if ids else []
    return {row.drchrono_id for row in rows}


def _by_link(rows: Iterable[Any]) -> dict[str, list[PendingWrite]]:
    writes: dict[str, list[PendingWrite]] = {}
    for row in rows:
        stamps = {name: (old, new) for name, (old, new) in row.stamps.items()}
        made = (row.sent, row.record_id, row.searched_at)
        write = PendingWrite(row.id, Side(row.side), stamps, row.until, *made, row.job, row.call, row.content_stamp)
        writes.setdefault(row.link_id, []).append(write)
    return writes


_SETTLED = (
    sa.update(journal)
    .where(journal.c.id == sa.bindparam("p_id"))
    .values(state=sa.bindparam("p_state"), answered_at=db_now())
)
_LATE = sa.update(journal).where(journal.c.id == sa.bindparam("p_id")).values(late_until=journal.c.settle_at)
_OVER = sa.update(journal).where(journal.c.id == sa.bindparam("p_id")).values(late_until=None)


async def settle(connection: AsyncConnection, settled: Sequence[SettledWrites]) -> None:
    """Journal what is known now of own writes, and which of them may land late."""
    ends: Mapping[WriteState, Sequence[str]] = {
        WriteState.CONFIRMED: [key for one in settled for key in one.landed],
        WriteState.REFUSED: [key for one in settled for key in one.lost],
    }
    rows = [{"p_id": key, "p_state": state.value} for state, keys in ends.items() for key in keys]
    late = [{"p_id": key} for one in settled for key in one.late]
    over = [{"p_id": key} for one in settled for key in one.over]
    for statement, told in ((_SETTLED, rows), (_LATE, late), (_OVER, over)):
        if told:
            await connection.execute(statement, told)
