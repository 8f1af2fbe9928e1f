"""The page of lanes: what each is for, what waits in it, and pausing it with a reason."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import lanes
from app.operations.lanes import MEANINGS, LaneName
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.store import queue_stats
from app.store.lanes import lane_states
from app.sync.model import Lane
from app.web.pages import form, operator, page, reader, redirect

router = APIRouter(prefix="/lanes")
Operator = Annotated[Caller, Depends(operator)]


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show every lane."""
    runtime: Runtime = request.app.state.runtime
    counts = await queue_stats.due_counts(runtime.database)
    rows = [
        {
            **state,
            "meaning": MEANINGS[Lane(state["lane"])],
            "due": sum(one.count for one in counts if one.lane == state["lane"]),
            "oldest_s": max((one.oldest_s for one in counts if one.lane == state["lane"]), default=0.0),
        }
        for state in await lane_states(runtime.database)
    ]
    return page("lanes", caller, lanes=rows)


@router.post("/{lane}/pause")
async def pause(request: Request, lane: LaneName, caller: Operator) -> Response:
    """Pause a lane."""
    await lanes.pause(request.app.state.runtime, lane, (await form(request)).get("reason", ""), caller.by)
    return redirect("/lanes")


@router.post("/{lane}/resume")
async def resume(request: Request, lane: LaneName, caller: Operator) -> Response:
    """Resume a lane."""
    await lanes.resume(request.app.state.runtime, lane, caller.by)
    return redirect("/lanes")
