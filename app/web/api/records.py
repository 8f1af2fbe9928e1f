"""One record: its ids, its state, its history, both sides of it on demand, and looking at it again."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field

from app.operations import history, records
from app.operations.audit import note_view
from app.operations.history import CallEvent, Came, DeliveryEvent, FailureEvent, History, HistoryEvent
from app.operations.labels import STATUS_NAMES
from app.operations.records import BothSides, RecordView
from app.operations.sign_in import Caller
from app.operations.vendor_reads import Unanswered
from app.ports import Action
from app.runtime import Runtime
from app.sync.diff import Agreement
from app.sync.failure_causes import fix
from app.sync.model import Exclusion, Kind, RecordRef, Side, WriteState
from app.web.api.deprecated import NowCalled, with_aliases
from app.web.auth import Reader, api_router, operator


class Standing(StrEnum):
    """How a record stands, for a person.

    DISMISSED  a person has dismissed why it failed or is held: both systems may differ until a value changes
    EXCLUDED   the mapping's `include` leaves it out: nothing is written of it on either side
    """

    IN_STEP = "in_step"
    ON_ITS_WAY = "on_its_way"
    FAILED = "failed"
    HELD = "held"
    DISMISSED = "dismissed"
    ALONE = "alone"
    EXCLUDED = "excluded"


class RecordStatus(StrEnum):
    """The status of a record."""

    SYNCED = "synced"
    PENDING = "pending"
    FAILED = "failed"
    NEEDS_REVIEW = "needs_review"
    DISMISSED = "dismissed"
    UNLINKED = "unlinked"
    EXCLUDED = "excluded"


# what is called otherwise by its new name; every other value is the same under both
STATUSES: Mapping[str, str] = {state.value: name for state, name in STATUS_NAMES.items()}


class State(StrEnum):
    """How far an outward call is known to have come."""

    PLANNED = "planned"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Ending(StrEnum):
    """How a decision stands.

    OVERTAKEN  somebody had edited the field since, so that edit stayed
    DROPPED    a person dismissed its failure before it could be carried out
    """

    OPEN = "open"
    DONE = "done"
    OVERTAKEN = "overtaken"
    DROPPED = "dropped"


class UndoStatus(StrEnum):
    """The status of an undo.

    SUPERSEDED  somebody had edited the field since, so that edit stayed
    ABANDONED   a person dismissed its failure before it could be carried out
    """

    OPEN = "open"
    DONE = "done"
    SUPERSEDED = "superseded"
    ABANDONED = "abandoned"


UNDO_STATUSES: Mapping[str, str] = {
    Ending.OVERTAKEN: UndoStatus.SUPERSEDED,
    Ending.DROPPED: UndoStatus.ABANDONED,
}
ENDINGS: Mapping[str, str] = {new: old for old, new in UNDO_STATUSES.items()}
OUTCOMES: Mapping[str, str] = {"kept": "accepted", "skipped": "ignored", "unreadable": "invalid"}


router = api_router("records", "/records/{side}/{kind}/{record_id}")


@with_aliases
class Event(BaseModel):
    """One thing that happened to a record: a delivery, a call we made, a failure or a hold, or what a person did."""

    id: str
    at: datetime
    what: Literal["delivery", "call", "failure", "hold", "person"]
    side: Side | None = Field(description="where it came from, went to or failed; null of what a person did")
    name: str = Field(
        description="the delivery's event, the call, the cause, or what a person did",
        examples=["PATIENT_MODIFY", "update"],
    )
    outcome: Annotated[str, NowCalled("result", OUTCOMES)] = Field(
        description="what became of it: accepted, confirmed, refused, unknown …", examples=["confirmed"]
    )
    ended_at: datetime | None = Field(description="when it was used up, or answered")
    belongs_to: list[str] = Field(
        description="the calls that came of a delivery; the deliveries that a call or a failure came of"
    )
    failures: list[str] = Field([], description="the failures and holds that a delivery led to")
    says: str = Field(
        "",
        description="in words, what was not applied, or what a person did",
        examples=["Not applied: DrChrono needs a first name."],
    )
    by: str = Field("", description="who did it, of what a person did", examples=["maria"])
    times: int = Field(1, description="how often, where the same happened again")
    last_at: datetime | None = Field(None, description="when last, where that was more than once")
    fields: list[str] = Field(description="what a call carried: names, never values", examples=[["email"]])
    why: dict[str, str] = Field(description="what made a field travel, where that was no plain edit")
    conflicts: dict[str, str] = Field(description="the rule that decided, of a field that both sides had changed")
    code: str = Field(description="what the side answered with", examples=["DUPLICATE_VALUE"])


class DismissedBy(BaseModel):
    """Who dismissed why a record failed or is held, when, and why, in the person's words."""

    by: str = Field(examples=["maria"])
    at: datetime
    reason: str = Field(examples=["the practice keeps both numbers"])


