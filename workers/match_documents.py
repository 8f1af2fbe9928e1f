"""Match documents: before one is uploaded, the other side is searched for it; none is ever there twice.

Its bytes are inspected first, which also says whether they may travel. In Salesforce the Files on the patient's record
are searched, by external id and checksum; in DrChrono the patient's documents of the same title and date, whose bytes
are read and compared. Where the patient is gone from the side that it goes to, it waits with the patient, unread. Where
DrChrono may have replaced the bytes of a linked document, they are read again, and others become a new version. An
upload whose answer never came is looked for by what the journal keeps of it (`pending_documents.py`).
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.errors import DocumentNotReady, SyncError, VendorError
from app.store import dependencies, documents, links
from app.store.documents import StoredDocument
from app.sync.decide import decide
from app.sync.deletions import is_deleted
from app.sync.documents import patient_without_record
from app.sync.failure_causes import (
    ASK,
    BUSY,
    BYTES_MISSING,
    NO_PARENT,
    NOT_SHOWN_ONCE,
    PARENT_DISMISSED,
    SAME_CONTENT,
)
from app.sync.field_writes import created
from app.sync.inspection import Inspection
from app.sync.model import Kind, Link, Parent, RecordRef, Seen, Side, Snapshot
from app.sync.plan import Create, FindCreated, Hold, Incomplete, LinkTo, Nothing, Plan, ReadyPlan, Wait
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.drchrono.documents import extension
from workers.batch import Batch, Observed
from workers.bisection import side_by_side
from workers.document_files import file_mark, is_newer, is_unread, may_become_versions, unread_files
from workers.document_search import DocumentSearch
from workers.pending_documents import find_upload
from workers.read_documents import has_chart, without_record

_AT_ONCE = 3  # bytes of so many are on their way together
_AGAIN = timedelta(seconds=30)


async def match_documents(
    batch: Batch, observed: Sequence[Observed], plans: Mapping[str, Plan | SyncError]
) -> dict[str, ReadyPlan | SyncError]:
    """Give the plans, each upload and each search for one replaced by what was found of it, or why nothing could be."""
    looks = {one.link.id: one for one in observed}
    agreed = [id_ for id_, plan in plans.items() if isinstance(plan, Nothing) and looks[id_].link.is_pair]
    replaced = await unread_files(batch.runtime, agreed)
    asked = {
        link_id: (looks[link_id], plan)
        for link_id, plan in plans.items()
        if isinstance(plan, Create | FindCreated)
        or (isinstance(plan, LinkTo) and _is_a_hint(looks[link_id]))
        or (isinstance(plan, Nothing) and link_id in replaced)
    }
    ready = {link_id: plan for link_id, plan in plans.items() if not isinstance(plan, FindCreated)}
    if not asked:
        return ready
    search = DocumentSearch(batch)
    try:
        gone = await without_record(batch, _owners(search, plans.values()))
    except VendorError as error:
        return ready | dict.fromkeys(asked, error)
    match, turns = DocumentMatch(batch, search, replaced, gone), asyncio.Semaphore(_AT_ONCE)

    async def judge(one: tuple[Observed, Create | FindCreated | LinkTo | Nothing]) -> ReadyPlan:
        async with turns:
            return await match.judge(*one)

    judged = await side_by_side(asked, judge)
    return ready | judged


def _owners(search: DocumentSearch, plans: Collection[Plan | SyncError]) -> set[str]:
    """Give whose the documents are that are to be made in Salesforce: patients, by DrChrono's ids."""
    name = search.patient_field
    made = [plan.fields.get(name) for plan in plans if isinstance(plan, Create) and plan.side is Side.SALESFORCE]
    return {patient for patient in made if patient is not None}


def _is_a_hint(observed: Observed) -> bool:
    """Say whether a record is to be linked because its version names one, and for no better reason."""
    return observed.link.drchrono_id is None and not observed.link.own_writes


