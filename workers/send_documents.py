"""Documents to both sides: an upload makes one, its text is patched; in place of a deletion it is archived or unlinked.

What is uploaded goes from one side to the other in pieces, and is only made where its bytes are those that were
inspected. One goes at a time: what is on its way is small then, and so is what a death leaves open. A document that
goes to DrChrono gets the first of the tags that share one, so that it stays shared; one that was filed with another
patient moves from one record to the other in Salesforce, and is never on both for longer than two calls.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from app.documents.content import OpenContent, copied, lying_on
from app.errors import BatchFailed, ContentGone, DocumentNotReady, OutcomeUnknown, Rejected, Unauthorized, Unexpected
from app.store import documents
from app.sync.failure_causes import NO_PARENT, UNEXPECTED
from app.sync.mappings.document_codecs import TAGS, tags_of, with_replacement
from app.sync.mappings.table import Table
from app.sync.model import Side, Snapshot
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.drchrono.documents import DrChronoDocuments
from app.vendors.salesforce.files import SalesforceFiles
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers import send_drchrono
from workers.batch import Answered, Batch, PreparedWrite, Written
from workers.bisection import side_by_side
from workers.lease import Lease
from workers.read_documents import has_chart, wake_versions

_PATIENT = "patient"  # DrChrono's name


async def post(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Upload each version to DrChrono as a document of its patient, and give what was answered, in their order."""
    files = SalesforceFiles(batch.salesforce)

    async def one(write: PreparedWrite) -> Answered:
        assert write.content is not None
        id_, table = write.link.salesforce_id or "", batch.rules.table
        try:
            upload = copied(lambda: files.content(id_), write.content)
            with lying_on(Side.SALESFORCE):
                made = await _documents(batch).upload(_form(table, write), upload, lease.must_outlast_a_write)
        except Rejected as error:
            if _PATIENT in error.fields and not await has_chart(batch, write.fields.get(_name(table)) or ""):
                return DocumentNotReady(NO_PARENT)
            return send_drchrono.refused_record(table, error)
        made_id = wire.record_id(made)
        try:
            shown = SideReader(table).drchrono(made_id, made, wire.version(made))
        except Exception:  # noqa: BLE001 - it is there, also where nothing can be made of how it was shown
            shown = Snapshot(made_id, {})
        return Written(made_id, True, write.fields, write.without, shown, write.message)

    return await _one_by_one(Side.DRCHRONO, writes, one)


