"""Find what an upload has made that nobody answered, by what the journal keeps of it, whatever its source is by now.

Its source may be deleted, replaced, or not served any more, so that is not read. What the upload sent is known by a
keyed hash of its bytes, and the bytes of what it may have made are compared with that: in DrChrono documents of the
same patient, in Salesforce versions that bear the document's id, deleted ones too. What is found is linked, and what
has become of either side since then travels as any change does. An upload is lost, and may be tried again, when two
searches, apart from each other, have not found it.
"""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from ulid import ULID

from app.ports import SealedColumn
from app.sync.create import recheck_unanswered_upload
from app.sync.deletions import is_deleted
from app.sync.inspection import Inspection
from app.sync.model import Fields, Link, PendingWrite, Seen, Side, Snapshot
from app.sync.pending_writes import open_upload
from app.sync.plan import LinkTo, ReadyPlan
from app.vendors.drchrono import wire
from workers.batch import Observed
from workers.document_files import UNKNOWN_FILE, is_newer
from workers.document_search import DocumentSearch, Twin

_SKEW = timedelta(minutes=10)  # by which Salesforce's clock may be behind ours


async def find_upload(search: DocumentSearch, observed: Observed) -> ReadyPlan:
    """Say what is known of a document's upload whose answer never came, after another search.

    Raises  SyncError
    """
    link, batch = observed.link, search.batch
    side = Side.DRCHRONO if link.drchrono_id is None else Side.SALESFORCE
    attempt = open_upload(link, side)
    sent = batch.runtime.vault.open(attempt.sent, SealedColumn.WRITE_SENT.of(attempt.id)) if attempt.sent else {}
    if side is Side.DRCHRONO:
        found = await _in_drchrono(search, link, attempt, sent)
    else:
        found = await _in_salesforce(search, observed, attempt)
    if found.content is not None and not await search.is_ours(link, _patient(search, observed, sent), found.content):
        return search.later()
    plan = recheck_unanswered_upload(batch.rules, attempt, found.id, batch.leased.now, may_show=found.is_open)
    return replace(plan, content=found.content) if isinstance(plan, LinkTo) else plan


def _patient(search: DocumentSearch, observed: Observed, sent: Fields) -> str:
    """Give whose a document is: as it was sent, else as DrChrono says it; empty where it does not show it."""
    shown = observed.seen.drchrono if isinstance(observed.seen, Seen) else None
    fields = shown.fields if isinstance(shown, Snapshot) else sent
    return fields.get(search.patient_field) or ""


async def _in_drchrono(search: DocumentSearch, link: Link, attempt: PendingWrite, sent: Fields) -> Twin:
    """Give the patient's document that has the bytes that were sent, of those that changed since.

    A person may have edited or archived it since. So it has the title and the date that were sent, or is shared still;
    where the hash is of a key that is gone, the title and the date must tell. Another patient's is never it, whatever
    its bytes are: forms are alike.
    """
    is_known = attempt.content_stamp is not None and search.batch.runtime.keys.knows(attempt.content_stamp)
    begun = ULID.from_str(attempt.id).datetime
    listed = await search.of_patient(sent.get(search.patient_field) or "", wire.since(begun))
    taken = await search.taken(Side.DRCHRONO, listed)
    free = [one for id_, one in listed.items() if id_ not in taken]
    likely = [one for one in free if search.is_alike(sent, one) or (is_known and one.shown.is_included)]
    likely.sort(key=lambda one: (is_deleted(search.batch.rules, one.shown), one.shown.id))
    return await search.twin(link, likely, lambda content: _is_what_was_sent(search, link, attempt, content))


async def _in_salesforce(search: DocumentSearch, observed: Observed, attempt: PendingWrite) -> Twin:
    """Give the version that names a document and has the bytes that were sent; of a pair a newer one of its File.

    One that a person has deleted since is told by who made it, and when: its bytes are shown no more. Which file of
    DrChrono's they are, is not known: the next list has it read once more.
    """
    link, key = observed.link, search.batch.rules.table.external_id
    known = [link.salesforce_id] if link.salesforce_id is not None else []
    rows = await search.files.versions(known, key, [link.drchrono_id or ""])
    versions = {str(row["Id"]): row for row in rows}
    taken = await search.taken(Side.SALESFORCE, versions)
    linked = versions.get(link.salesforce_id or "")
    of, number = (linked.get("ContentDocumentId"), int(linked["VersionNumber"])) if linked is not None else (None, 0)
    for id_, row in sorted(versions.items()):
        if id_ in taken or (link.is_pair and not is_newer(row, of, number)):
            continue
        content = await search.inspected_twin(Side.SALESFORCE, partial(search.files.content, id_))
        if content is not None and _is_what_was_sent(search, link, attempt, content):
            search.batch.read[link.drchrono_id or ""] = UNKNOWN_FILE
            return Twin(id_, content)
    if link.is_pair:  # with its File all of that went, which is known of the version that is linked
        return Twin()
    since = ULID.from_str(attempt.id).datetime - _SKEW
    deleted = await search.files.deleted_of_ours(key, link.drchrono_id or "", since)
    return Twin(min(deleted, default=None))


def _is_what_was_sent(search: DocumentSearch, link: Link, attempt: PendingWrite, content: Inspection) -> bool:
    """Say whether bytes are those that an upload sent; where it cannot be told any more, its text has told it."""
    stamp = attempt.content_stamp
    return stamp is None or content.matches(search.batch.runtime.keys, link.id, stamp) is not False
