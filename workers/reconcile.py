"""Compare: point out records that may differ, as a delivery would; from there on it is one path.

Doctors and offices raise no webhooks, so DrChrono's own list of them is all we hear of them. A doctor who has moved to
another zone has the visits to come looked at again.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app import runtime
from app.errors import StoreUnavailable, SyncError
from app.log import log
from app.runtime import Runtime
from app.store import links, schedules, zones
from app.store.inbox import LISTED, Delivery, Event, Inbox
from app.sync.mapping import Table
from app.sync.records import Kind, Side
from app.vendors.drchrono import wire

_LOOK_S = 2.0
_AFTER_A_FAILURE = timedelta(minutes=1)

Ring = Callable[[Iterable[str]], None]


async def reconciling(run: Runtime, ring: Ring) -> None:
    """Do it whenever it is time, for ever."""
    inbox = runtime.inbox(run, lambda group: ring({event.kind for one in group for event in one.events}))
    try:
        while True:
            try:
                await compare_when_due(run, inbox)
                await apply_zones(run, ring)
            except StoreUnavailable:
                log.warning("database.away", advice="it is compared when it is back")
            await asyncio.sleep(_LOOK_S)
    finally:
        await inbox.close()


async def compare_when_due(run: Runtime, inbox: Inbox) -> None:
    """Point out what only a list tells of, once every RECONCILE_EVERY for all workers together."""
    if run.drchrono is None or run.salesforce is None:
        return
    for kind, table in run.mappings.items():
        name = f"list_{kind}"
        if not table.is_one_way or not await schedules.is_ours(run.database, name, run.settings.reconcile_every):
            continue
        try:
            found = await point_out(run, inbox, kind)
        except SyncError as error:
            await schedules.again_in(run.database, name, _AFTER_A_FAILURE)
            log.warning("list.failed", kind=kind.value, error=type(error).__name__, cause=str(error))
        else:
            log.info("list.compared", kind=kind.value, records=found)


async def point_out(run: Runtime, inbox: Inbox, kind: Kind) -> int:
    """Have every record of a kind looked at, as DrChrono lists it now; gives how many there are."""
    assert run.drchrono is not None
    mark = str(ULID())  # each list says it anew: Salesforce may hold something else by now
    rows = await run.drchrono.listed(run.mappings[kind].path)
    await asyncio.gather(*(inbox.keep(_delivery(run, kind, row, mark)) for row in rows))
    return len(rows)


def _delivery(run: Runtime, kind: Kind, row: dict[str, Any], mark: str) -> Delivery:
    record_id, version = wire.record_id(row), wire.version(row)
    key = run.keys.digest(LISTED.encode(), mark.encode(), kind.encode(), record_id.encode())
    sealed = run.vault.seal(run.mappings[kind].keep(row, "id", "updated_at", *wire.BESIDE))
    events = (Event(Side.DRCHRONO, kind, record_id, version),)
    return Delivery(Side.DRCHRONO, LISTED, None, key, sealed, "kept", events)


async def _to_come(run: Runtime, table: Table, doctor_id: str) -> list[str]:
    """Give the visits of a doctor that Salesforce holds and that are still to come."""
    assert run.salesforce is not None
    doctor = next(row for row in table.rows.values() if row.parent is Kind.DOCTOR)
    start = next(row for row in table.rows.values() if row.options.zone == table.zoned)
    names = doctor.selected[0], start.names[Side.SALESFORCE]
    condition = f"{names[0]} = {{}} AND {names[1]} > {{}}"
    return await run.salesforce.where(table.object, condition, doctor_id, run.now())


async def apply_zones(run: Runtime, ring: Ring) -> None:
    """Have the visits to come of doctors whose zone has changed looked at again."""
    if run.salesforce is None:
        return
    for kind, table in run.mappings.items():
        if table.zoned is None:
            continue
        for change in await zones.changes(run.database):
            try:
                ids = await _to_come(run, table, change.doctor_id)
            except SyncError as error:
                log.warning("zone.not_applied", kind=kind.value, error=type(error).__name__, cause=str(error))
                return

            async def work(connection: AsyncConnection, change: zones.Change = change, ids: list[str] = ids) -> None:
                await links.point_out(connection, kind, Side.SALESFORCE, ids)  # noqa: B023
                await zones.applied(connection, change)

            await run.database.transact(work)
            ring([kind.value])
            log.info("zone.applied", kind=kind.value, records=len(ids))