@with_aliases
class Record(BaseModel):
    """A record as we know it: no value of it is stored."""

    side: Side
    kind: Kind
    id: str = Field(examples=["5070101"])
    drchrono_id: str | None = Field(examples=["5070101"])
    salesforce_id: str | None = Field(examples=["003SYN0000000015EAA"])
    state: Annotated[Standing, NowCalled("status", STATUSES, RecordStatus)]
    cause: Annotated[str | None, NowCalled("code")] = Field(
        description="why it failed or needs review", examples=["several_contacts"]
    )
    sentence: str | None = Field(description="what is wrong", examples=["DrChrono needs a first name."])
    fix: str | None = Field(description="what to do about that")
    fields: list[str] = Field(description="the fields that is about")
    dismissed: DismissedBy | None = Field(description="null where nobody has dismissed it")
    excluded_by: list[Exclusion] = Field(
        description="what leaves it out of what is synced: a condition on a side, a record it refers to, or a person"
    )
    lane: Annotated[str, NowCalled("queue")] = Field(examples=["live"])
    attempts: int = Field(description="how many were made since it first failed so, or since it last went well")
    due_at: datetime | None = Field(description="when it is looked at next; null while nothing is to be done")
    synced_at: datetime | None
    history: list[Event] = Field(description="newest first")
    next: str | None = Field(description="what `before` takes to go on with the history")


class Origin(BaseModel):
    """How a value came to a side: by which call of ours, why, and what had come in for it."""

    side: Side
    at: datetime
    call: str
    why: str
    rule: str = Field(description="where both sides had changed it, what decided", examples=["drchrono owns it"])
    deliveries: list[str]


@with_aliases
class Value(BaseModel):
    """One field on both sides. A value that was not read is null, and its side not among `read`."""

    field: str = Field(examples=["email"])
    drchrono_name: str = Field(examples=["email"])
    salesforce_name: str = Field(examples=["Email"])
    read: list[Side]
    drchrono: str | None = Field(examples=["•••"])
    salesforce: str | None
    agreement: Agreement
    moved: list[Side] = Field(description="the sides whose value is another one than both last agreed on")
    unreadable: dict[Side, str]
    owner: Side
    one_way: bool
    came: Annotated[Origin | None, NowCalled("last_change")]


class Values(BaseModel):
    """Both sides of a record as just read; `answers`: `read`, `absent`, `not_linked`, or why a side said nothing."""

    at: datetime
    answers: dict[Side, str]
    fields: list[Value]


async def known_record(
    request: Request,
    side: Side,
    kind: Kind,
    record_id: Annotated[str, Path(description="the record's id on that side", examples=["5070101"])],
) -> RecordView:
    """Give the record an address names; 404 when nobody has heard of it."""
    found = await records.find(request.app.state.runtime, RecordRef(side, kind, record_id))
    if found is None:
        raise HTTPException(404, f"nothing is known of that {kind.value}: no delivery and no comparison has named it")
    return found


One = Annotated[RecordView, Depends(known_record)]
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "Nobody has heard of the record"}}


