"""What waits for a person, and why; trying it again, and letting it go."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from app.operations import failures
from app.operations.audit import note_view
from app.operations.failures import Group
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.web.api.deprecated import NowCalled, either, with_aliases
from app.web.auth import Reader, RightFirst, operator

router = APIRouter(prefix="/failures", tags=["failures"], route_class=RightFirst)
Operator = Annotated[Caller, Depends(operator)]
_WORD = r"^[\w .-]{1,64}$"  # a database takes no NUL in a text


@with_aliases
class Cause(BaseModel):
    """Failures of one cause; `sample` is the id of a link, `record` one of its records as a path of /records."""

    cause: Annotated[str, NowCalled("code")] = Field(examples=["FIELD_CUSTOM_VALIDATION_EXCEPTION"])
    side: Annotated[str, NowCalled("source")] = Field(examples=["salesforce"])
    kind: str = Field(examples=["patient"])
    fields: list[str] = Field(examples=[["MobilePhone"]])
    count: int
    held: Annotated[bool, NowCalled("needs_review")]
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


def by_old_names(
    cause: Annotated[str | None, Query(pattern=_WORD, description="use `code`", deprecated=True)] = None,
    side: Annotated[Side | None, Query(description="use `source`", deprecated=True)] = None,
    held: Annotated[bool | None, Query(description="use `needs_review`", deprecated=True)] = None,
) -> Group:
    """Give which failures are meant by the filter's old names."""
    return Group(cause, side, is_held=held)


def group(
    old: Annotated[Group, Depends(by_old_names)],
    code: Annotated[str | None, Query(pattern=_WORD, description="the error")] = None,
    source: Annotated[Side | None, Query(description="the system that rejected it")] = None,
    kind: Kind | None = None,
    needs_review: Annotated[bool | None, Query(description="only what needs review, or only what does not")] = None,
    field: Annotated[str | None, Query(pattern=_WORD, description="one of the fields it is about")] = None,
) -> Group:
    """Give which failures are meant."""
    return Group(either(code, old.cause), either(source, old.side), kind, either(needs_review, old.is_held), field)


Meant = Annotated[Group, Depends(group)]
Limit = Annotated[int | None, Query(ge=1, le=1_000_000, description="at most so many")]
Expected = Annotated[int | None, Query(ge=0, description="how many there are, as you last saw it")]
DryRun = Annotated[bool, Query(description="give the number, and do nothing")]


@router.get("", response_model=Causes, summary="What waits for a person, grouped by cause")
async def causes(request: Request, caller: Reader, meant: Meant) -> Any:
    """Give failures and holds by cause, with how many, which fields, and what to do."""
    runtime: Runtime = request.app.state.runtime
    found = await failures.causes(runtime, meant)
    await note_view(runtime, caller.by, Action.LIST, "failures", failures.ids(found))
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
        for one in found
    ]
    return {"items": items, "total": len(items), "next": None}


@router.post("/retry", response_model=Done, summary="Try failures again, a few or all that match")
async def retry(
    request: Request,
    caller: Operator,
    meant: Meant,
    limit: Limit = None,
    expected: Expected = None,
    dry_run: DryRun = False,
) -> Any:
    """Make records due again, with all their attempts; without `limit`, `expected` must say how many there are."""
    runtime: Runtime = request.app.state.runtime
    act = partial(failures.try_again, runtime, meant, limit, caller.by)
    return {"records": await _touched(runtime, meant, limit, expected, None if dry_run else act)}


@router.post("/discard", response_model=Done, summary="Let failures go, a few or all that match")
async def discard(
    request: Request,
    caller: Operator,
    meant: Meant,
    limit: Limit = None,
    expected: Expected = None,
    dry_run: DryRun = False,
) -> Any:
    """Forget failures; their records are left alone until the next edit. `expected` as when they are tried again."""
    runtime: Runtime = request.app.state.runtime
    act = partial(failures.let_go, runtime, meant, limit, caller.by)
    return {"records": await _touched(runtime, meant, limit, expected, None if dry_run else act)}


async def _touched(
    runtime: Runtime, meant: Group, limit: int | None, expected: int | None, act: Callable[[], Awaitable[int]] | None
) -> int:
    """Act, and give to how many; without an act, to how many it would be."""
    if act is None:
        return await failures.number_of(runtime, meant, limit)
    await _must_be_as_seen(runtime, meant, limit, expected)
    return await act()


async def _must_be_as_seen(runtime: Runtime, meant: Group, limit: int | None, expected: int | None) -> None:
    if limit is not None and expected is None:
        return
    number = await failures.number_of(runtime, meant)
    if expected is None or not failures.is_as_seen(expected, number):
        raise HTTPException(409, f"{number} match, not {expected}: look again, and send `expected`")
