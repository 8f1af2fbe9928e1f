"""Pausing and resuming."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from pydantic import BaseModel, Field

from app.operations import lanes
from app.operations.lanes import LaneName, lane_as_json, lane_states
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.web.auth import RightFirst, operator
from app.web.validation import RequestBody

router = APIRouter(prefix="/lanes", tags=["lanes"], route_class=RightFirst)
Operator = Annotated[Caller, Depends(operator)]


class Why(RequestBody):
    """Why it is done, for whoever reads it later."""

    reason: str = Field("", max_length=200, examples=["Salesforce is being upgraded"])


class LaneState(BaseModel):
    """A lane, and whether it is paused, why and since when."""

    lane: str = Field(examples=["live"])
    paused: bool
    reason: str | None = Field(examples=["Salesforce is being upgraded"])
    since: str | None = Field(examples=["2026-03-05T14:00:00+00:00"])


class LaneStates(BaseModel):
    """Every lane, most urgent first."""

    lanes: list[LaneState]


@router.post("/{lane}/pause", response_model=LaneStates, summary="Make no writes from a lane")
async def pause(request: Request, lane: LaneName, caller: Operator, why: Annotated[Why | None, Body()] = None) -> Any:
    """Pause a lane, or all of them: its work stays in it and makes no writes."""
    runtime: Runtime = request.app.state.runtime
    await lanes.pause(runtime, lane, why.reason if why else "", caller.by)
    return await _all(runtime)


@router.post("/{lane}/resume", response_model=LaneStates, summary="Let a lane write again")
async def resume(request: Request, lane: LaneName, caller: Operator) -> Any:
    """Resume a lane, or all of them, and ring for what waited in it."""
    runtime: Runtime = request.app.state.runtime
    await lanes.resume(runtime, lane, caller.by)
    return await _all(runtime)


async def _all(runtime: Runtime) -> dict[str, Any]:
    return {"lanes": [lane_as_json(one) for one in await lane_states(runtime)]}
