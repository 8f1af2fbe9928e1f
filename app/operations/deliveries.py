"""Looking through what the vendors delivered, and running it again."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.errors import Undecryptable
from app.log import log
from app.ports import Act, Action, By, ListPage, SealedColumn, first_of
from app.runtime import Runtime
from app.store import attention, audit, deliveries
from app.sync.diff import MASK
from app.sync.model import Kind

MOST_AT_ONCE = 10_000
_MOST_COUNTED = 50_000
DeliveryFilter = deliveries.DeliveryFilter
Outcome = deliveries.Outcome
ReplayResult = deliveries.ReplayResult


@dataclass(frozen=True, slots=True)
class Told:
    """What a delivery says of one record."""

    side: str
    kind: str
    record_id: str
    version: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored delivery.

    is_bare  its body is older than RETENTION_DAYS and was dropped
    """

    id: str
    side: str
    event: str
    vendor_id: str | None
    outcome: str
    received_at: datetime
    is_bare: bool
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class ToReplay:
    """Deliveries that would run again: the newest of those that match, 10,000 at most; `total`: how many match."""

    ids: tuple[str, ...]
    total: int


async def look_through(
    runtime: Runtime, wanted: DeliveryFilter, limit: int, before: str | None = None, *, is_counted: bool = True
) -> ListPage[Kept]:
    """Give deliveries that match, newest first, older than an id where told.

    is_counted  whether the page says how many match: of millions that takes a while
    Raises      StoreUnavailable
    """
    rows = await deliveries.lately(runtime.database, wanted, limit + 1, before)
    told = await deliveries.told(runtime.database, [row.id for row in rows])
    found = [Kept(**row._asdict(), told=_told(told.get(row.id, []))) for row in rows]
    total = await deliveries.count(runtime.database, wanted) if is_counted else None
    return first_of(found, limit, lambda one: one.id, total)


async def to_replay(runtime: Runtime, wanted: DeliveryFilter) -> ToReplay:
    """Give what would run again, for a person to see its number before they mean it.

    Raises  StoreUnavailable
    """
    ids = await deliveries.ids(runtime.database, wanted, MOST_AT_ONCE)
    is_cut = len(ids) == MOST_AT_ONCE
    return ToReplay(tuple(ids), await deliveries.count(runtime.database, wanted) if is_cut else len(ids))


async def match_count(runtime: Runtime, wanted: DeliveryFilter) -> int | None:
    """Give how many match, counted up to one more than can run again at once.

    None where that would go through very many: those of a kind are found by going through all of the range.

    Raises  StoreUnavailable
    """
    if wanted.kind is not None and wanted.record_id is None:
        every = replace(wanted, kind=None, is_open=False)
        if await deliveries.count(runtime.database, every, _MOST_COUNTED + 1) > _MOST_COUNTED:
            return None
    return await deliveries.count(runtime.database, wanted, MOST_AT_ONCE + 1)


async def unprocessed_count(runtime: Runtime, wanted: DeliveryFilter) -> int:
    """Give how many that match have not been processed yet.

    Raises  StoreUnavailable
    """
    return await deliveries.open_count(runtime.database, wanted)


async def one(runtime: Runtime, delivery_id: str) -> Kept | None:
    """Give one delivery; None where there is none of that id."""
    row = await deliveries.one(runtime.database, delivery_id)
    if row is None:
        return None
    told = await deliveries.told(runtime.database, [row.id])
    is_bare = row.body is None
    return Kept(
        row.id, row.side, row.event, row.vendor_id, row.outcome, row.received_at, is_bare, _told(told.get(row.id, []))
    )


def _told(rows: Sequence[Any]) -> tuple[Told, ...]:
    return tuple(Told(row.side, row.kind, row.record_id, row.version, row.finished_at) for row in rows)


async def body(runtime: Runtime, delivery_id: str, by: By | None) -> Mapping[str, str] | None:
    """Give name -> value of what we kept of a delivery's body; masked unless somebody reveals it, which is noted.

    Gives None where nothing is left of it, or where no configured key opens it.
    """
    row = await deliveries.one(runtime.database, delivery_id)
    if row is None or row.body is None:
        return None
    try:
        raw = runtime.vault.open_bytes(row.body, SealedColumn.DELIVERY_BODY.of(delivery_id))
    except Undecryptable:
        return None
    if by is not None:
        await audit.record(runtime.database, Act(by, Action.REVEAL, f"delivery {delivery_id}"))
        log.warning("delivery.revealed", delivery_id=delivery_id)
    return {name: _shown(value, is_masked=by is None) for name, value in _fields(raw).items()}


def _fields(raw: bytes) -> dict[str, Any]:
    """Give the fields of a body; one that could not be read is one field."""
    try:
        document = json.loads(raw)
    except ValueError:
        return {"as it came": raw.decode("utf-8", "replace")}
    if isinstance(document, dict):
        return document
    return {"as it came": document}


def _shown(value: Any, *, is_masked: bool) -> str:
    if value is None or value == "":
        return ""
    if is_masked:
        return MASK
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def replay(runtime: Runtime, ids: Sequence[str], by: By) -> ReplayResult:
    """Run deliveries again, note it, and ring; of none nothing is noted.

    Raises  StoreUnavailable
    """
    if not ids:
        return ReplayResult()
    about = f"delivery {ids[0]}" if len(ids) == 1 else f"{len(ids)} deliveries"
    told = await deliveries.replay(runtime.database, ids, Act(by, Action.REPLAY, about, len(ids)))
    log.warning("deliveries.replayed", deliveries=told.deliveries, records=told.records)
    runtime.wakeup.notify(runtime.mappings)
    return told


async def last_bodies(runtime: Runtime, kind: Kind, ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Give, of DrChrono's records by id, the last body of each that is kept, opened in memory.

    Raises  StoreUnavailable
    """
    found: dict[str, Mapping[str, Any]] = {}
    for row in await attention.latest_bodies(runtime.database, kind, ids):
        try:
            found[row.record_id] = runtime.vault.open(row.body, SealedColumn.DELIVERY_BODY.of(row.id))
        except Undecryptable:
            continue
    return found
