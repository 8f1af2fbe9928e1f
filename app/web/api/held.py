"""What is held for a person: each record with why, both sides of it, and what the person decides."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field

from app.operations import resolve
from app.operations import resolve as operations
from app.operations.audit import note_view
from app.operations.candidates import Candidates
from app.operations.records import BothSides, RecordView, about
from app.operations.resolve import Pick, Refusal
from app.operations.sign_in import Caller
from app.operations.vendor_reads import Unanswered
from app.ports import Action
from app.runtime import Runtime
from app.sync.diff import MASK, Agreement
from app.sync.model import Kind, Side
from app.web.api.deprecated import NowCalled, either, with_aliases
from app.web.auth import Reader, api_router, operator
from app.web.validation import RequestBody, Word

router = api_router("held", "/held")
Operator = Annotated[Caller, Depends(operator)]
LinkId = Annotated[str, Path(pattern="^[0-9A-Za-z]{1,26}$", examples=["01JSYNTHETICLINK0000000000"])]
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "No such record"}}
_REFUSED: dict[int | str, dict[str, Any]] = {409: {"description": "It is not decided; `detail` says why"}}


@with_aliases
class Held(BaseModel):
    """A record that waits for a person's word; `link` names it here."""

    link: str
    side: str = Field(examples=["salesforce"])
    kind: str = Field(examples=["patient"])
    cause: Annotated[str, NowCalled("code")] = Field(examples=["several_contacts"])
    fields: list[str]
    fix: str
    drchrono_id: str | None
    salesforce_id: str | None
    decided: bool = Field(description="a person has decided, and it is to be carried out")
    at: datetime


class HeldRecords(BaseModel):
    """Held records; `next` is what `after` takes to go on."""

    items: list[Held]
    total: int
    next: str | None


class Differing(BaseModel):
    """A field that differs; `stamps` go back with a pick, so that it counts for these values alone."""

    field: str = Field(examples=["email"])
    drchrono: str | None = Field(examples=["•••"])
    salesforce: str | None
    one_way: bool = Field(description="DrChrono cannot take Salesforce's value")
    stamps: dict[Side, str]


class Candidate(BaseModel):
    """A record that the held one could be; `same`: whether each field says what the held one does.

    Beside a chart that has its Contact stands that one: it is what the held one can be merged into.
    """

    side: Side
    id: str
    fields: dict[str, str | None]
    same: dict[str, bool]


class Read(BaseModel):
    """Both sides of a held record as just read; `answers`: `read`, or why a side said nothing."""

    at: datetime
    answers: dict[Side, str]
    differing: list[Differing]
    candidates: list[Candidate]
    not_shown: list[str] = Field(description="charts that were this person's, and that DrChrono shows no more")


class Picked(RequestBody):
    """Whose value of a field counts, and the stamps it was read with."""

    field: str = Field(max_length=64, examples=["email"])
    side: Side
    stamps: dict[Side, str] = Field(description="as `read` gave them")


class Picks(RequestBody):
    """What a person picks: all of it counts, or none."""

    picks: list[Picked] = Field(min_length=1, max_length=100)


class Choice(RequestBody):
    """Which of several records it is."""

    id: str = Field(max_length=64, pattern=r"^[\w.-]+$", examples=["003SYN0000000015EAA"])


class Merge(RequestBody):
    """Which Contact stays; the held one becomes that."""

    into: str = Field(max_length=64, pattern=r"^[\w.-]+$", examples=["003SYN0000000015EAA"])


class Decided(BaseModel):
    """The decision is kept; a worker carries it out."""

    decided: bool = True


def code_of(
    code: Annotated[Word | None, Query(description="why it needs review")] = None,
    cause: Annotated[Word | None, Query(description="use `code`", deprecated=True)] = None,
) -> str | None:
    """Give why the records that are meant need review; None where all are meant."""
    return either(code, cause)


