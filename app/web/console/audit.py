"""The page of the audit: who did what, newest first, by action; and all of it as CSV."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response, StreamingResponse

from app.operations import audit
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.web.pages import HEADERS, operator, page, pages_router, reader

router = pages_router()
_ON_A_PAGE = 50


@router.get("/audit")
async def show(
    request: Request, caller: Annotated[Caller, Depends(reader)], action: str = "", before: str = ""
) -> Response:
    """Show what was done."""
    runtime: Runtime = request.app.state.runtime
    wanted = Action(action) if action in set(Action) else None
    found = await audit.acts(runtime, _ON_A_PAGE, wanted, before or None)
    older = f"/audit?action={wanted or ''}&before={found.next}" if found.next else None
    return page("audit", caller, acts=found.items, actions=list(Action), wanted=wanted, older=older)


@router.get("/audit.csv")
async def export(request: Request, caller: Annotated[Caller, Depends(operator)]) -> Response:
    """Give all of it as a file, which is noted."""
    lines = await audit.download(request.app.state.runtime, caller.by)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(lines, media_type="text/csv", headers=headers)
