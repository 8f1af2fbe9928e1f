"""What people decided: of a field, whose value counts, or that an old one comes back; of a record, which one it is.

A decision is kept with making its record due, in one commit, and ends with the look that carried it out, or that found
it overtaken. Of one field at most one is open; an old value is put back once. No value lies here: an old one is read
where it was kept, sealed, with its conflict.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.ports import Act
from app.store import audit, record_history
from app.store.clock import db_now
from app.store.database import Database, among, insert_into
from app.store.links import look_again, mark_link_due
from app.store.tables import conflicts, decisions
from app.sync.model import Lane, Side
from app.sync.resolutions import ResolutionEnd


@dataclasses.dataclass(frozen=True, slots=True)
class Resolution:
    """One decision as it is kept; `kept`: sealed, both values of the conflict whose old one comes back."""

    link_id: str
    field: str
    side: Side
    expects: Mapping[str, str] = dataclasses.field(default_factory=dict)
    twin: str | None = None
    conflict_id: str | None = None
    kept: str | None = None
    id: str = dataclasses.field(default_factory=lambda: str(ULID()))


class _LostTheRaceError(Exception):
    """Somebody else decided about one of the fields in the same moment."""


async def decide(database: Database, link_id: str, wanted: Sequence[Resolution], act: Act) -> bool:
    """Keep all of a link's decisions or none, make it due and note the act, in one commit; False where one is open.

    A decision that names a record has both sides asked again.
    """

    async def work(connection: AsyncConnection) -> bool:
        if await is_open(connection, link_id, [each.field for each in wanted]):
            return False
        for each in wanted:
            if not await keep(connection, each, record_history.name_of(act.by)):
                raise _LostTheRaceError
        await (mark_link_due if wanted[0].twin is None else look_again)(connection, link_id, Lane.LIVE)
        await audit.note(database, connection, act)
        return True

    try:
        return await database.transact(work)
    except _LostTheRaceError:  # rolled back, whatever of it was kept
        return False


async def keep(connection: AsyncConnection, one: Resolution, by_name: str = "") -> bool:
    """Keep a decision, and who took it; False where the field has an open one, or the old value was put back before."""
    row = {
        "id": one.id,
        "link_id": one.link_id,
        "field": one.field,
        "side": one.side.value,
        "twin": one.twin,
        "expects": dict(one.expects),
        "conflict_id": one.conflict_id,
        "by_name": by_name,
        "state": ResolutionEnd.OPEN.value,
    }
    insert = insert_into(decisions, connection.dialect).values(at=db_now(), **row)
    made = await connection.execute(insert.on_conflict_do_nothing().returning(decisions.c.id))
    return made.first() is not None


async def is_open(connection: AsyncConnection, link_id: str, fields: Collection[str]) -> bool:
    """Say whether one of these fields of a link has an open decision."""
    theirs = (decisions.c.link_id == link_id, decisions.c.field.in_(sorted(fields)), decisions.c.ended_at.is_(None))
    return (await connection.execute(sa.select(decisions.c.id).where(*theirs).limit(1))).first() is not None


async def waiting(database: Database, link_ids: Sequence[str]) -> set[str]:
    """Give the links of which a decision is still to be carried out."""
    asked = sa.select(decisions.c.link_id).where(decisions.c.link_id.in_(link_ids), decisions.c.ended_at.is_(None))
    return {row.link_id for row in await database.read(asked)} if link_ids else set()


_d = decisions.c
_OPEN = (
    sa.select(_d.id, _d.link_id, _d.field, _d.side, _d.expects, _d.twin, _d.conflict_id, conflicts.c.kept)
    .select_from(decisions.outerjoin(conflicts, conflicts.c.id == _d.conflict_id))
    .where(_d.link_id.in_(among("p_ids")), _d.ended_at.is_(None))
)


async def open_of(connection: AsyncConnection, link_ids: Sequence[str]) -> dict[str, list[Resolution]]:
    """Give link id -> its open decisions."""
    found: dict[str, list[Resolution]] = {}
    for row in await connection.execute(_OPEN, {"p_ids": link_ids}) if link_ids else ():
        one = Resolution(
            row.link_id, row.field, Side(row.side), row.expects, row.twin, row.conflict_id, row.kept, row.id
        )
        found.setdefault(row.link_id, []).append(one)
    return found


_ENDED = (
    sa.update(decisions)
    .where(_d.id == sa.bindparam("p_id"), _d.ended_at.is_(None))
    .values(state=sa.bindparam("p_state"), ended_at=db_now())
)


async def end(connection: AsyncConnection, ended: Mapping[str, str]) -> None:
    """End decisions that are open: id -> how."""
    if ended:
        rows = [{"p_id": key, "p_state": state} for key, state in sorted(ended.items())]
        await connection.execute(_ENDED, rows)


async def end_of(connection: AsyncConnection, link_ids: Collection[str], how: ResolutionEnd) -> None:
    """End the open decisions of links."""
    if link_ids:
        theirs = sa.and_(decisions.c.link_id.in_(sorted(link_ids)), decisions.c.ended_at.is_(None))
        await connection.execute(sa.update(decisions).where(theirs).values(state=how.value, ended_at=db_now()))
