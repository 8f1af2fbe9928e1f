"""The doctors' time zones, by which visits are read; a change of one has to be applied to the visits to come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.clock import db_now
from app.store.database import Database, DialectInsert, Insert
from app.store.links import mark_due
from app.store.tables import zones
from app.sync.model import Kind, Side

_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Change:
    """A doctor whose zone has changed, and a mark of that change."""

    doctor_id: str
    mark: object


_ZONES = sa.select(zones.c.doctor_id, zones.c.zone)


async def all_zones(database: Database) -> dict[str, str]:
    """Give every doctor's zone, verbatim, by DrChrono id."""
    return {row.doctor_id: row.zone for row in await database.read(_ZONES)}


def _kept(insert: Insert) -> sa.Executable:
    first = insert.values(changed_at=db_now(), applied_at=db_now())
    return first.on_conflict_do_update(
        index_elements=[zones.c.doctor_id],
        set_={"zone": first.excluded.zone, "changed_at": db_now(), "applied_at": zones.c.applied_at},
        where=zones.c.zone != first.excluded.zone,
    )


_KEPT = DialectInsert(zones, _kept)


async def keep(connection: AsyncConnection, by_doctor: Mapping[str, str]) -> None:
    """Remember doctors' zones; one that is another than before is a change that is still to be applied."""
    for doctor_id, zone in sorted(by_doctor.items()):
        await connection.execute(_KEPT.on(connection), {"doctor_id": doctor_id, "zone": zone[:_LONGEST]})


async def changes(database: Database) -> list[Change]:
    """Give the changes of zone that are still to be applied."""
    asked = sa.select(zones.c.doctor_id, zones.c.changed_at).where(zones.c.applied_at < zones.c.changed_at)
    return [Change(row.doctor_id, row.changed_at) for row in await database.read(asked)]


async def apply_change(database: Database, kind: Kind, change: Change, ids: Sequence[str]) -> None:
    """Make due the visits that Salesforce holds by these ids, and remember that a change was applied, in one commit."""

    async def work(connection: AsyncConnection) -> None:
        await mark_due(connection, kind, Side.SALESFORCE, ids)
        await applied(connection, change)

    await database.transact(work)


async def applied(connection: AsyncConnection, change: Change) -> None:
    """Remember that a change was applied; one that came since is left to be."""
    is_it = sa.and_(zones.c.doctor_id == change.doctor_id, zones.c.changed_at == change.mark)
    await connection.execute(sa.update(zones).where(is_it).values(applied_at=zones.c.changed_at))
