"""Compare: point out the records that may differ, as a delivery would; from there on it is one path.

What was missed by webhook or message is found by what each side says has changed since; doctors and offices raise no
webhooks, so DrChrono's list of them is all we hear of them. A doctor who has moved to another zone has the visits to
come looked at again. A first load is a compare since ever.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app import runtime
from app.errors import StoreUnavailable, SyncError
from app.log import log
from app.runtime import Runtime
from app.store import links, schedules, zones
from app.store.inbox import LISTED, Delivery, Event, Inbox
from app.sync.absence import is_deleted
from app.sync.mapping import Table
from app.sync.records import Kind, Link, Side
from app.sync.rules import Rules
from app.vendors.drchrono import wire
from workers.visits import skipped

Ring = Callable[[Iterable[str]], None]
Say = Callable[[Kind, Side, int], None]

EVER = datetime(2000, 1, 1, tzinfo=UTC)
ORDER = (Kind.DOCTOR, Kind.OFFICE, Kind.PATIENT, Kind.APPOINTMENT)  # parents first
_LOOK_S = 2.0
_AFTER_A_FAILURE = timedelta(minutes=1)
_DAYS = timedelta(days=2)  # DrChrono's `since` knows days only, of a zone it does not name
_MINUTES = timedelta(minutes=10)  # what Salesforce stamped may be committed a little later
_SHOWN = {
    Kind.PATIENT: {"show_inactive": "true"},
    Kind.APPOINTMENT: {"show_archived": "true", "ignore_virtual": "true"},
}


async def reconciling(run: Runtime, ring: Ring) -> None:
    """Do it whenever it is time, for ever."""
    inbox = runtime.inbox(run, lambda group: ring({event.kind for one in group for event in one.events}))
    try:
        while True:
            try:
                await compare_when_due(run, inbox, ring)
                await apply_zones(run, ring)
            except StoreUnavailable:
                log.warning("database.away", advice="it is compared when it is back")
            await asyncio.sleep(_LOOK_S)
    finally:
        await inbox.close()


async def compare_when_due(run: Runtime, inbox: Inbox, ring: Ring) -> None:
    """Compare every kind, once every RECONCILE_EVERY for all workers together."""
    if run.drchrono is None or run.salesforce is None:
        return
    for kind in ORDER:
        name = f"compare_{kind}"
        if kind not in run.mappings or not await schedules.is_ours(run.database, name, run.settings.reconcile_every):
            continue
        try:
            await compare(run, inbox, kind)
            ring([kind.value])
        except SyncError as error:
            await schedules.again_in(run.database, name, _AFTER_A_FAILURE)
            log.warning("compare.failed", kind=kind.value, error=type(error).__name__, cause=str(error))


async def compare(run: Runtime, inbox: Inbox, kind: Kind, since: datetime | None = None) -> Mapping[Side, int]:
    """Point out every record of a kind that either side says has changed; gives how many, by side.

    since   from then on; None: since the last compare, or of the last two days when there was none
    Raises  SyncError; what was pointed out until then stays so
    """
    started, name = run.now(), f"compare_{kind}"
    begin = since or await schedules.watermark(run.database, name) or started - _DAYS
    found = {
        Side.DRCHRONO: await _from_drchrono(run, inbox, kind, begin),
        Side.SALESFORCE: await _from_salesforce(run, kind, begin),
    }
    await schedules.raise_watermark(run.database, name, started)
    log.info("compare.done", kind=kind.value, records=sum(found.values()))
    return found


async def _from_drchrono(run: Runtime, inbox: Inbox, kind: Kind, begin: datetime) -> int:
    table, mark, count = run.mappings[kind], str(ULID()), 0  # each list says it anew: Salesforce may differ by now
    assert run.drchrono is not None
    asked = {} if table.is_one_way else {"since": f"{begin - _DAYS:%Y-%m-%d}", **_SHOWN.get(kind, {})}
    async for page in run.drchrono.pages(table.path, asked):
        agreed = await links.agreed(run.database, kind, [wire.record_id(row) for row in page])
        rows = [row for row in page if _says_news(run.rules(kind), row, agreed.get(wire.record_id(row)))]
        await asyncio.gather(*(inbox.keep(_delivery(run, kind, row, mark)) for row in rows))
        count += len(rows)
    return count


def _says_news(rules: Rules, row: dict[str, Any], link: Link | None) -> bool:
    """Say whether a row of a list holds anything but what both sides last agreed on.

    Its stamp does not tell: of two edits in one second the first may be all we heard of. Of what is in no link,
    deleted visits and breaks will never be in one. Doctors and offices are looked at whatever DrChrono says: an edit
    of Salesforce's is put back.
    """
    if rules.table.is_one_way:
        return True
    record_id = wire.record_id(row)
    sight = rules.table.read(Side.DRCHRONO, record_id, row, version="", confirmed=False)
    if link is None:
        return not is_deleted(rules, sight) and not skipped(rules.table.kind, record_id, row)
    return bool(rules.changed(link, sight.fields) - {rules.table.zoned})


def _delivery(run: Runtime, kind: Kind, row: dict[str, Any], mark: str) -> Delivery:
    record_id, version = wire.record_id(row), wire.version(row)
    key = run.keys.digest(LISTED.encode(), mark.encode(), kind.encode(), record_id.encode())
    sealed = run.vault.seal(run.mappings[kind].keep(row, "id", "updated_at", *wire.BESIDE))
    events = (Event(Side.DRCHRONO, kind, record_id, version),)
    return Delivery(Side.DRCHRONO, LISTED, None, key, sealed, "kept", events)


async def _from_salesforce(run: Runtime, kind: Kind, begin: datetime) -> int:
    """Point out what changed there: of what is linked also what was deleted, and what asks to be taken over."""
    assert run.salesforce is not None
    table = run.mappings[kind]
    after = begin - _MINUTES
    changed = await run.salesforce.where(table.object, "SystemModstamp >= {}", after, deleted=True)
    is_asked_for = f" AND ({table.opt_in} = true OR {table.external_id} != null)" if table.opt_in else ""
    condition = f"SystemModstamp >= {{}}{is_asked_for}"
    wanted = [] if table.is_one_way else await run.salesforce.where(table.object, condition, after)

    async def work(connection: AsyncConnection) -> int:
        known = await links.point_out(connection, kind, Side.SALESFORCE, changed)
        return known + await links.note(connection, kind, wanted)

    return await run.database.transact(work)


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
    for table in [one for one in run.mappings.values() if one.zoned is not None]:
        for change in await zones.changes(run.database):
            try:
                ids = await _to_come(run, table, change.doctor_id)
            except SyncError as error:
                log.warning("zone.not_applied", kind=table.kind.value, error=type(error).__name__, cause=str(error))
                return
            await run.database.transact(_applied(table.kind, change, ids))
            ring([table.kind.value])
            log.info("zone.applied", kind=table.kind.value, records=len(ids))


def _applied(kind: Kind, change: zones.Change, ids: list[str]) -> Callable[[AsyncConnection], Any]:
    async def work(connection: AsyncConnection) -> None:
        await links.point_out(connection, kind, Side.SALESFORCE, ids)
        await zones.applied(connection, change)

    return work
