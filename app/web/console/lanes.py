"""The page of lanes: what each is for, what waits in it, and pausing it with a reason."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import lanes
from app.operations.lanes import LaneName
from app.operations.sign_in import Caller
from app.web.pages import form, operator, page, reader, redirect

router = APIRouter(prefix="/lanes")
Operator = Annotated[Caller, Depends(operator)]


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show every lane."""
    return page("lanes", caller, lanes=await lanes.lane_views(request.app.state.runtime))


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
