"""Documents: what is known of each, those of one patient as people look for them, and having them listed anew.

Title, date and tags are those that Salesforce gives at the moment they are shown, by one call; of a document that is
not there yet, those of its last delivery, opened in memory. No title is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.operations.deliveries import last_bodies
from app.operations.vendor_reads import FAILS, NOT_CONNECTED, Unanswered, salesforce_of, unanswered
from app.runtime import Runtime
from app.store import dependencies, document_views, documents
from app.store.documents import StoredDocument
from app.store.record_views import RecordView
from app.sync.mappings.document_codecs import tags_of
from app.sync.mappings.table import Table
from app.sync.model import Kind, RecordRef, Side, Snapshot
from app.sync.snapshots import SideReader
from app.vendors.drchrono import documents as practice
from app.vendors.salesforce.files import SalesforceFiles
from app.vendors.salesforce.wire import id_of

ON_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What is known of a document; None or empty where nobody says.

    title        with its date, as Salesforce shows it; `on`: that date
    type         what its file is, such as `pdf`; `size` in bytes
    came_from    the side on which a person filed it
    patient_id   whose it is, by DrChrono's id; `replaced_by`: the document of a newer version of its file
    file_id      Salesforce's id of the file that it is a version of
    """

    title: str | None = None
    on: str | None = None
    tags: tuple[str, ...] = ()
    type: str | None = None
    size: int | None = None
    came_from: Side | None = None
    patient_id: str | None = None
    replaced_by: str | None = None
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class PatientDocument:
    """One document of a patient."""

    record: RecordView
    facts: DocumentFacts

    @property
    def title(self) -> str:
        """What people call it; its id where nobody says."""
        return self.facts.title or f"Document {self.record.ref.id}"


@dataclass(frozen=True, slots=True)
class PatientDocuments:
    """A page of a patient's documents, the last one heard of first.

    total    how many there are on all pages; `next`: what leads to the page behind it, None at the end
    silence  why Salesforce gave no title
    """

    items: Sequence[PatientDocument] = ()
    total: int = 0
    next: str | None = None
    silence: Unanswered | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A document as `facts_of` takes it."""

    link_id: str
    drchrono_id: str | None
    salesforce_id: str | None


def has_documents(runtime: Runtime, one: RecordView) -> bool:
    """Say whether a record is one that has documents, and the mapping has them synced."""
    return one.link.kind is Kind.PATIENT and Kind.DOCUMENT in runtime.mappings


def about(one: RecordView) -> str:
    """Name a patient's documents for the audit."""
    return f"documents of {one.link.kind.value} {one.ref.id}"


def ids(shown: PatientDocuments) -> tuple[str, ...]:
    """Give the ids of the documents on a page, for the audit."""
    return tuple(one.record.ref.id for one in shown.items)


async def of_patient(
    runtime: Runtime, one: RecordView, before: str | None = None, limit: int = ON_A_PAGE
) -> PatientDocuments:
    """Give the documents of a patient with how each stands; none of a record that has none.

    before  `next` of the page before
    Raises  StoreUnavailable
    """
    chart = one.link.drchrono_id
    if chart is None or not has_documents(runtime, one):
        return PatientDocuments()
    found = await document_views.of_patient(runtime.database, chart, limit + 1, before)
    shown = found[:limit]
    asked = [_Asked(view.id, view.link.drchrono_id, view.link.salesforce_id) for view in shown]
    facts, silence = await facts_of(runtime, asked)
    return PatientDocuments(
        [PatientDocument(view, facts.get(view.id, DocumentFacts())) for view in shown],
        await document_views.count_of_patient(runtime.database, chart),
        shown[-1].id if len(found) > limit else None,
        silence,
    )


