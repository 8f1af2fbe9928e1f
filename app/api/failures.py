"""What waits for a person, and why; trying it again, and letting it go."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from app.operating import failures
from app.runtime import Runtime
from app.store import failing
from app.store.failing import Group
from app.sync.records import Kind, Side
from app.web.access import Caller, operator

router = APIRouter(prefix="/failures", tags=["failures"])
Operator = Annotated[Caller, Depends(operator)]


class Cause(BaseModel):
    """Failures of one cause; `sample` is the id of a link, `record` one of its records as a path of /records."""

    cause: str = Field(examples=["FIELD_CUSTOM_VALIDATION_EXCEPTION"])
    side: str = Field(examples=["salesforce"])
    kind: str = Field(examples=["patient"])
    fields: list[str] = Field(examples=[["MobilePhone"]])
    count: int
    held: bool
    sample: str
    record: str | None = Field(examples=["drchrono/patient/220000101"])
    fix: str


class Causes(BaseModel):
    """Failures and holds by cause, the largest group first."""

    items: list[Cause]
    total: int
    next: None = None


class Done(BaseModel):
    """How many it was done to."""

    records: int


def group(
    cause: Annotated[str | None, Query(max_length=64)] = None,
    side: Side | None = None,
    kind: Kind | None = None,
    held: Annotated[bool | None, Query(description="only what is held, or only what is not")] = None,
) -> Group:
    """Give which failures are meant."""
    return Group(cause, side, kind, held)


Meant = Annotated[Group, Depends(group)]
Expected = Annotated[int, Query(ge=0, description="how many there are, as you last saw it")]


@router.get("", response_model=Causes, summary="What waits for a person, grouped by cause")
async def causes(request: Request) -> Any:
    """Give failures and holds by cause, with how many, which fields, and what to do."""
    run: Runtime = request.app.state.run
    items = [
        {
            "cause": one.cause,
            "side": one.side,
            "kind": one.kind,
            "fields": one.fields,
            "count": one.count,
            "held": one.is_held,
            "sample": one.link_id,
            "record": one.sample and f"{one.sample[0]}/{one.kind}/{one.sample[1]}",
            "fix": one.fix,
        }
        for one in await failures.causes(run)
    ]
    return {"items": items, "total": len(items), "next": None}


@router.post("/retry", response_model=Done, summary="Try failures again, a few or all that match")
async def retry(
    request: Request,
    caller: Operator,
    meant: Meant,
    limit: Annotated[int | None, Query(ge=1, description="at most so many")] = None,
    expected: Expected | None = None,
) -> Any:
    """Make records due again, with all their attempts; without `limit`, `expected` must say how many there are."""
    run: Runtime = request.app.state.run
    if limit is None:
        await _must_be_as_seen(run, meant, expected)
    return {"records": await failures.try_again(run, meant, limit, caller.by)}


@router.post("/discard", response_model=Done, summary="Let failures go, all that match")
async def discard(request: Request, caller: Operator, meant: Meant, expected: Expected) -> Any:
    """Forget failures; their records are left alone until the next edit."""
    run: Runtime = request.app.state.run
    await _must_be_as_seen(run, meant, expected)
    return {"records": await failures.let_go(run, meant, caller.by)}


async def _must_be_as_seen(run: Runtime, meant: Group, expected: int | None) -> None:
    number = await failing.count(run.database, meant)
    if expected != number:
        raise HTTPException(409, f"{number} match, not {expected}: look again, and send `expected`")
