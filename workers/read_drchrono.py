"""What DrChrono shows of a record: the bodies it has delivered, and its own answer where that is needed.

Its calls are scarce, so the newest body counts as a read while nothing contradicts it. In doubt one GET decides, some
seconds later, but at once where it is about who somebody is; and a few of the bodies that are believed are read back.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from app.errors import SyncError, Unauthorized, Undecryptable
from app.log import log
from app.ports import SealedColumn
from app.store.work_queue import DeliveredBody
from app.sync.card_requests import asks_for_sync
from app.sync.deletions import is_said_twice
from app.sync.failure_causes import NOT_SHOWN_ONCE
from app.sync.model import Absent, NeedsConfirmation, Seen, Side, Snapshot
from app.sync.snapshots import SideReader
from app.sync.trust import IDENTITY_CHANGED, shows_delivered
from app.vendors.drchrono import wire
from workers.batch import Batch, Observed

Question = Callable[[Batch, SideReader, Observed], Awaitable[Observed]]


def question_of(batch: Batch, observed: Observed) -> Question | None:
    """Give how DrChrono is to be asked about a record now; None where it need not be."""
    if not isinstance(observed.seen, Seen):
        return None
    if _needs_confirmation(batch, observed):
        return _confirm
    if observed.seen.drchrono == NeedsConfirmation(IDENTITY_CHANGED) and observed.link.confirm_due_at is None:
        return _read_at_once
    return _read_back if _is_sampled(batch, observed) else None


def _needs_confirmation(batch: Batch, observed: Observed) -> bool:
    """Say whether somebody asks for a GET, or one was promised and its time has come; no delivery does instead."""
    promised = observed.link.confirm_due_at
    has_record = isinstance(observed.seen, Seen) and observed.link.drchrono_id is not None
    is_time = promised is not None and promised <= batch.leased.now
    return has_record and (is_time or asks_for_sync(observed.due.requests))


async def _confirm(batch: Batch, reader: SideReader, observed: Observed) -> Observed:
    """Ask DrChrono what it holds, as was promised; that it does not show a record is believed at the second time."""
    assert isinstance(observed.seen, Seen)
    asked: Snapshot | Absent | NeedsConfirmation
    asked = await ask_drchrono(batch, reader, observed.link.drchrono_id or "")
    if isinstance(asked, Absent) and not is_said_twice(batch.rules.table, observed.link, observed.delivered):
        asked = NeedsConfirmation(NOT_SHOWN_ONCE)
    return replace(observed, seen=replace(observed.seen, drchrono=asked))


async def _read_at_once(batch: Batch, reader: SideReader, observed: Observed) -> Observed:
    """Ask DrChrono who somebody is; an answer from before the delivery, or none, leaves that to a later one."""
    assert isinstance(observed.seen, Seen)
    try:
        asked = await ask_drchrono(batch, reader, observed.link.drchrono_id or "")
    except SyncError:
        return observed
    if isinstance(asked, Absent) or not shows_delivered(batch.rules.table, asked, observed.delivered):
        return observed
    return replace(observed, seen=replace(observed.seen, drchrono=asked))


def _is_sampled(batch: Batch, observed: Observed) -> bool:
    """Say whether a believed body is one of the few that are read back; whoever forges one cannot tell.

    A row of a list needs none of that: DrChrono itself has answered with it.
    """
    if observed.due.bodies and observed.due.bodies[-1].is_listed:
        return False
    snapshot = observed.seen.drchrono if isinstance(observed.seen, Seen) else None
    if not isinstance(snapshot, Snapshot) or snapshot.confirmed or snapshot.skipped or batch.rules.table.is_one_way:
        return False
    drawn = int(batch.runtime.keys.digest(b"sample", snapshot.id.encode(), snapshot.version.encode())[:8], 16)
    return drawn < batch.runtime.settings.confirm_share * 0x100000000


async def _read_back(batch: Batch, reader: SideReader, observed: Observed) -> Observed:
    """Read back what was believed; one that says something else at the same stamp was not DrChrono's.

    DrChrono may show a record as it was some seconds ago, so an older answer says nothing.
    """
    assert isinstance(observed.seen, Seen)
    believed = observed.seen.drchrono
    assert isinstance(believed, Snapshot)
    try:
        asked = await ask_drchrono(batch, reader, believed.id)
    except SyncError:
        return observed
    if not isinstance(asked, Snapshot) or asked.version < believed.version:
        return observed
    if asked.version == believed.version and batch.rules.table.differing(asked, believed):
        log.error(
            "delivery.contradicted",
            kind=observed.link.kind.value,
            record_id=believed.id,
            fields=sorted(batch.rules.table.differing(asked, believed)),
            advice="somebody else may know the webhook's secret: change it at DrChrono and here",
        )
        return replace(observed, seen=replace(observed.seen, drchrono=asked), is_contradicted=True)
    return replace(observed, seen=replace(observed.seen, drchrono=asked))


def delivered_snapshot(batch: Batch, reader: SideReader, record_id: str, body: DeliveredBody) -> Snapshot:
    """Give the snapshot of a record that a delivery carried.

    Raises  Undecryptable when its body is not kept any more, or its key is not known
    """
    if body.sealed is None:
        raise Undecryptable("the body of an unfinished delivery was dropped")
    raw: Mapping[str, Any] = batch.runtime.vault.open(body.sealed, SealedColumn.DELIVERY_BODY.of(body.delivery_id))
    return reader.drchrono(record_id, raw, body.version, confirmed=False)


async def ask_drchrono(batch: Batch, reader: SideReader, record_id: str) -> Snapshot | Absent:
    """Give what DrChrono answers that it holds.

    Raises  VendorError when it does not answer, or is not connected
    """
    if batch.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, "GET", code="NOT_CONNECTED")
    record = await batch.drchrono.read(batch.rules.table.path, record_id)
    if record is None:
        return Absent.ABSENT
    return reader.drchrono(record_id, record, wire.version(record))
