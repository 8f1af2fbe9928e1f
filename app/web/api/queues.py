"""Pausing and resuming queues, which were called lanes."""

from typing import Annotated, Any

from fastapi import Body, Depends, Request
from pydantic import BaseModel, Field

from app.operations import lanes
from app.operations.lanes import LaneName, lane_as_json, lane_states
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.web.api.deprecated import NowCalled, with_aliases
from app.web.auth import api_router, operator
from app.web.validation import RequestBody

router = api_router("queues")
Operator = Annotated[Caller, Depends(operator)]


class Why(RequestBody):
    """Why it is done, for whoever reads it later."""

    reason: str = Field("", max_length=200, examples=["Salesforce is being upgraded"])


@with_aliases
class LaneState(BaseModel):
    """A queue, and whether it is paused, why and since when."""

    lane: Annotated[str, NowCalled("queue")] = Field(examples=["live"])
    paused: bool
    status: str = Field(examples=["running"])
    reason: str | None = Field(examples=["Salesforce is being upgraded"])
    since: str | None = Field(examples=["2026-03-05T14:00:00+00:00"])


@with_aliases
class LaneStates(BaseModel):
    """Every queue, most urgent first."""

    lanes: Annotated[list[LaneState], NowCalled("queues")]


@router.post("/queues/{queue}/pause", response_model=LaneStates, summary="Make no writes from a queue")
async def pause(request: Request, queue: LaneName, caller: Operator, why: Annotated[Why | None, Body()] = None) -> Any:
    """Pause a queue, or all of them: its records stay pending in it and make no writes."""
    runtime: Runtime = request.app.state.runtime
    await lanes.pause(runtime, queue, why.reason if why else "", caller.by)
    return await _all(runtime)


@router.post("/queues/{queue}/resume", response_model=LaneStates, summary="Let a queue write again")
async def resume(request: Request, queue: LaneName, caller: Operator) -> Any:
    """Resume a queue, or all of them; what is pending in it goes on at once."""
    runtime: Runtime = request.app.state.runtime
    await lanes.resume(runtime, queue, caller.by)
    return await _all(runtime)


@router.post("/lanes/{lane}/pause", response_model=LaneStates, summary="Use /queues", deprecated=True)
async def pause_lane(
    request: Request, lane: LaneName, caller: Operator, why: Annotated[Why | None, Body()] = None
) -> Any:
    """Pause a queue by the path's old name."""
    return await pause(request, lane, caller, why)


@router.post("/lanes/{lane}/resume", response_model=LaneStates, summary="Use /queues", deprecated=True)
async def resume_lane(request: Request, lane: LaneName, caller: Operator) -> Any:
    """Resume a queue by the path's old name."""
    return await resume(request, lane, caller)


async def _all(runtime: Runtime) -> dict[str, Any]:
    return {"lanes": [lane_as_json(one) for one in await lane_states(runtime)]}
