"""The documents of one patient: what each is, how it stands, and why it waits."""

from typing import Annotated, Any

from fastapi import Depends, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field

from app.operations import documents, records
from app.operations.audit import note_view
from app.operations.documents import PatientDocument
from app.operations.labels import STATUS_NAMES
from app.operations.records import RecordView
from app.ports import Action
from app.runtime import Runtime
from app.sync.failure_causes import fix
from app.sync.model import Kind, RecordRef, Side
from app.web.api.records import RecordStatus
from app.web.auth import Reader, api_router

router = api_router("records", "/records/{side}/patient/{patient_id}/documents")


class Document(BaseModel):
    """One document of a patient; what nobody says is null."""

    id: str = Field(description="of the link, as `id` of /failures takes it", examples=["01JSYNTHETICLINK0000000000"])
    record: str = Field(description="as a path of /records", examples=["drchrono/document/88101"])
    drchrono_id: str | None = Field(examples=["88101"])
    salesforce_id: str | None = Field(description="of the version of the File", examples=["068SYN0000000015EA"])
    title: str | None = Field(description="as Salesforce shows it now", examples=["Referral letter (2026-11-03)"])
    date: str | None = Field(examples=["2026-11-03"])
    tags: list[str] = Field(examples=[["Share with CRM"]])
    type: str | None = Field(description="what its file is", examples=["pdf"])
    size_bytes: int | None = Field(examples=[48_213])
    came_from: Side | None = Field(description="the system in which somebody filed it")
    replaced_by: str | None = Field(description="DrChrono's id of the document of a newer version", examples=["88102"])
    status: RecordStatus
    code: str | None = Field(description="why it failed or needs review", examples=["document_too_large"])
    sentence: str | None = Field(description="what is wrong", examples=["The file of this document is too large."])
    fix: str | None = Field(description="what to do about that")
    pages: dict[Side, str] = Field(description="where people see it: its patient's chart, and the File")


class Documents(BaseModel):
    """A patient's documents, the last one heard of first; `next` is what `before` takes to go on."""

    items: list[Document]
    total: int
    next: str | None
    silence: str | None = Field(examples=["Salesforce is not connected, so it was not asked."])


async def known_patient(
    request: Request,
    side: Side,
    patient_id: Annotated[str, Path(description="the patient's id on that side", examples=["5070101"])],
) -> RecordView:
    """Give the patient that an address names; 404 when nobody has heard of them, or documents are not synced."""
    runtime: Runtime = request.app.state.runtime
    if Kind.DOCUMENT not in runtime.mappings:
        raise HTTPException(404, "documents are not synced: the mapping has no [document] table")
    found = await records.find(runtime, RecordRef(side, Kind.PATIENT, patient_id))
    if found is None:
        raise HTTPException(404, "nothing is known of that patient: no delivery and no comparison has named it")
    return found


@router.get(
    "",
    response_model=Documents,
    responses={404: {"description": "Nobody has heard of the patient, or documents are not synced"}},
    summary="The documents of a patient, and how each stands",
)
async def of_patient(
    request: Request,
    caller: Reader,
    one: Annotated[RecordView, Depends(known_patient)],
    before: Annotated[str | None, Query(pattern="^[0-9A-Za-z]{1,26}$", description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = documents.ON_A_PAGE,
) -> Any:
    """Give a patient's documents, titles by one call of Salesforce, and have DrChrono asked for new ones soon."""
    runtime: Runtime = request.app.state.runtime
    shown = await documents.of_patient(runtime, one, before, limit)
    await note_view(runtime, caller.by, Action.LIST, documents.about(one), documents.ids(shown))
    await records.want_documents(runtime, one)
    return {
        "items": [_document(runtime, each) for each in shown.items],
        "total": shown.total,
        "next": shown.next,
        "silence": shown.silence and shown.silence.text,
    }


def _document(runtime: Runtime, each: PatientDocument) -> dict[str, Any]:
    record, facts = each.record, each.facts
    ids = {side: record.link.id_on(side) for side in Side}
    return {
        "id": record.id,
        "record": f"{record.ref.side}/{record.ref.kind}/{record.ref.id}",
        "drchrono_id": record.link.drchrono_id,
        "salesforce_id": record.link.salesforce_id,
        "title": facts.title,
        "date": facts.on,
        "tags": facts.tags,
        "type": facts.type,
        "size_bytes": facts.size,
        "came_from": facts.came_from,
        "replaced_by": facts.replaced_by,
        "status": STATUS_NAMES.get(record.standing, record.standing.value),
        "code": record.cause or None,
        "sentence": records.wrong_with(runtime, record) or None,
        "fix": fix(record.cause) if record.cause else None,
        "pages": records.vendor_pages(runtime, Kind.DOCUMENT, ids, facts),
    }
