"""Fields that both sides had changed: which rule decided, what each had held, and undoing it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field

from app.operations import conflicts as operations
from app.operations import resolve
from app.operations.audit import note_view
from app.operations.conflicts import SettledConflict, Sort
from app.operations.resolve import Refusal
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side, WriteState
from app.web.api.deprecated import NowCalled, either, with_aliases
from app.web.api.records import ENDINGS, UNDO_STATUSES, Ending, State, UndoStatus
from app.web.auth import Reader, api_router, operator
from app.web.validation import Word

router = api_router("conflicts", "/conflicts")
Operator = Annotated[Caller, Depends(operator)]


@with_aliases
class Conflict(BaseModel):
    """A field that both sides had changed; never a value: both are kept, sealed."""

    id: str
    kind: Kind
    field: str = Field(examples=["email"])
    rule: str = Field(examples=["salesforce owns it"])
    winner: Side = Field(description="whose value both sides took")
    state: str = Field(description="what became of the write that carried it out", examples=["confirmed"])
    undo: Annotated[Ending | None, NowCalled("undo_status", UNDO_STATUSES, UndoStatus | None)] = Field(
        description="the status of an undo; null while nobody has asked"
    )
    can_be_undone: bool = Field(description="whether the old value is kept and nobody asked for it yet")
    drchrono_id: str | None = Field(examples=["5070101"])
    salesforce_id: str | None = Field(examples=["003SYN0000000015EAA"])
    at: datetime


class Conflicts(BaseModel):
    """Conflicts, newest first; `next` is what `before` takes to go on."""

    items: list[Conflict]
    total: int
    next: str | None


class Revealed(BaseModel):
    """What each system had; null is empty."""

    values: dict[Side, str | None] = Field(examples=[{"drchrono": "desk@example.com", "salesforce": None}])


ConflictId = Annotated[str, Path(pattern="^[0-9A-Za-z]{1,26}$", examples=["01JSYNTHETICC0NF1CT0000000"])]
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "No such conflict is kept"}}
_REFUSED: dict[int | str, dict[str, Any]] = {409: {"description": "It is not undone; `detail` says why"}}
_NOT_KEPT: dict[int | str, dict[str, Any]] = {410: {"description": "Its values are not kept any more"}}


def sort(
    kind: Kind | None = None,
    field: Word | None = None,
    state: Annotated[State | None, Query(description="the status of the write")] = None,
    undo_status: Annotated[UndoStatus | None, Query(description="only those whose undo has this status")] = None,
    undo: Annotated[Ending | None, Query(description="use `undo_status`", deprecated=True)] = None,
) -> Sort:
    """Give which conflicts are meant."""
    undone = either(ENDINGS.get(undo_status, undo_status) if undo_status else None, undo)
    return Sort(kind, field, WriteState(state) if state else None, str(undone) if undone else None)


@router.get("", response_model=Conflicts, summary="What both systems had changed, and which rule decided")
async def conflicts(
    request: Request,
    caller: Reader,
    meant: Annotated[Sort, Depends(sort)],
    before: Annotated[str | None, Query(pattern="^[0-9A-Za-z]{1,26}$", description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:
    """Give conflicts, newest first, with what became of each and of its undo."""
    runtime: Runtime = request.app.state.runtime
    found = await operations.listed(runtime, meant, limit, before)
    await note_view(runtime, caller.by, Action.LIST, "conflicts", [one.id for one in found.items])
    return {"items": [_said(one) for one in found.items], "total": found.total, "next": found.next}


@router.get("/{conflict_id}", response_model=Conflict, responses=_UNKNOWN, summary="One conflict")
async def conflict(request: Request, caller: Reader, conflict_id: ConflictId) -> Any:
    """Give one conflict; its values are for `reveal`."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, conflict_id)
    await note_view(runtime, caller.by, Action.SHOW, operations.named(found), (found.id,))
    return _said(found)


@router.post(
    "/{conflict_id}/reveal", response_model=Revealed, responses=_UNKNOWN | _NOT_KEPT, summary="What each system had"
)
async def reveal(request: Request, caller: Operator, conflict_id: ConflictId) -> Any:
    """Give both values; who asked is noted first."""
    runtime: Runtime = request.app.state.runtime
    await _found(runtime, conflict_id)
    values = await operations.reveal(runtime, conflict_id, caller.by)
    if values is None:
        raise HTTPException(410, Refusal.NOT_KEPT.value)
    return {"values": values}


@router.post(
    "/{conflict_id}/undo",
    response_model=Conflict,
    responses=_UNKNOWN | _REFUSED,
    summary="Restore the replaced value in both systems",
)
async def undo(request: Request, caller: Operator, conflict_id: ConflictId) -> Any:
    """Have the replaced value written to both systems by a worker, if nobody has edited the field since; once only."""
    runtime: Runtime = request.app.state.runtime
    await _found(runtime, conflict_id)
    if (refusal := await resolve.undo(runtime, conflict_id, caller.by)) is not None:
        raise HTTPException(409, refusal.value)
    return _said(await _found(runtime, conflict_id))


async def _found(runtime: Runtime, conflict_id: str) -> SettledConflict:
    found = await operations.find(runtime, conflict_id)
    if found is None:
        raise HTTPException(404, Refusal.UNKNOWN.value)
    return found


def _said(one: SettledConflict) -> dict[str, Any]:
    names = ("id", "kind", "field", "rule", "winner", "state", "undo", "can_be_undone", "drchrono_id", "salesforce_id")
    return {**{name: getattr(one, name) for name in names}, "at": one.at.isoformat(timespec="seconds")}
