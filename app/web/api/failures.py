"""What waits for a person, and why; trying it again, dismissing it, and undoing that."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

from fastapi import Body, Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from app.operations import failures
from app.operations.audit import note_view
from app.operations.failures import Group
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.web.api.deprecated import NowCalled, either, with_aliases
from app.web.auth import Reader, api_router, operator
from app.web.validation import RequestBody, Word

router = api_router("failures", "/failures")
Operator = Annotated[Caller, Depends(operator)]
LinkId = Annotated[str, Field(pattern="^[0-9A-Za-z]{1,26}$", examples=["01JPA0S3E5Q2K7M8Z4T9V6W1XY"])]


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


class DismissalReason(RequestBody):
    """Why failures are dismissed. It is kept as it is written, for whoever reads it later: name no patient in it."""

    reason: str = Field(
        failures.NO_REASON,
        min_length=1,
        max_length=failures.LONGEST_REASON,
        examples=["the practice keeps both numbers"],
    )


class Done(BaseModel):
    """How many it was done to."""

    records: int


def by_old_names(
    cause: Annotated[Word | None, Query(description="use `code`", deprecated=True)] = None,
    side: Annotated[Side | None, Query(description="use `source`", deprecated=True)] = None,
    held: Annotated[bool | None, Query(description="use `needs_review`", deprecated=True)] = None,
) -> Group:
    """Give which failures are meant by the filter's old names."""
    return Group(cause, side, is_held=held)


def by_ids(
    old: Annotated[Group, Depends(by_old_names)],
    id: Annotated[  # noqa: A002 - the name in the contract
        list[LinkId] | None, Query(max_length=500, description="those of these links alone; may be repeated")
    ] = None,
) -> Group:
    """Give which failures are meant by their links as well."""
    return replace(old, ids=frozenset(id) if id else None)


def group(
    old: Annotated[Group, Depends(by_ids)],
    code: Annotated[Word | None, Query(description="the error")] = None,
    source: Annotated[Side | None, Query(description="the system that rejected it")] = None,
    kind: Kind | None = None,
    needs_review: Annotated[bool | None, Query(description="only what needs review, or only what does not")] = None,
    field: Annotated[Word | None, Query(description="one of the fields it is about")] = None,
) -> Group:
    """Give which failures are meant."""
    return Group(
        either(code, old.cause),
        either(source, old.side),
        kind,
        either(needs_review, old.is_held),
        field,
        ids=old.ids,
    )


@dataclass(frozen=True, slots=True)
class ActTerms:
    """To how many at most it is done, how many the caller saw, and whether it is done at all."""

    limit: int | None
    expected: int | None
    is_dry_run: bool


def terms(
    limit: Annotated[int | None, Query(ge=1, le=1_000_000, description="at most so many")] = None,
    expected: Annotated[int | None, Query(ge=0, description="how many there are, as you last saw it")] = None,
    dry_run: Annotated[bool, Query(description="give the number, and do nothing")] = False,
) -> ActTerms:
    """Give how carefully it is done."""
    return ActTerms(limit, expected, dry_run)


Meant = Annotated[Group, Depends(group)]
Terms = Annotated[ActTerms, Depends(terms)]


@router.get("", response_model=Causes, summary="What needs attention, grouped by error")
async def causes(
    request: Request,
    caller: Reader,
    meant: Meant,
    dismissed: Annotated[bool, Query(description="those that were dismissed, in place of those that wait")] = False,
) -> Any:
    """Give failures and what needs review by error, with how many, which fields, and how to fix them."""
    runtime: Runtime = request.app.state.runtime
    found = await failures.causes(runtime, replace(meant, is_dismissed=dismissed))
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
async def retry(request: Request, caller: Operator, meant: Meant, on: Terms) -> Any:
    """Make records due again, with all their attempts.

    Without `limit` or `id`, `expected` must say how many there are.
    """
    runtime: Runtime = request.app.state.runtime
    return await _acted(runtime, meant, on, partial(failures.try_again, runtime, meant, on.limit, caller.by))


@router.post("/discard", response_model=Done, summary="Dismiss failures, a few or all that match")
async def discard(
    request: Request, caller: Operator, meant: Meant, on: Terms, why: Annotated[DismissalReason | None, Body()] = None
) -> Any:
    """Dismiss failures: their records are left as they are until a value changes in either system.

    `expected` as when they are tried again.
    """
    runtime: Runtime = request.app.state.runtime
    reason = why.reason if why else ""
    return await _acted(runtime, meant, on, partial(failures.dismiss, runtime, meant, on.limit, caller.by, reason))


@router.post("/restore", response_model=Done, summary="Undo the dismissal of failures, of a few or all that match")
async def restore(request: Request, caller: Operator, meant: Meant, on: Terms) -> Any:
    """Have dismissed failures need attention again, and retry them; `expected` as when they are tried again."""
    runtime: Runtime = request.app.state.runtime
    meant = replace(meant, is_dismissed=True)
    return await _acted(runtime, meant, on, partial(failures.restore, runtime, meant, caller.by, on.limit))


async def _acted(runtime: Runtime, meant: Group, on: ActTerms, act: Callable[[], Awaitable[int]]) -> dict[str, int]:
    """Act, and give to how many; in a dry run, to how many it would be.

    Raises  HTTPException where it is not told, or not right, how many there are
    """
    if on.is_dry_run:
        return {"records": await failures.number_of(runtime, meant, on.limit)}
    is_named = on.limit is not None or meant.ids is not None
    if on.expected is not None or not is_named:
        number = await failures.number_of(runtime, meant)
        if on.expected is None or not failures.is_as_seen(on.expected, number):
            raise HTTPException(409, f"{number} match, not {on.expected}: look again, and send `expected`")
    return {"records": await act()}