@router.get("", response_model=HeldRecords, summary="Records that need review")
async def held(
    request: Request,
    caller: Reader,
    code: Annotated[str | None, Depends(code_of)],
    kind: Kind | None = None,
    after: Annotated[str, Query(pattern="^[0-9A-Za-z]{0,26}$", description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:
    """Give the records that need review, with why and how to fix them."""
    runtime: Runtime = request.app.state.runtime
    found = await operations.listed(runtime, limit, after, cause=code, kind=kind)
    await note_view(runtime, caller.by, Action.LIST, "held", operations.ids(found.items))
    items = [
        {
            "link": one.link_id,
            "side": one.side,
            "kind": one.kind,
            "cause": one.cause,
            "fields": one.fields,
            "fix": one.fix,
            "drchrono_id": one.drchrono_id,
            "salesforce_id": one.salesforce_id,
            "decided": one.is_decided,
            "at": one.at.isoformat(timespec="seconds"),
        }
        for one in found.items
    ]
    return {"items": items, "total": found.total, "next": found.next}


async def known_held(request: Request, link_id: LinkId) -> RecordView:
    """Give the record of a link; 404 when there is none."""
    found = await operations.find(request.app.state.runtime, link_id)
    if found is None:
        raise HTTPException(404, "no such record")
    return found


One = Annotated[RecordView, Depends(known_held)]


@router.post("/{link_id}/read", response_model=Read, responses=_UNKNOWN, summary="Read what it waits for, masked")
async def read(request: Request, caller: Reader, one: One) -> Any:
    """Read a record that needs review in both systems, or its possible matches, by a call to each; a viewer may."""
    runtime: Runtime = request.app.state.runtime
    answered = await operations.read(runtime, one)
    await note_view(runtime, caller.by, Action.SHOW, about(one), (one.ref.id,))
    return _seen(answered, is_revealed=False)


@router.post("/{link_id}/reveal", response_model=Read, responses=_UNKNOWN, summary="Read it, values and all")
async def reveal(request: Request, caller: Operator, one: One) -> Any:
    """Read a record that needs review or its possible matches, and give the values; who asked is noted first."""
    return _seen(await operations.read(request.app.state.runtime, one, caller.by), is_revealed=True)


@router.post(
    "/{link_id}/resolve",
    response_model=Decided,
    responses=_UNKNOWN | _REFUSED,
    summary="Say which value to keep, field by field",
)
@router.post(
    "/{link_id}/settle", response_model=Decided, responses=_UNKNOWN | _REFUSED, summary="Use `resolve`", deprecated=True
)
async def settle(request: Request, caller: Operator, one: One, given: Picks) -> Any:
    """Have the picked values written to the other side by a worker, if both systems still have what was read."""
    picks = [Pick(each.field, each.side, each.stamps) for each in given.picks]
    return _answered(await resolve.settle(request.app.state.runtime, one, picks, caller.by))


@router.post(
    "/{link_id}/choose",
    response_model=Decided,
    responses=_UNKNOWN | _REFUSED,
    summary="Say which of several records it is",
)
async def choose(request: Request, caller: Operator, one: One, given: Choice) -> Any:
    """Have a worker link the record to one of several, if that still is who is wanted."""
    return _answered(await resolve.choose(request.app.state.runtime, one, given.id, caller.by))


@router.post(
    "/{link_id}/merge",
    response_model=Decided,
    responses=_UNKNOWN | _REFUSED,
    summary="Merge a Contact into the one its chart has",
)
async def merge(request: Request, caller: Operator, one: One, given: Merge) -> Any:
    """Have Salesforce merge the Contact into that one, if its chart still has it; what is empty there is filled.

    Salesforce moves all that belongs to the other one, and puts it into its recycle bin; nothing here undoes that.
    """
    return _answered(await resolve.merge(request.app.state.runtime, one, given.into, caller.by))


@router.post(
    "/{link_id}/create",
    response_model=Decided,
    responses=_UNKNOWN | _REFUSED,
    summary="Say that a new chart is right",
)
async def create(request: Request, caller: Operator, one: One) -> Any:
    """Have a worker create a chart beside the one that DrChrono shows no more, if none is found by then."""
    return _answered(await resolve.create(request.app.state.runtime, one, caller.by))


def _answered(refusal: Refusal | None) -> dict[str, Any]:
    if refusal is not None:
        raise HTTPException(409, refusal.value)
    return {"decided": True}


def _seen(found: BothSides | Candidates, *, is_revealed: bool) -> dict[str, Any]:
    return _candidates(found, is_revealed) if isinstance(found, Candidates) else _both(found)


def _candidates(found: Candidates, is_revealed: bool) -> dict[str, Any]:
    answer = "absent" if found.is_gone else "read"
    answers = {found.own.side: answer, found.own.side.other: answer}
    if found.silence is not None:
        answers[found.silence.side] = found.silence.text
    of_each = [
        {
            "side": ref.side,
            "id": ref.id,
            "fields": {line.name: _shown(line.theirs[at], is_revealed) for line in found.lines},
            "same": {line.name: line.same[at] for line in found.lines},
        }
        for at, ref in enumerate(found.refs)
    ]
    not_shown = [ref.id for ref in found.not_shown]
    return {"at": found.at, "answers": answers, "differing": [], "candidates": of_each, "not_shown": not_shown}


def _both(found: BothSides) -> dict[str, Any]:
    differing = [
        {
            "field": field.seen.name,
            "drchrono": field.seen.values[Side.DRCHRONO],
            "salesforce": field.seen.values[Side.SALESFORCE],
            "one_way": field.seen.is_one_way,
            "stamps": field.stamps,
        }
        for field in found.fields
        if field.seen.agreement is Agreement.DIFFERS
    ]
    said = {side: answer.text if isinstance(answer, Unanswered) else answer for side, answer in found.answers.items()}
    return {"at": found.at, "answers": said, "differing": differing, "candidates": [], "not_shown": []}


def _shown(value: str | None, is_revealed: bool) -> str | None:
    return value if is_revealed or value is None else MASK
