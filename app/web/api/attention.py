"""The records that need attention, one by one, as JSON or CSV; with notes, and the vendor's own message."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from app.operations import attention
from app.operations.attention import LONGEST_NOTE
from app.operations.audit import note_view
from app.operations.failures import Group
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.web.api.failures import Meant
from app.web.api.records import RecordStatus
from app.web.auth import Reader, api_router, operator
from app.web.validation import RequestBody

router = api_router("failures", "/failures/records")
Operator = Annotated[Caller, Depends(operator)]
LinkId = Annotated[str, Path(pattern="^[0-9A-Za-z]{1,26}$", examples=["01JSYNTHETICLINK0000000000"])]
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "It does not wait for a person, or nothing is kept"}}
_CSV = "text/csv"


class ListFormat(StrEnum):
    """How a list is given."""

    JSON = "json"
    CSV = "csv"


class FailingRecord(BaseModel):
    """A record that failed or needs review; `name` and `birth_date` are null unless names are asked for."""

    id: str = Field(description="of the link", examples=["01JSYNTHETICLINK0000000000"])
    kind: Kind
    drchrono_id: str | None = Field(examples=["5070101"])
    salesforce_id: str | None = Field(examples=["003SYN0000000015EAA"])
    record: str = Field(description="as a path of /records", examples=["drchrono/patient/5070101"])
    status: RecordStatus
    name: str | None = Field(
        description="of the patient, as Salesforce names them now; with an appointment's time, or a document's title"
    )
    birth_date: str | None
    code: str = Field(description="the error", examples=["FIELD_CUSTOM_VALIDATION_EXCEPTION"])
    vendor_code: str = Field(description="the same, where it is the vendor's own; else empty")
    source: Side = Field(description="the system that rejected it")
    fields: list[str] = Field(description="as that system names them", examples=[["MobilePhone"]])
    labels: list[str] = Field(description="as the mapping names them", examples=[["cell phone"]])
    sentence: str = Field(examples=["A validation rule in Salesforce rejects this patient."])
    fix: str
    decided: bool = Field(description="a person has decided, and it is to be carried out")
    dismissed: bool
    dismissed_by: str
    dismissed_at: datetime | None
    reason: str
    retrying: bool
    attempts: int
    next_retry_at: datetime | None
    since: datetime
    note: str | None
    note_by: str
    noted_at: datetime | None
    message: bool = Field(description="the vendor's own message is kept, and an operator may reveal it")


class FailingRecords(BaseModel):
    """Records that wait for a person, the one that has waited longest first; `next` is what `after` takes to go on."""

    items: list[FailingRecord]
    total: int
    next: str | None
    silence: str | None = Field(description="why nobody was named, where names were asked for")


class NoteText(RequestBody):
    """A note; an empty one takes away what there is."""

    text: str = Field(max_length=LONGEST_NOTE, examples=["Called the patient; new phone number follows."])


class RevealedMessage(BaseModel):
    """What the vendor says, with our values struck out; `vendor_code`: its own name for it."""

    source: Side
    vendor_code: str = Field(examples=["FIELD_CUSTOM_VALIDATION_EXCEPTION"])
    text: str = Field(examples=["Enter a mobile phone with an area code."])
    at: datetime


@router.get(
    "",
    response_model=FailingRecords,
    responses={200: {"content": {_CSV: {"schema": {"type": "string"}}}}},
    summary="The records that need attention, one by one",
)
async def listed(  # noqa: PLR0913 - each is a parameter of the address
    request: Request,
    caller: Reader,
    meant: Meant,
    *,
    after: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    dismissed: Annotated[bool, Query(description="those that were dismissed, in place of those that wait")] = False,
    names: Annotated[bool, Query(description="ask Salesforce, by one call, who they are")] = False,
    shape: Annotated[ListFormat | None, Query(alias="format", description="csv gives all of them at once")] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Any:
    """Give failures and holds record by record; as CSV all that match, without names and with messages masked."""
    runtime: Runtime = request.app.state.runtime
    meant = replace(meant, is_dismissed=dismissed)
    if shape is ListFormat.CSV or (shape is None and _CSV in accept):
        return await csv_response(request, caller, meant)
    found = await attention.listed(runtime, meant, limit, after, names=names)
    await note_view(runtime, caller.by, Action.LIST, "failing records", attention.ids(found))
    silence = found.silence and found.silence.text
    return {
        "items": [attention.item_as_json(one) for one in found.items],
        "total": found.total,
        "next": found.next,
        "silence": silence,
    }


async def csv_response(request: Request, caller: Caller, meant: Group) -> Response:
    """Give the records of a group as a file of CSV, which is noted before its first line.

    Raises  StoreUnavailable: it could not be noted, so nothing is given
    """
    lines = attention.csv_lines(request.app.state.runtime, meant, caller.by)
    heading = await anext(lines)

    async def whole() -> AsyncIterator[str]:
        yield heading
        async for line in lines:
            yield line

    headers = {"Content-Disposition": 'attachment; filename="failures.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(whole(), media_type=_CSV, headers=headers)


@router.put("/{link_id}/note", status_code=204, responses=_UNKNOWN, summary="Note something on a record that waits")
async def note(request: Request, caller: Operator, link_id: LinkId, given: NoteText) -> None:
    """Keep a note, encrypted, until the record waits no more; whoever is signed in sees it."""
    if not await attention.note(request.app.state.runtime, link_id, given.text, caller.by):
        raise HTTPException(404, "that record does not wait for a person")


@router.post(
    "/{link_id}/reveal", response_model=RevealedMessage, responses=_UNKNOWN, summary="The vendor's own message"
)
async def reveal(request: Request, caller: Operator, link_id: LinkId) -> Any:
    """Give what the vendor said of a failure, with our values struck out; who asked is noted first."""
    found = await attention.message(request.app.state.runtime, link_id, caller.by)
    if found is None:
        raise HTTPException(404, "no message of the vendor's is kept of that record")
    return {"source": found.side, "vendor_code": found.code, "text": found.text, "at": found.at}
