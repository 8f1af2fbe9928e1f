"""What the vendors delivered: looking through it, and running it again."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from app.operations import deliveries
from app.operations.audit import note_view
from app.operations.deliveries import MOST_AT_ONCE, DeliveryFilter, Outcome
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.web.api.activity import TimeSpan, time_span
from app.web.api.deprecated import NowCalled, either, with_aliases
from app.web.api.records import OUTCOMES
from app.web.auth import Reader, api_router, operator
from app.web.validation import RequestBody

router = api_router("deliveries")
Operator = Annotated[Caller, Depends(operator)]
Id = Annotated[str, Field(min_length=1, max_length=64, examples=["01M8EKWB1P2H3SHHYCP7HHN07A"])]


class DeliveryResult(StrEnum):
    """What was made of a delivery when it was received."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    INVALID = "invalid"


_RESULTS = {DeliveryResult(new): Outcome(old) for old, new in OUTCOMES.items()}


class Ref(BaseModel):
    """A record a delivery tells of; `finished_at` is null while that has not been dealt with."""

    side: str = Field(examples=["drchrono"])
    kind: str = Field(examples=["patient"])
    record_id: str = Field(examples=["220000101"])
    version: str
    finished_at: str | None


@with_aliases
class Delivered(BaseModel):
    """One request that a vendor made; `is_bare`: its body is older than RETENTION_DAYS and was dropped."""

    id: str = Field(examples=["01M8EKWB1P2H3SHHYCP7HHN07A"])
    side: str = Field(examples=["drchrono"])
    event: str = Field(examples=["PATIENT_MODIFY"])
    vendor_id: str | None
    outcome: Annotated[str, NowCalled("result", OUTCOMES, DeliveryResult)]
    received_at: str = Field(examples=["2026-03-05T14:00:00+00:00"])
    is_bare: bool
    told: Annotated[list[Ref], NowCalled("about")]


class Deliveries(BaseModel):
    """Deliveries, newest first; `next` is what `before` takes to go on."""

    items: list[Delivered]
    total: int
    next: str | None


class Body(BaseModel):
    """What is kept of a body, name by name; masked unless it was revealed."""

    id: str
    fields: dict[str, str] | None = Field(description="null: nothing of it is left, or no key opens it")


class Which(RequestBody):
    """Deliveries by id."""

    ids: list[Id] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Replayed(BaseModel):
    """What runs again. `empty`: deliveries that tell of no record; `unknown`: ids that are no delivery's."""

    deliveries: int
    records: int
    empty: int
    unknown: list[str]


def by_result(
    result: DeliveryResult | None = None,
    unprocessed: Annotated[bool, Query(description="only what is not processed yet")] = False,
    outcome: Annotated[Outcome | None, Query(description="use `result`", deprecated=True)] = None,
    open: Annotated[bool, Query(description="use `unprocessed`", deprecated=True)] = False,  # noqa: A002 - its name outside
) -> DeliveryFilter:
    """Give which deliveries are meant by what came of them."""
    return DeliveryFilter(outcome=either(_RESULTS[result] if result else None, outcome), is_open=unprocessed or open)


def wanted(
    by: Annotated[DeliveryFilter, Depends(by_result)],
    side: Side | None = None,
    kind: Kind | None = None,
    record_id: Annotated[str | None, Query(max_length=64)] = None,
    span: Annotated[TimeSpan, Depends(time_span)] = TimeSpan(),  # noqa: B008 - it is frozen
) -> DeliveryFilter:
    """Give which deliveries are meant."""
    return DeliveryFilter(side, by.outcome, kind, record_id, by.is_open, span.since, span.until)


@router.get("/deliveries", response_model=Deliveries, summary="What the vendors delivered, newest first")
async def look_through(
    request: Request,
    caller: Reader,
    which: Annotated[DeliveryFilter, Depends(wanted)],
    before: Annotated[str | None, Query(max_length=26, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:
    """Give deliveries that match, without their bodies."""
    runtime: Runtime = request.app.state.runtime
    found = await deliveries.look_through(runtime, which, limit, before)
    await note_view(runtime, caller.by, Action.LIST, "deliveries", [one.id for one in found.items])
    return {"items": [as_json(one) for one in found.items], "total": found.total, "next": found.next}


def as_json(one: deliveries.Kept) -> dict[str, Any]:
    """Give a delivery for a script."""
    told = [
        {**asdict(ref), "finished_at": ref.finished_at and ref.finished_at.isoformat(timespec="seconds")}
        for ref in one.told
    ]
    return {**asdict(one), "received_at": one.received_at.isoformat(timespec="seconds"), "told": told}


@router.get(
    "/deliveries/{delivery_id}",
    response_model=Body,
    summary="A delivery's body, masked",
    responses={404: {"description": "there is no such delivery"}},
)
async def body(request: Request, caller: Reader, delivery_id: str) -> Any:
    """Give which fields a body has; whether each holds something, and never what."""
    shown = await _body(request, delivery_id, None)
    runtime: Runtime = request.app.state.runtime
    await note_view(runtime, caller.by, Action.SHOW, f"delivery {delivery_id}", (delivery_id,))
    return shown


@router.post(
    "/deliveries/{delivery_id}/reveal",
    response_model=Body,
    summary="A delivery's body, in clear",
    responses={404: {"description": "there is no such delivery"}},
)
async def reveal(request: Request, delivery_id: str, caller: Operator) -> Any:
    """Give what is kept of a body; the audit says who saw it."""
    return await _body(request, delivery_id, caller)


async def _body(request: Request, delivery_id: str, caller: Caller | None) -> dict[str, Any]:
    runtime: Runtime = request.app.state.runtime
    if await deliveries.one(runtime, delivery_id) is None:
        raise HTTPException(404, "there is no such delivery")
    return {"id": delivery_id, "fields": await deliveries.body(runtime, delivery_id, caller.by if caller else None)}


@router.post("/replay", response_model=Replayed, summary="Replay stored deliveries")
async def replay(request: Request, caller: Operator, which: Which) -> Any:
    """Replay deliveries: their records are pending, and both systems are read."""
    runtime: Runtime = request.app.state.runtime
    return asdict(await deliveries.replay(runtime, which.ids, caller.by))


@router.post("/deliveries/replay", response_model=Replayed, summary="Replay all deliveries that match")
async def replay_matching(
    request: Request,
    caller: Operator,
    which: Annotated[DeliveryFilter, Depends(wanted)],
    expected: Annotated[int, Query(ge=0, le=MOST_AT_ONCE, description="how many that are, as you last saw it")],
) -> Any:
    """Replay all that match, the newest 10,000 at most; 409 when there are more by now than was expected."""
    runtime: Runtime = request.app.state.runtime
    ids = (await deliveries.to_replay(runtime, which)).ids
    if len(ids) > expected:
        raise HTTPException(409, f"{len(ids)} match by now, not {expected}: look again")
    return asdict(await deliveries.replay(runtime, ids, caller.by))
