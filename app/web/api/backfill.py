"""What was there before both sides were connected: how it stands, counting it, and having it loaded."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Body, Depends, HTTPException, Request
from pydantic import BaseModel, Field

from app.operations import backfill
from app.operations.backfill import LoadState
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.sync.model import Kind
from app.web.api.deprecated import NowCalled, with_aliases
from app.web.auth import api_router, operator
from app.web.validation import RequestBody

router = api_router("backfill", "/backfill")
Operator = Annotated[Caller, Depends(operator)]


class KindsToCount(RequestBody):
    """Which kinds are to be counted; without them, all that are not loaded."""

    kinds: list[Kind] | None = Field(None, max_length=len(Kind), examples=[["patient"]])


class KindsToLoad(RequestBody):
    """Which kinds are to be loaded: parents go first, whatever their order here."""

    kinds: list[Kind] = Field(min_length=1, max_length=len(Kind), examples=[["patient"]])


@with_aliases
class BackfillCounts(BaseModel):
    """What a preview counted, by cause where something waits for a person; no record is named."""

    there: dict[str, int]
    left_out: int
    excluded: int
    linked: int
    failed: dict[str, int]
    held: Annotated[dict[str, int], NowCalled("needs_review")]
    would_match: int
    would_create: dict[str, int]
    would_need_decision: dict[str, int]
    would_fail: dict[str, int]


class BackfillKind(BaseModel):
    """How far a kind is; `read`: of each side, while it is counted or loaded; `left`: what workers have to apply."""

    kind: str = Field(examples=["patient"])
    object: str = Field(examples=["Contact"])
    state: LoadState
    connected_at: str | None = Field(examples=["2026-03-05T14:00:00+00:00"])
    counted_at: str | None = Field(examples=["2026-03-05T14:10:00+00:00"])
    counts: BackfillCounts | None
    read: dict[str, int]
    left: int
    problem: str | None


@with_aliases
class BackfillState(BaseModel):
    """How far every kind is, and all of it in a sentence: null where everything is loaded."""

    kinds: list[BackfillKind]
    says: Annotated[str | None, NowCalled("message")]


@router.get("", response_model=BackfillState, summary="What is not synced yet, and what an initial sync would do")
async def state(request: Request) -> Any:
    """Give, by kind, whether what was there before both systems were connected is synced, and what was counted."""
    return await _state(request.app.state.runtime)


@router.post("/preview", response_model=BackfillState, summary="Count what an initial sync would do")
async def preview(request: Request, caller: Operator, asked: Annotated[KindsToCount | None, Body()] = None) -> Any:
    """Have a worker count what there is and what would become of it; nothing is written at a vendor."""
    runtime: Runtime = request.app.state.runtime
    unloaded = [one.kind for one in await backfill.states(runtime) if not one.known.is_loaded]
    kinds = _loadable(runtime, asked.kinds) if asked and asked.kinds is not None else unloaded
    await backfill.ask_preview(runtime, kinds, caller.by)
    return await _state(runtime)


@router.post("/load", response_model=BackfillState, summary="Start the initial sync, by kind")
async def load(request: Request, caller: Operator, asked: KindsToLoad) -> Any:
    """Have the workers load these kinds; what is loaded, or being loaded, stays as it is."""
    runtime: Runtime = request.app.state.runtime
    await backfill.ask_load(runtime, _loadable(runtime, asked.kinds), caller.by)
    return await _state(runtime)


def _loadable(runtime: Runtime, kinds: Sequence[Kind]) -> list[Kind]:
    """Give the kinds that were named, parents first.

    Raises  HTTPException for one that nobody has to load: it comes at once, or is not mapped
    """
    known = backfill.kinds_to_load(runtime)
    if others := sorted({kind.value for kind in kinds if kind not in known}):
        raise HTTPException(409, f"{', '.join(others)}: not loaded on its own; these are: {', '.join(known)}")
    return [kind for kind in known if kind in kinds]


async def _state(runtime: Runtime) -> dict[str, Any]:
    found = await backfill.states(runtime)
    return {"kinds": [backfill.state_as_json(one) for one in found], "says": backfill.summary(found)}