async def patch(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Change the text of each document in DrChrono, or archive it, and give what was answered, in their order."""
    kept = await documents.of_links(batch.runtime.database, [write.link.id for write in writes])

    async def one(write: PreparedWrite) -> Answered:
        assert write.id is not None
        table, practice = batch.rules.table, _documents(batch)
        raw = table.write(Side.DRCHRONO, write.fields)[0]
        archives = raw.pop("archived", None)
        if "description" in raw and (known := kept.get(write.link.id)) is not None and known.replaced_by is not None:
            raw["description"] = with_replacement(str(raw["description"]), known.replaced_by)
        try:
            if raw:
                await practice.change(write.id, _texts(raw), lease.must_outlast_a_write)
            if archives:
                await practice.archive(write.id, lease.must_outlast_a_write)
        except Rejected as error:
            return send_drchrono.refused_record(table, error)
        return Saved(write.id, created=False)

    return await _one_by_one(Side.DRCHRONO, writes, one)


async def create(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Upload each document to Salesforce as a File of its patient's record, and give what was answered.

    One that was replaced in DrChrono becomes a new version of the File that it is.
    """
    table, files = batch.rules.table, SalesforceFiles(batch.salesforce)
    records = await _records(batch, writes)

    async def one(write: PreparedWrite) -> Answered:
        assert write.content is not None
        record = records.get(write.fields.get(_name(table)) or "")
        if record is None:
            return RecordRefused(NO_PARENT)
        practice = _documents(batch)
        document_id = write.link.drchrono_id or ""
        raw = batch.answered.get(document_id) or await practice.read(document_id)
        if raw is None:
            return ContentGone(Side.DRCHRONO.value, "GET /api/documents/{id}")
        own, _ = table.write(Side.SALESFORCE, _text_of(table, write))
        fields = {
            **table.constants,
            **own,
            table.external_id: write.link.drchrono_id,
            **(
                {"FirstPublishLocationId": record}
                if write.file is None
                else {"ContentDocumentId": write.file.document_id}
            ),
        }
        opened: OpenContent = lambda: practice.content(raw)  # noqa: E731
        lease.must_outlast_a_write()
        with lying_on(Side.DRCHRONO):
            made = await files.upload(fields, copied(opened, write.content))
        return Saved(made, created=True)

    return await _one_by_one(Side.SALESFORCE, writes, one)


async def update(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Change the text of each version in Salesforce, two hundred a call, and give what was answered, in their order.

    One that is filed with another patient is put on that one's record first, then taken off the other's.
    """
    table = batch.rules.table
    moved = [write for write in writes if _name(table) in write.fields]
    answers = dict(zip((one.link.id for one in moved), await _move(batch, lease, moved), strict=True))
    left = [one for one in writes if isinstance(answers.get(one.link.id), Saved | None)]
    texts = [one for one in left if _text_of(table, one) or one.beside]
    if texts:
        lease.must_outlast_a_write()
        raw = [{"id": one.id, **one.beside, **table.write(Side.SALESFORCE, _text_of(table, one))[0]} for one in texts]
        written = await batch.salesforce.update(table.object, raw)
        answers |= dict(zip((one.link.id for one in texts), written, strict=True))
    return [answers[one.link.id] for one in writes]


async def delete(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Take each File off its patient's record, where it stays a File, and give what was answered, in their order."""
    files = SalesforceFiles(batch.salesforce)

    async def one(write: PreparedWrite) -> Answered:
        known = write.file
        lease.must_outlast_a_write()
        if known is not None and known.contact_id is not None:
            await files.unlink(known.document_id, known.contact_id)
        return Saved(write.id or "", created=False)

    return await _one_by_one(Side.SALESFORCE, writes, one)


async def _move(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    table, files = batch.rules.table, SalesforceFiles(batch.salesforce)
    records = await _records(batch, writes) if writes else {}

    async def one(write: PreparedWrite) -> Answered:
        record, known = records.get(write.fields.get(_name(table)) or ""), write.file
        if record is None or known is None:
            return RecordRefused(NO_PARENT)
        lease.must_outlast_a_write()
        await files.link(known.document_id, record)
        if known.contact_id not in (None, record):
            await files.unlink(known.document_id, known.contact_id or "")
        await wake_versions(batch, known.document_id, write.id or "")
        return Saved(write.id or "", created=False)

    return await _one_by_one(Side.SALESFORCE, writes, one) if writes else []


async def _one_by_one(
    side: Side, writes: Sequence[PreparedWrite], send: Callable[[PreparedWrite], Awaitable[Answered]]
) -> Sequence[Answered]:
    """Send writes one after the other; one that nobody foresaw the end of may have happened."""
    answers: list[Answered] = []
    for write in writes:
        (answer,) = (await side_by_side({write.link.id: write}, send)).values()
        unknown = OutcomeUnknown(side.value, write.entry.call, code=UNEXPECTED)
        answers.append(unknown if isinstance(answer, Unexpected | BatchFailed) else answer)
    return answers


async def _records(batch: Batch, writes: Sequence[PreparedWrite]) -> dict[str, str]:
    """Give the patients' records in Salesforce that writes put Files on, by DrChrono's ids."""
    name = _name(batch.rules.table)
    patients = {patient for one in writes if (patient := one.fields.get(name)) is not None}
    return await documents.records_of(batch.runtime.database, patients)


def _documents(batch: Batch) -> DrChronoDocuments:
    if batch.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, "POST /api/documents", code="NOT_CONNECTED")
    return DrChronoDocuments(batch.drchrono)


def _form(table: Table, write: PreparedWrite) -> dict[str, str]:
    """Give the fields of a new document, shared by its tags."""
    raw = {**write.beside, **table.write(Side.DRCHRONO, write.fields)[0]}
    row = table.row_of("metatags")
    if row is not None and row.codec is TAGS and table.tags:
        given = tags_of(write.fields.get(row.name))
        is_shared = {one.casefold() for one in given} & {one.casefold() for one in table.tags}
        given = given if is_shared else [*given, table.tags[0]]
        raw["metatags"] = TAGS.write(Side.DRCHRONO, ", ".join(given), row.options)
    return _texts(raw)


def _texts(raw: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in raw.items()}


def _name(table: Table) -> str:
    row = table.row_of(_PATIENT)
    assert row is not None
    return row.name


def _text_of(table: Table, write: PreparedWrite) -> dict[str, str | None]:
    return {name: value for name, value in write.fields.items() if name != _name(table)}