@dataclass(frozen=True, slots=True)
class DocumentMatch:
    """What is matched in one batch.

    replaced  link id -> what is kept of a document whose file may be another one by now
    gone      the patients whose record is not there in Salesforce, by DrChrono's ids
    """

    batch: Batch
    search: DocumentSearch
    replaced: Mapping[str, StoredDocument]
    gone: frozenset[str] = frozenset()

    async def judge(self, observed: Observed, plan: Create | FindCreated | LinkTo | Nothing) -> ReadyPlan:
        """Say what becomes of a document that is to be made, may have been, names one, or may have another file.

        Raises  SyncError
        """
        match plan:
            case FindCreated():
                return await find_upload(self.search, observed)
            case Nothing():
                return await self._replacing(observed, plan)
            case LinkTo():
                return await self._named(observed, plan)
        if plan.side is Side.SALESFORCE:
            return await self._to_salesforce(observed, plan)
        return await self._to_drchrono(observed, plan)

    async def _named(self, observed: Observed, plan: LinkTo) -> ReadyPlan:
        """Link a version to the document that it names, if the bytes of both are the same; else it names none."""
        assert isinstance(observed.seen, Seen)
        version = observed.seen.salesforce
        assert isinstance(version, Snapshot)
        record = await self.search.documents.read(plan.link_to)
        if record is not None:
            found = await self._bytes_of(observed.link, record)
            if version.file is not None and version.file.checksum in ("", found.md5):
                return replace(plan, content=found)
        seen = replace(observed.seen, salesforce=replace(version, key=None))
        anew = decide(self.batch.rules, observed.link, seen, self.batch.leased.now)
        if not isinstance(anew, Create):
            assert not isinstance(anew, FindCreated)
            return anew
        return await self._to_drchrono(replace(observed, seen=seen), anew)

    async def _replacing(self, observed: Observed, plan: Nothing) -> ReadyPlan:
        """Have other bytes become a new version; what is not served yet, or has another text, is the next list's.

        So is what would come on top of a version that a person has uploaded, and that is no document yet.
        """
        assert isinstance(observed.seen, Seen)
        link, before, rules = observed.link, observed.seen.drchrono, self.batch.rules
        record = await self.search.documents.read(link.drchrono_id or "")
        if record is None or not isinstance(before, Snapshot) or not isinstance(observed.seen.salesforce, Snapshot):
            return plan
        if patient_without_record(rules.table, observed.seen.salesforce) is not None:
            return plan
        shown = SideReader(rules.table).drchrono(wire.record_id(record), record, wire.version(record))
        if rules.table.differing(shown, before):
            return plan
        try:
            content = await self._bytes_of(link, record, self.replaced[link.id].file_shown_at)
        except DocumentNotReady as error:
            if error.cause != BYTES_MISSING:
                raise
            return plan
        stamp = self.replaced[link.id].content_stamp
        if stamp is not None and content.matches(self.batch.runtime.keys, link.id, stamp) is not False:
            return plan
        if await self._has_unread_version(link, observed.seen.salesforce, content):
            self.batch.read.pop(link.drchrono_id or "", None)  # so it is read again
            return plan
        return await self._to_salesforce(observed, created(rules, shown))

    async def _has_unread_version(self, link: Link, version: Snapshot, content: Inspection) -> bool:
        """Say whether a newer version of a document's File names it and is still to be looked at, which it then is.

        A new version may have all fields of the one before. Below one of ours that names the same document, it would
        be taken for the document's older file. One that has the very bytes is the document's newer file itself.
        """
        file, database = version.file, self.batch.runtime.database
        if file is None or file.contact_id is None:
            return False
        found = await self.search.files.of_records([file.contact_id], latest_only=False)
        key = self.batch.rules.table.external_id
        checksums = {
            str(one["Id"]): str(one.get("Checksum", "")).lower()
            for one in found[file.contact_id]
            if is_newer(one, file.document_id, file.number) and one.get(key) == link.drchrono_id
        }
        newer = sorted(checksums)
        if not newer or content.md5.lower() in checksums.values():
            return False
        unheard = set(newer) - await links.heard_of(database, Kind.DOCUMENT, newer, Side.SALESFORCE)
        await links.mark_seen(database, Kind.DOCUMENT, [], sorted(unheard), self.batch.leased.lane)
        return bool(unheard or await links.on_their_way(database, Kind.DOCUMENT, newer, Side.SALESFORCE))

    async def _to_salesforce(self, observed: Observed, plan: Create) -> ReadyPlan:
        link, name = observed.link, self.search.patient_field
        record = await self.search.documents.read(link.drchrono_id or "")
        if record is None:  # asked again, DrChrono says whether it is gone
            return Wait(NOT_SHOWN_ONCE, self.batch.leased.now + self.batch.rules.search_gap)
        self.batch.answered[link.drchrono_id or ""] = record
        shown = SideReader(self.batch.rules.table).drchrono(wire.record_id(record), record, wire.version(record))
        patient = shown.fields.get(name) or ""
        is_meant = shown.is_included is not False and not is_deleted(self.batch.rules, shown)
        if not is_meant or plan.fields.get(name) != patient:
            return Wait(ASK, self.batch.leased.now)  # it is another's by now, or nobody's: that is decided anew
        contact = (await documents.records_of(self.batch.runtime.database, [patient])).get(patient)
        if contact is None:
            here = (RecordRef(Side.DRCHRONO, Kind.PATIENT, patient),) if patient else ()
            return Wait(NO_PARENT, self.batch.leased.now + _AGAIN, here)
        if patient in self.gone:
            return Wait(NO_PARENT, self.batch.leased.now + _AGAIN)
        content = await self._bytes_of(link, record)
        if not await self.search.is_ours(link, patient, content):
            return self.search.later()
        found = await self._in_salesforce(observed, contact, content)
        return replace(plan, content=content) if found is None else LinkTo(found, content)

    async def _bytes_of(self, link: Link, record: Mapping[str, Any], since: datetime | None = None) -> Inspection:
        """Give what the bytes of a document in DrChrono are; by which file they are known, is noted."""
        opened, named = (lambda: self.search.documents.content(record)), extension(record)
        found = await self.search.inspected(link, Side.DRCHRONO, opened, named, since)
        self.batch.read[wire.record_id(record)] = file_mark(self.batch.runtime, record)
        return found

    async def _in_salesforce(self, observed: Observed, contact: str, content: Inspection) -> str | None:
        """Give, of the versions on a patient's record, the one that names this document, else one with its bytes.

        Of a document that is there already only a newer version of its File counts.
        """
        link, seen = observed.link, observed.seen
        same = {str(one["Id"]): one for one in await self.search.files.with_checksum(contact, content.md5)}
        taken = await self.search.taken(Side.SALESFORCE, same)
        free = {id_: one for id_, one in same.items() if id_ not in taken}
        if link.is_pair:
            version = seen.salesforce.file if isinstance(seen, Seen) and isinstance(seen.salesforce, Snapshot) else None
            of, number = (version.document_id, version.number) if version is not None else ("", 0)
            free = {id_: one for id_, one in free.items() if is_newer(one, of, number)}
        key = self.batch.rules.table.external_id
        names = {id_: str(one.get(key) or "").strip() for id_, one in free.items()}
        named = [id_ for id_, name in names.items() if name == link.drchrono_id]
        unnamed = [id_ for id_, name in names.items() if not name]
        return min(named or unnamed, default=None)

    async def _to_drchrono(self, observed: Observed, plan: Create) -> ReadyPlan:
        link, seen = observed.link, observed.seen
        assert isinstance(seen, Seen)
        patient = plan.fields.get(self.search.patient_field) or ""
        if (waits := await self._without_chart(link, patient)) is not None:
            return waits
        version = seen.salesforce.file if isinstance(seen.salesforce, Snapshot) else None
        opened, named = (lambda: self.search.files.content(link.salesforce_id or "")), version and version.extension
        content = await self.search.inspected(link, Side.SALESFORCE, opened, named or "")
        if not await self.search.is_ours(link, patient, content):
            return self.search.later()
        return await self._in_drchrono(link, plan, content)

    async def _without_chart(self, link: Link, patient: str) -> Wait | Incomplete | None:
        """Say what becomes of a document whose patient's chart is known to be gone; None where it is not.

        DrChrono is asked for the chart only where it has refused one of that patient before.
        """
        database, ref = self.batch.runtime.database, RecordRef(Side.DRCHRONO, Kind.PATIENT, patient)
        far = await dependencies.status_of(database, {(ref.kind, ref.id)}, Side.DRCHRONO)
        match far.get((ref.kind, ref.id)):
            case Parent.COMING:
                return Wait(NO_PARENT, self.batch.leased.now + _AGAIN, (ref,))
            case Parent.NEVER:
                is_dismissed = bool(await dependencies.dismissed_of(database, [ref]))
                why = PARENT_DISMISSED if is_dismissed else NO_PARENT
                return Incomplete(refused={self.search.patient_field: why}, awaits=(ref,))
        if (
            link.last_cause == NO_PARENT
            and self.batch.drchrono is not None
            and not await has_chart(self.batch, patient)
        ):
            return Wait(NO_PARENT, self.batch.leased.now + _AGAIN)
        return None

    async def _in_drchrono(self, link: Link, plan: Create, content: Inspection) -> Create | LinkTo | Hold | Wait:
        """Say what becomes of an upload, by the patient's documents of the same title and date, and their bytes."""
        runtime = self.batch.runtime
        listed = await self.search.of_patient(plan.fields.get(self.search.patient_field) or "")
        alike = {
            id_: one
            for id_, one in sorted(listed.items())
            if self.search.is_alike(plan.fields, one) and not is_deleted(self.batch.rules, one.shown)
        }
        taken = await self.search.taken(Side.DRCHRONO, alike)
        free = [one for id_, one in alike.items() if id_ not in taken]
        found = await self.search.twin(link, free, lambda other: other == content)
        if found.id is not None:
            return LinkTo(found.id, content)
        kept = await documents.of_links(runtime.database, taken.values())
        unread = [id_ for id_ in alike if id_ in taken and is_unread(kept.get(taken[id_]))]
        if await may_become_versions(runtime, unread):  # by bytes that may be these: then they come by themselves
            others = await self.search.twin(link, [alike[id_] for id_ in unread], lambda other: other == content)
            found = replace(found, is_open=found.is_open or others.is_open or others.id is not None)
        if found.is_open:
            return Wait(BUSY, self.batch.leased.now + _AGAIN)
        stamps = {one.link_id: stamp for one in kept.values() if (stamp := one.content_stamp) is not None}
        is_sent = any(content.matches(runtime.keys, id_, stamp) for id_, stamp in stamps.items())
        return Hold(SAME_CONTENT) if is_sent else replace(plan, content=content)
