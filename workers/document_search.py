"""Search for a document by its content: what each side has of a patient with the same bytes, and belongs to nobody yet.

Neither side keeps a key of ours that can be trusted: an external id on a version may be that of the version before, and
DrChrono has none. So a document is known by its patient, its text and its bytes, which are read from both sides and
compared. One content of one patient is matched by one worker at a time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ulid import ULID

from app.documents.content import OpenContent, inspect, lying_on
from app.errors import DocumentNotReady, DocumentRefused, Unauthorized
from app.store import identity_index
from app.sync.documents import is_given_up
from app.sync.failure_causes import BUSY, BYTES_MISSING
from app.sync.file_types import FileType
from app.sync.inspection import Inspection
from app.sync.model import Fields, Kind, Link, Side, Snapshot
from app.sync.plan import Wait
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.drchrono.documents import DrChronoDocuments
from app.vendors.salesforce.files import SalesforceFiles
from workers.batch import Batch
from workers.document_files import file_mark

IsSame = Callable[[Inspection], bool]


@dataclass(frozen=True, slots=True)
class Twin:
    """What a search for a document's twin came to.

    id       the record that it is; None where there is none
    content  what its bytes were found to be
    is_open  one may be it, whose bytes are not there yet
    """

    id: str | None = None
    content: Inspection | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A document of DrChrono's, as a list has it and as we read it."""

    record: Mapping[str, Any] = field(repr=False)
    shown: Snapshot


@dataclass(frozen=True, slots=True)
class DocumentSearch:
    """The searches of one batch; `met`: the contents that it has matched, each for one record."""

    batch: Batch
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

    @property
    def patient_field(self) -> str:
        """What we call the field that says whose a document is."""
        row = self.batch.rules.table.row_of("patient")
        assert row is not None
        return row.name

    async def of_patient(self, patient: str, since: str = "") -> dict[str, Listed]:
        """Give a patient's documents in DrChrono, archived ones too, by their ids; of nobody there are none.

        since   of those changed since
        Raises  VendorError
        """
        if not patient:  # DrChrono would list everybody's
            return {}
        reader, found = SideReader(self.batch.rules.table), dict[str, Listed]()
        async for page in self.documents.pages(patient=patient, since=since):
            for record in wire.readable(page):
                shown = reader.drchrono(wire.record_id(record), record)
                found[shown.id] = Listed(record, shown)
        return found

    def is_alike(self, text: Fields, one: Listed) -> bool:
        """Say whether a document of DrChrono's has this title and date."""
        table = self.batch.rules.table
        rows = [row for name in ("description", "date") if (row := table.row_of(name)) is not None]
        return all(row.equal(text.get(row.name), one.shown.fields.get(row.name)) for row in rows)

    async def twin(self, link: Link, among: Iterable[Listed], is_same: IsSame) -> Twin:
        """Give the first of some documents of DrChrono's whose bytes are the same; by which file, is noted.

        Raises  VendorError
        """
        is_open = False
        for one in among:
            id_, record = one.shown.id, one.record
            try:
                content = await self.inspected_twin(Side.DRCHRONO, partial(self.documents.content, record))
            except DocumentNotReady:
                is_open = is_open or not self.is_given_up(link)
                continue
            if content is not None and is_same(content):
                self.batch.read[id_] = file_mark(self.batch.runtime, record)
                return Twin(id_, content)
        return Twin(is_open=is_open)

    async def taken(self, side: Side, ids: Collection[str]) -> Mapping[str, str]:
        """Give, of a side's records, those that belong to a pair, with its link's id."""
        return await identity_index.already_paired(self.batch.runtime.database, Kind.DOCUMENT, side, ids)

    async def inspected(
        self, link: Link, side: Side, opened: OpenContent, named: str, since: datetime | None = None
    ) -> Inspection:
        """Give what the bytes of a document are, which lies on a side.

        since   when these were shown first, of a document that both sides have
        Raises  DocumentRefused where they may not travel, or are not there after hours; DocumentNotReady, VendorError
        """
        types = [FileType(one) for one in self.batch.rules.table.types]
        with lying_on(side):
            try:
                return await inspect(opened, self.batch.runtime.content_rules, types, named)
            except DocumentNotReady as error:
                if error.cause == BYTES_MISSING and self.is_given_up(link, since):
                    raise DocumentRefused(BYTES_MISSING) from None
                raise

    async def inspected_twin(self, side: Side, opened: OpenContent) -> Inspection | None:
        """Give what is in a document that may be the same; None where that may not travel: then it is another.

        Nobody scans it: it stays where it is.
        """
        rules = replace(self.batch.runtime.content_rules, scanner=None)
        try:
            with lying_on(side):
                return await inspect(opened, rules, [*FileType])
        except DocumentRefused:
            return None

    def is_given_up(self, link: Link, since: datetime | None = None) -> bool:
        """Say whether bytes are waited for no more: of a document on one side, or those shown of a pair since then."""
        since = since if link.is_pair else ULID.from_str(link.id).datetime
        return since is not None and is_given_up(since, self.batch.leased.now)

    async def is_ours(self, link: Link, patient: str, content: Inspection) -> bool:
        """Say whether this content of this patient may be matched for this record; for no other until it is saved."""
        parts = (b"document", patient.encode(), content.sha256.encode())
        person = self.batch.runtime.keys.digest(*parts)
        if person in self.met:
            return False
        self.met.add(person)
        database, token = self.batch.runtime.database, self.batch.leased.token
        return person in await identity_index.lease_people(database, token, {link.id: person})

    def later(self) -> Wait:
        """Have a document looked at again, once whoever matches the same content has done so."""
        return Wait(BUSY, self.batch.leased.now + timedelta(seconds=1.5))