@router.get("", response_model=Record, responses=_UNKNOWN, summary="A record's ids, state and history")
async def show(
    request: Request,
    caller: Reader,
    side: Side,
    one: One,
    before: Annotated[str | None, Query(pattern="^[0-9A-Za-z]{1,26}$", description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = history.ON_A_PAGE,
) -> Any:
    """Give what we know of a record without a call: what was received, what we wrote and why, and its status."""
    runtime: Runtime = request.app.state.runtime
    await note_view(runtime, caller.by, Action.SHOW, records.about(one), (one.ref.id,))
    return _record(runtime, side, one, await history.history(runtime, one, before, limit))


@router.post("/read", response_model=Values, responses=_UNKNOWN, summary="Read both systems now; values are masked")
async def read(request: Request, caller: Reader, one: One) -> Any:
    """Read a record in both systems, by a call to each, and compare them field by field; it reads, so a viewer may."""
    runtime: Runtime = request.app.state.runtime
    both = await records.read(runtime, one)
    await note_view(runtime, caller.by, Action.SHOW, records.about(one), (one.ref.id,))
    return _values(both)


@router.post("/reveal", response_model=Values, responses=_UNKNOWN, summary="Read both systems now, values and all")
async def reveal(request: Request, caller: Annotated[Caller, Depends(operator)], one: One) -> Any:
    """Read a record in both systems and give its values; who asked is noted first."""
    return _values(await records.reveal(request.app.state.runtime, one, caller.by))


@router.post("/recheck", response_model=Record, responses=_UNKNOWN, summary="Check a record again now")
@router.post("/look", response_model=Record, responses=_UNKNOWN, summary="Use `recheck`", deprecated=True)
async def look(request: Request, side: Side, caller: Annotated[Caller, Depends(operator)], one: One) -> Any:
    """Make a record due, DrChrono being asked what it holds; gives it as it then stands."""
    runtime: Runtime = request.app.state.runtime
    await records.look(runtime, one, caller.by)
    again = await records.find(runtime, one.ref) or one
    return _record(runtime, side, again, await history.history(runtime, again))


def _record(runtime: Runtime, side: Side, one: RecordView, told: History) -> dict[str, Any]:
    link = one.link
    return {
        "side": side,
        "kind": link.kind,
        "id": link.id_on(side),
        "drchrono_id": link.drchrono_id,
        "salesforce_id": link.salesforce_id,
        "state": one.standing,
        "cause": one.cause or None,
        "sentence": records.wrong_with(runtime, one) or None,
        "fix": fix(one.cause) if one.cause else None,
        "fields": list(one.fields),
        "dismissed": one.dismissal and {"by": one.dismissal.by, "at": one.dismissal.at, "reason": one.dismissal.reason},
        "excluded_by": sorted(link.excluded_by),
        "lane": one.lane,
        "attempts": one.attempts,
        "due_at": one.due_at,
        "synced_at": one.synced_at,
        "history": [_event(item) for item in told.items],
        "next": told.next,
    }


def _event(item: HistoryEvent) -> dict[str, Any]:
    common = {"id": item.id, "at": item.at, "side": item.side}
    nothing: dict[str, Any] = {"fields": [], "why": {}, "conflicts": {}, "code": ""}
    if isinstance(item, DeliveryEvent):
        ended = {"outcome": item.outcome, "ended_at": item.finished_at, "belongs_to": item.calls}
        failed = {"failures": item.failures, "says": item.not_applied}
        return common | nothing | ended | failed | {"what": "delivery", "name": item.event}
    if isinstance(item, FailureEvent):
        state = "held" if item.is_held else "failed"
        told = {"fields": item.fields, "code": item.code, "says": item.says, "outcome": state, "ended_at": None}
        often = {"times": item.times, "last_at": item.last_at, "belongs_to": item.deliveries}
        return common | nothing | told | often | {"what": "hold" if item.is_held else "failure", "name": item.cause}
    if not isinstance(item, CallEvent):
        told = {
            "fields": item.fields,
            "says": item.says,
            "by": item.by,
            "outcome": UNDO_STATUSES.get(item.outcome, item.outcome),
        }
        return (
            common | nothing | told | {"ended_at": item.ended_at, "belongs_to": [], "what": "person", "name": item.what}
        )
    answer = {"outcome": WriteState(item.answer).value, "ended_at": item.answered_at, "code": item.code}
    decided = {"fields": item.fields, "why": item.why, "conflicts": item.conflicts}
    often = {"times": item.times, "at": item.first_at or item.at, "last_at": item.at if item.times > 1 else None}
    return common | answer | decided | often | {"what": "call", "name": item.call, "belongs_to": item.deliveries}


def _values(both: BothSides) -> dict[str, Any]:
    said = {side: one.text if isinstance(one, Unanswered) else one for side, one in both.answers.items()}
    return {"at": both.at, "answers": said, "fields": [_value(one.seen, one.came) for one in both.fields]}


def _value(seen: Any, came: Came | None) -> dict[str, Any]:
    return {
        "field": seen.name,
        "drchrono_name": seen.names[Side.DRCHRONO],
        "salesforce_name": seen.names[Side.SALESFORCE],
        "read": list(seen.values),
        "drchrono": seen.values.get(Side.DRCHRONO),
        "salesforce": seen.values.get(Side.SALESFORCE),
        "agreement": seen.agreement,
        "moved": seen.moved,
        "unreadable": seen.unreadable,
        "owner": seen.owner,
        "one_way": seen.is_one_way,
        "came": came and _origin(came),
    }


def _origin(came: Came) -> dict[str, Any]:
    return {
        "side": came.side,
        "at": came.at,
        "call": came.call_id,
        "why": came.why,
        "rule": came.rule,
        "deliveries": came.deliveries,
    }
