"""What of documents a write tells: a small document in the test patient's chart, a small File on its record.

Neither has what shares it, a tag or a tick, so nothing of it travels. The document is archived afterwards, which is all
that DrChrono's API does of a deletion; the File is deleted, for it is ours.
"""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from app.errors import DocumentNotReady, OutcomeUnknown
from app.operations.first_contact.context import NotToldError, TrialContext, to_its_end
from app.operations.first_contact.model import BY_ITSELF, Means, Trial, TrialStep, seen_as, shape_of
from app.operations.first_contact.salesforce_writes import record_of_patient
from app.sync.file_types import FileType
from app.sync.model import Kind, Side
from app.vendors.drchrono import wire
from app.vendors.drchrono.documents import DrChronoDocuments
from app.vendors.multipart import UploadFile
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.files import AS_THE_RECORD, LINK, SalesforceFiles
from app.vendors.salesforce.wire import RecordRefused

_TITLE = "First contact, may be deleted"
_PDF = b"%PDF-1.4\n% first contact, may be deleted\n%%EOF\n"
_NO_TAGS: tuple[object, ...] = ("[]", [])


async def _pieces() -> AsyncGenerator[bytes]:
    yield _PDF


_FILE = UploadFile(FileType.PDF, len(_PDF), _pieces)


@dataclass(slots=True)
class _TrialDocument:
    """A document that is filed and archived; without an id until DrChrono has answered."""

    context: TrialContext
    id: str = ""

    async def file(self, fields: dict[str, str]) -> dict[str, Any]:
        assert self.context.drchrono is not None
        made = await DrChronoDocuments(self.context.drchrono).upload(fields, _FILE)
        self.id = wire.record_id(made)
        return made

    async def archive(self) -> bool:
        """Say whether it is archived, or there is none of it."""
        client = self.context.runtime.drchrono  # whatever is left of our own part of the hour
        assert client is not None
        if not self.id:
            return True
        documents = DrChronoDocuments(client)
        await documents.archive(self.id)
        now = await documents.read(self.id)
        return now is None or now.get("archived") is True


async def _document(context: TrialContext) -> None:
    patient = await context.test_patient()
    assert context.drchrono is not None
    documents, filed = DrChronoDocuments(context.drchrono), _TrialDocument(context)
    fields = {"doctor": patient.get("doctor"), "patient": patient.get("id"), "description": _TITLE, "metatags": "[]"}
    fields |= {"date": context.runtime.now().date().isoformat()}
    async with context.restored("DrChrono: a document of the test patient, to be archived", filed.archive):
        made = await to_its_end(filed.file({name: str(value) for name, value in fields.items()}))
        has_file = "with" if made.get("document") else "without"
        says = f"an id that is {seen_as(made['id'])}, {has_file} the address of its file"
        context.observe("document_made", True, says, document=shape_of(made))
        now = await documents.read(filed.id)
        if now is None:
            raise NotToldError("what was made is not there to be read")
        tags = now.get("metatags")
        context.observe("document_tags", None if tags is None else tags in _NO_TAGS, f"none are {seen_as(tags)}")
        await _bytes_in_chart(context, documents, now)
        is_listed = await _row_of(documents, context, filed.id) is not None
        context.observe("document_listed", is_listed, "listed" if is_listed else "not listed yet")
    row = await _row_of(documents, context, filed.id)
    is_marked = row is not None and row.get("archived") is True
    context.observe("document_archived", is_marked, "not listed" if row is None else "listed, and marked")


async def _bytes_in_chart(context: TrialContext, documents: DrChronoDocuments, now: dict[str, Any]) -> None:
    try:
        async with documents.content(now) as pieces:
            content = b"".join([piece async for piece in pieces])
    except DocumentNotReady:
        context.observe("document_bytes", True, "no bytes yet: the service waits for them")
        return
    context.observe("document_bytes", content == _PDF, f"{len(content)} of {len(_PDF)} bytes")


async def _row_of(documents: DrChronoDocuments, context: TrialContext, id_: str) -> dict[str, Any] | None:
    async for page in documents.pages(patient=context.patient or ""):
        for row in page:
            if isinstance(row, dict) and str(row.get("id")) == id_:
                return row
    return None


