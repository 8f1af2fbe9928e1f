"""What a look has found of a document beside its link, to be saved with it; and of a patient, whose documents to list.

Of the bytes a keyed hash, size and type are kept, once both sides are known to have the same; of whom it is, the
patient's id, as both last agreed. A new version's document replaces that of the version before. Of a document that is
linked already, whose bytes were replaced, they are kept once the new version is there.
"""

from dataclasses import replace

from app.store.documents import StoredDocument
from app.store.result import Result, Retry
from app.sync.card_requests import asks_for_sync
from app.sync.model import Kind, Lane, Seen, Side, Snapshot
from app.sync.plan import Create, LinkTo, Nothing, ReadyPlan, Write
from workers.batch import Batch, Observed


def with_documents(batch: Batch, observed: Observed, result: Result, plan: ReadyPlan | Exception | None) -> Result:
    """Give a result with what is to be kept of its document, or with the wish to have a patient's listed."""
    kind = batch.rules.table.kind
    if kind is Kind.PATIENT and Kind.DOCUMENT in batch.runtime.mappings:
        is_asked = result.is_read and asks_for_sync(observed.due.requests)
        # of patients that a first load brings, that of documents follows: to list each would take days of their share
        is_new = result.has_come and result.due.lane is not Lane.BACKFILL
        lane = Lane.LIVE if is_asked else Lane.BACKFILL if is_new else None
        return replace(result, wants_documents=lane if result.link.is_pair else None)
    if kind is not Kind.DOCUMENT:
        return result
    if batch.rules.deletes and _marks(batch, plan):  # another version's may be archived at this moment, too
        again_at = batch.leased.now + batch.rules.confirm_after
        link = replace(result.link, confirm_due_at=again_at)
        result = replace(result, link=link, retry=result.retry or Retry(batch.rules.confirm_after, Lane.CONFIRM))
    was_linked, is_as_it_was = observed.link.is_pair, result.link.salesforce_id == observed.link.salesforce_id
    content = plan.content if isinstance(plan, Create | LinkTo) and not (was_linked and is_as_it_was) else None
    stored = StoredDocument(result.link.id, _patient(batch, observed, result))
    if content is not None:
        stamp = content.stamp(batch.runtime.keys, result.link.id)
        stored = replace(stored, content_stamp=stamp, size_bytes=content.size, type=content.type.value)
    if content is not None or isinstance(plan, Nothing):
        read = batch.read.get(result.link.drchrono_id or "")
        stored = replace(stored, file_read=read, file_shown=read)
    return replace(result, document=stored, replaces=_replaced(observed, result))


def _marks(batch: Batch, plan: ReadyPlan | Exception | None) -> bool:
    """Say whether a plan marks a document as archived, because another version of its File is one that lives."""
    written = plan.writes.get(Side.SALESFORCE, {}) if isinstance(plan, Write) else {}
    return batch.rules.table.tombstone is not None and written.get(batch.rules.table.tombstone) is not None


def _patient(batch: Batch, observed: Observed, result: Result) -> str | None:
    """Give whose it is: as both agreed, else as the side says that was seen; None where neither says so."""
    row = batch.rules.table.row_of("patient")
    if row is None or not isinstance(observed.seen, Seen):
        return None
    sides = (observed.seen.drchrono, observed.seen.salesforce)
    told = [value for one in sides if isinstance(one, Snapshot) and (value := one.fields.get(row.name)) is not None]
    stamp = result.link.base.stamps.get(row.name)
    if stamp is None:
        return told[0] if told else None
    return next((one for one in told if batch.rules.matches(result.link, row.name, stamp, one)), None)


def _replaced(observed: Observed, result: Result) -> str | None:
    """Give the document that this one replaces, once it is there itself."""
    version = observed.seen.salesforce if isinstance(observed.seen, Seen) else None
    is_new = result.link.id_on(Side.DRCHRONO) is not None and observed.link.drchrono_id is None
    return version.file.earlier if is_new and isinstance(version, Snapshot) and version.file else None
