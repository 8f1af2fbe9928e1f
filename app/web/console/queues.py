"""The page of queues: what each is for, how much is pending in it, and pausing it with a reason."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import lanes
from app.operations.lanes import LaneName
from app.operations.sign_in import Caller
from app.web.pages import Question, form, is_confirmed, operator, page, pages_router, reader, redirect

router = pages_router()
Operator = Annotated[Caller, Depends(operator)]
_PAUSE_ALL = Question(
    "Pause all queues?",
    (
        "Nothing is written to either system any more, whoever changes what, until somebody resumes the queues.",
        "Nothing is lost: what is received is kept, and is written then.",
    ),
    "/queues/all/pause",
    "Pause all queues",
    "/queues",
)


@router.get("/queues")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show every queue."""
    return page("queues", caller, queues=await lanes.lane_views(request.app.state.runtime))


@router.get("/lanes", dependencies=[Depends(reader)])
async def show_by_old_address() -> Response:
    """Send whoever comes by the page's old address on."""
    return redirect("/queues")


@router.post("/queues/{lane}/pause")
@router.post("/lanes/{lane}/pause")
async def pause(request: Request, lane: LaneName, caller: Operator) -> Response:
    """Pause a queue; all of them once that is meant."""
    reason = (await form(request)).get("reason", "")
    if lane is LaneName.ALL and not await is_confirmed(request, caller):
        return page("sure", caller, asked=replace(_PAUSE_ALL, fields={"reason": reason}))
    await lanes.pause(request.app.state.runtime, lane, reason, caller.by)
    return redirect("/queues")


@router.post("/queues/{lane}/resume")
@router.post("/lanes/{lane}/resume")
async def resume(request: Request, lane: LaneName, caller: Operator) -> Response:
    """Resume a queue."""
    await lanes.resume(request.app.state.runtime, lane, caller.by)
    return redirect("/queues")
