"""Match documents: before one is uploaded, the other side is searched for it; none is ever there twice.

Neither side keeps a key of ours that can be trusted: an external id on a version may be that of the version before, and
DrChrono has none. So a document is known by its patient and by its bytes. They are inspected first, which also says
whether they may travel. In Salesforce the Files on the patient's record are searched, by external id and checksum; in
DrChrono the patient's documents of the same title and date, whose bytes are read and compared. One content of one
patient is matched by one worker at a time. An upload whose answer never came is looked for in the same way, and twice,
before another may be tried. Where the patient is gone from the side that it goes to, it waits with the patient, unread.
Where DrChrono may have replaced the bytes of a linked document, they are read again, and others become a new version.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ulid import ULID

from app.documents.content import OpenContent, inspect, lying_on
from app.errors import DocumentNotReady, DocumentRefused, SyncError, Unauthorized, VendorError
from app.ports import SealedColumn
from app.store import dependencies, documents, identity_index
from app.store.documents import StoredDocument
from app.sync.create import recheck_unanswered_upload
from app.sync.decide import decide
from app.sync.deletions import is_deleted
from app.sync.documents import is_given_up
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
from app.sync.file_types import FileType
from app.sync.inspection import Inspection
from app.sync.model import Fields, Kind, Link, Parent, RecordRef, Seen, Side, Snapshot
from app.sync.pending_writes import open_upload
from app.sync.plan import Create, FindCreated, Hold, Incomplete, LinkTo, Nothing, Plan, ReadyPlan, Wait
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.drchrono.documents import DrChronoDocuments, extension
from app.vendors.salesforce.files import SalesforceFiles
from workers.batch import Batch, Observed
from workers.bisection import side_by_side
from workers.document_files import file_mark, is_newer, is_unread, may_become_versions, unread_files
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
    try:
        gone = await without_record(batch, _owners(batch, plans.values()))
    except VendorError as error:
        return ready | dict.fromkeys(asked, error)
    search, turns = DocumentSearch(batch, replaced, gone), asyncio.Semaphore(_AT_ONCE)

    async def judge(one: tuple[Observed, Create | FindCreated | LinkTo | Nothing]) -> ReadyPlan:
        async with turns:
            return await search.judge(*one)

    judged = await side_by_side(asked, judge)
    return ready | judged


def _owners(batch: Batch, plans: Collection[Plan | SyncError]) -> set[str]:
    """Give whose the documents are that are to be made in Salesforce: patients, by DrChrono's ids."""
    row = batch.rules.table.row_of("patient")
    assert row is not None
    made = [plan.fields.get(row.name) for plan in plans if isinstance(plan, Create) and plan.side is Side.SALESFORCE]
    return {patient for patient in made if patient is not None}


def _is_a_hint(observed: Observed) -> bool:
    """Say whether a record is to be linked because its version names one, and for no better reason."""
    return observed.link.drchrono_id is None and not observed.link.own_writes