@dataclass(slots=True)
class _TrialFile:
    """A File that is uploaded and deleted; without an id until Salesforce has answered."""

    context: TrialContext
    id: str = ""

    async def upload(self, record_id: str) -> None:
        assert self.context.salesforce is not None
        fields = {"Title": _TITLE, "FirstPublishLocationId": record_id}
        self.id = await SalesforceFiles(self.context.salesforce).upload(fields, _FILE)

    async def delete(self) -> bool:
        """Say whether there is none of it any more."""
        client = self.context.runtime.salesforce  # whatever is left of our own part of the day
        assert client is not None
        files = SalesforceFiles(client)
        found = await files.versions([self.id]) if self.id else []
        for answer in await client.delete([str(one["ContentDocumentId"]) for one in found]) if found else []:
            if isinstance(answer, OutcomeUnknown | RecordRefused):
                return False
        return not self.id or not await files.versions([self.id])


async def _file(context: TrialContext) -> None:
    client, _, record = await record_of_patient(context)
    files, made = SalesforceFiles(client), _TrialFile(context)
    async with context.restored("Salesforce: a File on the test patient's record, to be deleted", made.delete):
        await to_its_end(made.upload(record["Id"]))
        found = (await files.of_records([record["Id"]]))[record["Id"]]
        version = next((one for one in found if one["Id"] == made.id), None)
        context.observe("file_made", version is not None, "on the record" if version else "not on the record")
        if version is None:
            raise NotToldError("what was made is not on the record")
        is_md5 = str(version.get("Checksum")).lower() == hashlib.md5(_PDF, usedforsecurity=False).hexdigest()
        context.observe("file_checksum", is_md5, f"{'the MD5' if is_md5 else 'not the MD5'} of its bytes")
        await _share(context, client, str(version["ContentDocumentId"]), record["Id"])
        async with files.content(made.id) as pieces:
            content = b"".join([piece async for piece in pieces])
        context.observe("file_bytes", content == _PDF, f"{len(content)} of {len(_PDF)} bytes")


async def _share(context: TrialContext, client: Salesforce, document_id: str, record_id: str) -> None:
    """Tell how a File is shared with those who see the record that it is uploaded to."""
    names = ("Id", "LinkedEntityId", "ShareType")
    rows = await client.matching(LINK, names, {"ContentDocumentId IN {}": [document_id]})
    shares = [str(row.get("ShareType")) for row in rows if row.get("LinkedEntityId") == record_id]
    context.observe("file_share", shares == [AS_THE_RECORD], f"ShareType {', '.join(shares) or 'of no link'}")


STEPS = (
    TrialStep(
        "document",
        Side.DRCHRONO,
        Means.WRITE,
        "files a small document in the test patient's chart, without a tag, and archives it",
        (
            Trial("document_made", "How is a new document answered?", "with the document", BY_ITSELF),
            Trial("document_tags", "In which form are a document's tags?", "a JSON array in a text, or a list"),
            Trial("document_bytes", "Are a document's bytes those that were sent?", "yes, or not there yet"),
            Trial(
                "document_listed",
                "Does a list show a new document at once?",
                "yes",
                "nothing: the next comparison meets it; DOCUMENT_POLL_EVERY",
            ),
            Trial(
                "document_archived",
                "Does a list show an archived document?",
                "yes, marked as archived",
                "nothing: one that vanishes is left to a person",
            ),
        ),
        calls=9,
        try_out=_document,
        is_patients=True,
        of=Kind.DOCUMENT,
    ),
    TrialStep(
        "file",
        Side.SALESFORCE,
        Means.WRITE,
        "uploads a small File to the test patient's record, without the tick, and deletes it",
        (
            Trial("file_made", "Does an upload put a File on a record?", "yes"),
            Trial("file_checksum", "Is Checksum the MD5 of a File's bytes?", "yes", "nothing: each File is read then"),
            Trial(
                "file_share",
                "Who may edit a File that is uploaded to a record?",
                "whoever may edit the record (I)",
                "Setup, Salesforce Files, General Settings: Set file access to Set by Record",
            ),
            Trial("file_bytes", "Are a File's bytes those that were sent?", "yes"),
        ),
        calls=7,
        try_out=_file,
        is_patients=True,
        of=Kind.DOCUMENT,
    ),
)
