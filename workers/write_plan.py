"""The writes of a plan: what is to be journalled and sent, made before anything of it is.

At most one to a side. What a write replaces, and what a create in DrChrono sends, is kept sealed.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ulid import ULID

from app.errors import SyncError
from app.ports import SealedColumn
from app.store.conflicts import DecidedConflict
from app.store.journal import Entry
from app.sync.mappings.table import EXTERNAL_ID, Table
from app.sync.model import (
    UPLOAD,
    Absent,
    Deleted,
    Fields,
    Kind,
    Link,
    NeedsConfirmation,
    NothingNew,
    Seen,
    Side,
    Snapshot,
)
from app.sync.pending_writes import write_reasons, write_stamps
from app.sync.plan import Comparison, Create, Delete, MergeContacts, ReadyPlan, Wait, Write, planned_writes
from workers.batch import Batch, Observed, PreparedWrite


def prepare_writes(batch: Batch, observed: Observed, plan: ReadyPlan | SyncError | None) -> Iterator[PreparedWrite]:
    """Give the writes of one plan, at most one to a side; none where nothing was seen or nothing is planned."""
    if not isinstance(observed.seen, Seen):
        return
    link, seen, table = observed.link, observed.seen, batch.rules.table
    match plan:
        case Write() | Wait():
            yield from _prepare_updates(batch, link, seen, plan)
        case Create() if plan.fields and (plan.content is not None or table.kind is not Kind.DOCUMENT):
            yield _prepare_create(batch, link, seen, plan)
        case Delete():
            yield _prepare_removal(batch, link, seen, "delete", {})
        case MergeContacts():
            filled = table.write(Side.SALESFORCE, plan.fields)[0]
            yield _prepare_removal(batch, link, seen, "merge", {"Id": plan.merge_into, **filled})


def _prepare_updates(batch: Batch, link: Link, seen: Seen, plan: Write | Wait) -> Iterator[PreparedWrite]:
    """Give the writes that change records on both sides, and have a Contact name its chart."""
    compared, zone = (plan.compared, plan.zone) if isinstance(plan, Write) else (Comparison(), "")
    for side in Side:
        fields = planned_writes(plan).get(side, {})
        writes_key = plan.writes_key and side is Side.SALESFORCE
        if not fields and not writes_key:
            continue
        before = _held(seen, side)
        entry_id = str(ULID())
        key = {EXTERNAL_ID: (None, batch.rules.key_stamp(link, link.drchrono_id))} if writes_key else {}
        entry = Entry(
            link.id,
            side,
            "update",
            {**write_stamps(batch.rules, link, fields, before), **key},
            _replaced(batch, entry_id, fields, before),
            write_reasons(batch.rules, compared, fields),
            None,
            _conflicts(batch, seen, compared, fields),
            entry_id,
        )
        id_ = before.id if isinstance(before, Snapshot) else link.id_on(side)
        beside = {batch.rules.table.external_id: link.drchrono_id} if writes_key else {}
        file = seen.salesforce.file if isinstance(seen.salesforce, Snapshot) else None
        yield PreparedWrite(link, id_, entry, fields, {}, zone, beside, file=file)


def _prepare_create(batch: Batch, link: Link, seen: Seen, plan: Create) -> PreparedWrite:
    """Give the write that makes a record; what is sent to DrChrono is kept, to find by it what it may have made.

    A document is uploaded, with what its bytes were found to be.
    """
    before, entry_id, is_chart = _held(seen, plan.side), str(ULID()), plan.side is Side.DRCHRONO
    sent = batch.runtime.vault.seal(dict(plan.fields), SealedColumn.WRITE_SENT.of(entry_id)) if is_chart else None
    entry = Entry(
        link.id,
        plan.side,
        "create" if plan.content is None else UPLOAD,
        write_stamps(batch.rules, link, plan.fields, before),
        _replaced(batch, entry_id, plan.fields, before),
        sent=sent,
        id=entry_id,
        content_stamp=plan.content.stamp(batch.runtime.keys, link.id) if plan.content is not None else None,
    )
    is_upload = plan.content is not None  # which makes a record, or the next version of one, and changes none
    id_ = None if is_upload else before.id if isinstance(before, Snapshot) else link.id_on(plan.side)
    file = before.file if isinstance(before, Snapshot) else None
    return PreparedWrite(link, id_, entry, plan.fields, {}, plan.zone, plan.extra, content=plan.content, file=file)


def _prepare_removal(batch: Batch, link: Link, seen: Seen, call: str, beside: Mapping[str, Any]) -> PreparedWrite:
    """Give the write by which a record of Salesforce's goes: deleted, or merged into another; what it held is kept."""
    assert isinstance(seen.salesforce, Snapshot)
    entry_id = str(ULID())
    held = batch.runtime.vault.seal(dict(seen.salesforce.fields), SealedColumn.WRITE_REPLACED.of(entry_id))
    entry = Entry(link.id, Side.SALESFORCE, call, {}, held, id=entry_id)
    return PreparedWrite(link, seen.salesforce.id, entry, {}, {}, beside=beside, file=seen.salesforce.file)


def _held(seen: Seen, side: Side) -> Snapshot | Absent | Deleted | NothingNew:
    """Give what a side held before a write; of the chart that a Contact is to become nobody has said anything."""
    held = seen.drchrono if side is Side.DRCHRONO else seen.salesforce
    return Absent.ABSENT if isinstance(held, NeedsConfirmation) else held


def _replaced(
    batch: Batch, entry_id: str, fields: Fields, before: Snapshot | Absent | Deleted | NothingNew
) -> str | None:
    """Give, sealed, the values that a write replaces; None where none are known."""
    held = before.fields if isinstance(before, Snapshot) else {}
    replaced = {name: held[name] for name in fields if name in held}
    return batch.runtime.vault.seal(replaced, SealedColumn.WRITE_REPLACED.of(entry_id)) if replaced else None


def _conflicts(batch: Batch, seen: Seen, compared: Comparison, fields: Fields) -> tuple[DecidedConflict, ...]:
    """Give the conflicts that a write decides, with what each side held."""
    drchrono, salesforce, table = seen.drchrono, seen.salesforce, batch.rules.table
    if not isinstance(drchrono, Snapshot) or not isinstance(salesforce, Snapshot):
        return ()
    found = []
    for name in compared.conflicts:
        if name in fields:
            id_ = str(ULID())
            held = {Side.DRCHRONO: drchrono.fields[name], Side.SALESFORCE: salesforce.fields[name]}
            kept = batch.runtime.vault.seal(held, SealedColumn.CONFLICT_KEPT.of(id_))
            found.append(DecidedConflict(table.kind, name, f"{table.rows[name].owner} owns it", kept, id_))
    return tuple(found)


def sendable(table: Table, write: PreparedWrite) -> PreparedWrite:
    """Give a write whose record can be made and sent; whatever speaks against that shows before anything is planned.

    Raises  any error
    """
    raw, _ = table.write(write.side, write.fields, write.zone)
    json.dumps({**table.constants, **write.beside, **raw}, ensure_ascii=False, allow_nan=False).encode()
    return write