async def facts_of(runtime: Runtime, rows: Sequence[Any]) -> tuple[dict[str, DocumentFacts], Unanswered | None]:
    """Give what is known of documents by link, and why Salesforce said nothing.

    rows    what names each: `link_id`, `drchrono_id`, `salesforce_id`
    Raises  StoreUnavailable
    """
    table = runtime.mappings.get(Kind.DOCUMENT)
    if table is None or not rows:
        return {}, None
    kept = await documents.of_links(runtime.database, [row.link_id for row in rows])
    versions, silence = await _versions(runtime, table, [row.salesforce_id for row in rows if row.salesforce_id])
    lone = [row.drchrono_id for row in rows if row.drchrono_id and row.salesforce_id not in versions]
    delivered = await last_bodies(runtime, Kind.DOCUMENT, lone)
    found = {}
    for row in rows:
        seen = versions.get(row.salesforce_id or "")
        told = delivered.get(row.drchrono_id or "", {})
        if seen is None and told:
            seen = SideReader(table).drchrono(row.drchrono_id, told, confirmed=False)
        beside = kept.get(row.link_id, StoredDocument(row.link_id))
        found[row.link_id] = _facts(table, row, seen, practice.extension(told), beside)
    return found, silence


async def _versions(
    runtime: Runtime, table: Table, ids: Sequence[str]
) -> tuple[dict[str, Snapshot], Unanswered | None]:
    """Give what Salesforce holds of documents by Id, by one call, or why it said nothing."""
    if not ids:
        return {}, None
    client = salesforce_of(runtime)
    if client is None:
        return {}, Unanswered(Side.SALESFORCE, NOT_CONNECTED)
    try:
        records = await client.read(table.object, table.fields, table.external_id, ids, [])
    except FAILS as error:
        return {}, unanswered(Side.SALESFORCE, error)
    reader = SideReader(table)
    return {one.id: one for one in map(reader.salesforce, records)}, None


async def with_patient(runtime: Runtime, version: Snapshot) -> Snapshot:
    """Give a version with the patient on whose record its File is, where that is one; by one call.

    Raises  VendorError, StoreUnavailable
    """
    client, row = salesforce_of(runtime), runtime.mappings[Kind.DOCUMENT].row_of("patient")
    if client is None or row is None or version.file is None:
        return version
    files = await SalesforceFiles(client).linked_records([version.file.document_id])
    contact = runtime.mappings[Kind.PATIENT].object
    refs = {
        RecordRef(Side.SALESFORCE, Kind.PATIENT, id_) for ids in files.values() for id_ in ids if id_of(contact, id_)
    }
    patients = set((await dependencies.drchrono_ids_of(runtime.database, refs)).values())
    known = {row.name: next(iter(patients))} if len(patients) == 1 else {}
    return replace(version, fields={**version.fields, **known})


def _facts(table: Table, row: Any, seen: Snapshot | None, extension: str, kept: StoredDocument) -> DocumentFacts:
    """Give what is known of a document: what a side has just shown, with what is kept beside its link.

    seen       None where neither side showed it
    extension  that of its file in DrChrono
    """

    def value(name: str) -> str | None:
        field = table.row_of(name)
        return seen.fields.get(field.name) if seen and field else None

    file = seen.file if seen else None
    return DocumentFacts(
        title=value("description"),
        on=value("date"),
        tags=tuple(tags_of(value("metatags"))),
        type=kept.type or (file.extension if file else extension) or None,
        size=kept.size_bytes or (file.size if file else None) or None,
        came_from=_origin(row, seen),
        patient_id=kept.patient_id or value("patient"),
        replaced_by=kept.replaced_by,
        file_id=file.document_id if file else None,
    )


def _origin(row: Any, seen: Snapshot | None) -> Side | None:
    """Give where somebody filed a document: in Salesforce one that is ticked there, for no other goes to DrChrono."""
    if not (row.drchrono_id and row.salesforce_id):
        return Side.DRCHRONO if row.drchrono_id else Side.SALESFORCE
    if seen is None or seen.file is None:
        return None
    return Side.SALESFORCE if seen.is_opted_in else Side.DRCHRONO