@dataclass(frozen=True, slots=True)
class _Found:
    """What a search for a document's twin came to.

    id        the record that it is; None where there is none
    is_sent   another record of the same patient has the same bytes, and is linked already
    is_open   one may be it, whose bytes are not there yet
    """

    id: str | None = None
    is_sent: bool = False
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class DocumentSearch:
    """The searches of one batch.

    replaced  link id -> what is kept of a document whose file may be another one by now
    gone      the patients whose record is not there in Salesforce, by DrChrono's ids
    met       the contents that it has matched, each for one record
    """

    batch: Batch
    replaced: Mapping[str, StoredDocument]
    gone: frozenset[str] = frozenset()
    met: set[str] = field(default_factory=set)

    @property
    def files(self) -> SalesforceFiles:
        """The org's files."""
        return SalesforceFiles(self.batch.salesforce, [self.batch.rules.table.external_id])

    @property
    def documents(self) -> DrChronoDocuments:
        """The practice's documents.

        Raises  Unauthorized while it is not connected
        """
        if self.batch.drchrono is None:
            raise Unauthorized(Side.DRCHRONO.value, "GET /api/documents", code="NOT_CONNECTED")
        return DrChronoDocuments(self.batch.drchrono)

    async def judge(self, observed: Observed, plan: Create | FindCreated | LinkTo | Nothing) -> ReadyPlan:
        """Say what becomes of a document that is to be made, may have been, names one, or may have another file.

        Raises  SyncError
        """
        if isinstance(plan, Nothing):
            return await self._replacing(observed, plan)
        if isinstance(plan, LinkTo):
            return await self._named(observed, plan)
        if observed.link.drchrono_id is not None:
            return await self._to_salesforce(observed, plan)
        return await self._to_drchrono(observed, plan)

    async def _named(self, observed: Observed, plan: LinkTo) -> ReadyPlan:
        """Link a version to the document that it names, if the bytes of both are the same; else it names none."""
        assert isinstance(observed.seen, Seen)
        version = observed.seen.salesforce
        assert isinstance(version, Snapshot)
        record = await self.documents.read(plan.link_to)
        if record is not None:
            found = await self._inspected(
                observed.link, Side.DRCHRONO, lambda: self.documents.content(record), extension(record)
            )
            if version.file is not None and version.file.checksum in ("", found.md5):
                return replace(plan, content=found)
        seen = replace(observed.seen, salesforce=replace(version, key=None))
        anew = decide(self.batch.rules, observed.link, seen, self.batch.leased.now)
        if not isinstance(anew, Create):
            assert not isinstance(anew, FindCreated)
            return anew
        return await self._to_drchrono(replace(observed, seen=seen), anew)

    async def _replacing(self, observed: Observed, plan: Nothing) -> ReadyPlan:
        """Have other bytes become a new version; what is not served yet, or has another text, is the next list's."""
        assert isinstance(observed.seen, Seen)
        link, before, rules = observed.link, observed.seen.drchrono, self.batch.rules
        record = await self.documents.read(link.drchrono_id or "")
        if record is None or not isinstance(before, Snapshot) or not isinstance(observed.seen.salesforce, Snapshot):
            return plan
        shown = SideReader(rules.table).drchrono(wire.record_id(record), record, wire.version(record))
        if rules.table.differing(shown, before):
            return plan
        try:
            content = await self._bytes_of(link, record)
        except DocumentNotReady as error:
            if error.cause != BYTES_MISSING:
                raise
            return plan
        stamp = self.replaced[link.id].content_stamp
        if stamp is not None and content.matches(self.batch.runtime.keys, link.id, stamp) is not False:
            return plan
        return await self._to_salesforce(observed, created(rules, shown))

    async def _to_salesforce(self, observed: Observed, plan: Create | FindCreated) -> ReadyPlan:
        link = observed.link
        record = await self.documents.read(link.drchrono_id or "")
        if record is None:
            return await self._not_shown(link, plan)
        self.batch.answered[link.drchrono_id or ""] = record
        shown = SideReader(self.batch.rules.table).drchrono(wire.record_id(record), record, wire.version(record))
        row = self.batch.rules.table.row_of("patient")
        assert row is not None
        patient = shown.fields.get(row.name) or ""
        is_meant = shown.is_included is not False and not is_deleted(self.batch.rules, shown)
        if isinstance(plan, Create) and (not is_meant or plan.fields.get(row.name) != patient):
            return Wait(ASK, self.batch.leased.now)  # it is another's by now, or nobody's: that is decided anew
        contact = (await documents.records_of(self.batch.runtime.database, [patient])).get(patient)
        if contact is None:
            here = (RecordRef(Side.DRCHRONO, Kind.PATIENT, patient),) if patient else ()
            return Wait(NO_PARENT, self.batch.leased.now + _AGAIN, here)
        if patient in self.gone:
            return Wait(NO_PARENT, self.batch.leased.now + _AGAIN)
        content = await self._bytes_of(link, record)
        if not await self._is_ours(link, patient, content):
            return self._later()
        found = await self._in_salesforce(observed, contact, content)
        return self._judged(link, plan, found, content, Side.SALESFORCE)

    async def _not_shown(self, link: Link, plan: Create | FindCreated) -> ReadyPlan:
        """Say what becomes of a document that DrChrono does not show: asked again, it says whether it is gone.

        An upload of it that was not answered may have made a version all the same, which is found by the id it bears.
        """
        rules, now = self.batch.rules, self.batch.leased.now
        if isinstance(plan, Create):
            return Wait(NOT_SHOWN_ONCE, now + rules.search_gap)
        rows = await self.files.versions(external_id=rules.table.external_id, external_ids=[link.drchrono_id or ""])
        ids = sorted(str(row["Id"]) for row in rows)
        taken = await identity_index.already_paired(self.batch.runtime.database, Kind.DOCUMENT, Side.SALESFORCE, ids)
        made = next((id_ for id_ in ids if id_ not in taken), None)
        return recheck_unanswered_upload(rules, open_upload(link, Side.SALESFORCE), made, now, may_show=False)

    async def _bytes_of(self, link: Link, record: Mapping[str, Any]) -> Inspection:
        """Give what the bytes of a document in DrChrono are; by which file they are known, is noted."""
        found = await self._inspected(link, Side.DRCHRONO, lambda: self.documents.content(record), extension(record))
        self.batch.read[link.drchrono_id or ""] = file_mark(self.batch.runtime, record)
        return found

    async def _in_salesforce(self, observed: Observed, contact: str, content: Inspection) -> _Found:
        """Search the Files on a patient's record: the one that names this document, else one with its bytes.

        Of a document that is there already only a newer version of its File counts.
        """
        link, seen = observed.link, observed.seen
        same = [one for one in await self.files.with_checksum(contact, content.md5) if one.get("Id")]
        taken = await identity_index.already_paired(
            self.batch.runtime.database, Kind.DOCUMENT, Side.SALESFORCE, {one["Id"] for one in same}
        )
        free = [one for one in same if one["Id"] not in taken]
        if link.is_pair:
            version = seen.salesforce.file if isinstance(seen, Seen) and isinstance(seen.salesforce, Snapshot) else None
            free = [one for one in free if version is not None and is_newer(one, version)]
        name = self.batch.rules.table.external_id
        named = [one for one in free if str(one.get(name) or "").strip() == link.drchrono_id]
        unnamed = [one for one in free if not str(one.get(name) or "").strip()]
        ids = sorted(one["Id"] for one in named) or sorted(one["Id"] for one in unnamed)
        return _Found(ids[0] if ids else None)

    async def _to_drchrono(self, observed: Observed, plan: Create | FindCreated) -> ReadyPlan:
        link, seen = observed.link, observed.seen
        assert isinstance(seen, Seen)
        attempt = open_upload(link, Side.DRCHRONO) if isinstance(plan, FindCreated) else None
        who: Fields = plan.fields if isinstance(plan, Create) else {}
        if attempt is not None and attempt.sent is not None:
            who = self.batch.runtime.vault.open(attempt.sent, SealedColumn.WRITE_SENT.of(attempt.id))
        row = self.batch.rules.table.row_of("patient")
        assert row is not None
        patient = who.get(row.name) or ""
        if isinstance(plan, Create) and (waits := await self._without_chart(link, row.name, patient)) is not None:
            return waits
        version = seen.salesforce.file if isinstance(seen.salesforce, Snapshot) else None
        id_ = link.salesforce_id or ""
        content = await self._inspected(
            link, Side.SALESFORCE, lambda: self.files.content(id_), version.extension if version is not None else ""
        )
        if not await self._is_ours(link, patient, content):
            return self._later()
        found = await self._in_drchrono(link, who, patient, content)
        return self._judged(link, plan, found, content, Side.DRCHRONO)

    async def _without_chart(self, link: Link, name: str, patient: str) -> Wait | Incomplete | None:
        """Say what becomes of a document whose patient's chart is known to be gone; None where it is not.

        DrChrono is asked for the chart only where it has refused one of that patient before.

        name  what we call the field that says whose it is
        """
        database, ref = self.batch.runtime.database, RecordRef(Side.DRCHRONO, Kind.PATIENT, patient)
        far = await dependencies.status_of(database, {(ref.kind, ref.id)}, Side.DRCHRONO)
        match far.get((ref.kind, ref.id)):
            case Parent.COMING:
                return Wait(NO_PARENT, self.batch.leased.now + _AGAIN, (ref,))
            case Parent.NEVER:
                is_dismissed = bool(await dependencies.dismissed_of(database, [ref]))
                return Incomplete(refused={name: PARENT_DISMISSED if is_dismissed else NO_PARENT}, awaits=(ref,))
        if (
            link.last_cause == NO_PARENT
            and self.batch.drchrono is not None
            and not await has_chart(self.batch, patient)
        ):
            return Wait(NO_PARENT, self.batch.leased.now + _AGAIN)
        return None

    async def _in_drchrono(self, link: Link, who: Fields, patient: str, content: Inspection) -> _Found:
        """Search a patient's documents: those of the same title and date, by their bytes."""
        table, reader = self.batch.rules.table, SideReader(self.batch.rules.table)
        alike: dict[str, dict[str, Any]] = {}
        async for page in self.documents.pages(patient=patient):
            for record in wire.readable(page):
                shown = reader.drchrono(wire.record_id(record), record)
                if self._is_alike(who, shown.fields) and shown.fields.get(table.tombstone or "") is None:
                    alike[shown.id] = record
        keys = self.batch.runtime.keys
        taken = await identity_index.already_paired(
            self.batch.runtime.database, Kind.DOCUMENT, Side.DRCHRONO, alike.keys()
        )
        kept = await documents.of_links(self.batch.runtime.database, taken.values())
        is_sent = any(
            one.content_stamp is not None and content.matches(keys, one.link_id, one.content_stamp)
            for one in kept.values()
        )
        is_open = await may_become_versions(
            self.batch.runtime, [id_ for id_ in taken if is_unread(kept.get(taken[id_]))]
        )
        for id_, record in sorted(alike.items()):
            if id_ in taken:
                continue
            try:
                other = await self._inspected_twin(record)
            except DocumentNotReady as error:
                if error.cause != BYTES_MISSING:
                    raise
                is_open = is_open or not self._is_given_up(link)
                continue
            if other is not None and (other.size, other.sha256) == (content.size, content.sha256):
                return _Found(id_)
        return _Found(None, is_sent=is_sent, is_open=is_open)

    def _is_alike(self, who: Fields, shown: Fields) -> bool:
        table = self.batch.rules.table
        rows = [row for name in ("description", "date") if (row := table.row_of(name)) is not None]
        return all(row.equal(who.get(row.name), shown.get(row.name)) for row in rows)

    async def _inspected_twin(self, record: Mapping[str, Any]) -> Inspection | None:
        """Give what is in a document that may be the same; None where that may not travel: then it is another."""
        try:
            with lying_on(Side.DRCHRONO):
                return await inspect(
                    lambda: self.documents.content(record), self.batch.runtime.content_rules, [*FileType], ""
                )
        except DocumentRefused:
            return None

    async def _inspected(self, link: Link, side: Side, opened: OpenContent, named: str) -> Inspection:
        """Give what the bytes of a document are, which lies on a side.

        Raises  DocumentRefused where they may not travel, or are not there after hours; DocumentNotReady, VendorError
        """
        types = [FileType(one) for one in self.batch.rules.table.types]
        with lying_on(side):
            try:
                return await inspect(opened, self.batch.runtime.content_rules, types, named)
            except DocumentNotReady as error:
                if error.cause == BYTES_MISSING and self._is_given_up(link):
                    raise DocumentRefused(BYTES_MISSING) from None
                raise

    def _is_given_up(self, link: Link) -> bool:
        return not link.is_pair and is_given_up(ULID.from_str(link.id).datetime, self.batch.leased.now)

    async def _is_ours(self, link: Link, patient: str, content: Inspection) -> bool:
        """Say whether this content of this patient may be matched for this record; for no other until it is saved."""
        parts = (b"document", patient.encode(), content.sha256.encode())
        person = self.batch.runtime.keys.digest(*parts)
        if person in self.met:
            return False
        self.met.add(person)
        database, token = self.batch.runtime.database, self.batch.leased.token
        return person in await identity_index.lease_people(database, token, {link.id: person})

    def _later(self) -> Wait:
        return Wait(BUSY, self.batch.leased.now + timedelta(seconds=1.5))

    def _judged(
        self, link: Link, plan: Create | FindCreated, found: _Found, content: Inspection, side: Side
    ) -> ReadyPlan:
        if isinstance(plan, FindCreated):
            rules, now = self.batch.rules, self.batch.leased.now
            judged = recheck_unanswered_upload(rules, open_upload(link, side), found.id, now, may_show=found.is_open)
            return replace(judged, content=content) if isinstance(judged, LinkTo) else judged
        if found.id is not None:
            return LinkTo(found.id, content)
        if found.is_open:
            return Wait(BUSY, self.batch.leased.now + _AGAIN)
        return Hold(SAME_CONTENT) if found.is_sent else replace(plan, content=content)
