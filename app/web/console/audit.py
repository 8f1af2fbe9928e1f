"""The page of the audit: who did what, newest first, by action."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.ports import Action
from app.runtime import Runtime
from app.store import audit
from app.web.auth import Caller
from app.web.pages import page, reader

router = APIRouter(prefix="/audit")
_ON_A_PAGE = 50


@router.get("")
async def show(
    request: Request, caller: Annotated[Caller, Depends(reader)], action: str = "", before: str = ""
) -> Response:
    """Show what was done."""
    runtime: Runtime = request.app.state.runtime
    wanted = Action(action) if action in set(Action) else None
    found = await audit.lately(runtime.database, _ON_A_PAGE + 1, action=wanted, before=before or None)
    acts = found[:_ON_A_PAGE]
    older = f"/audit?action={wanted or ''}&before={acts[-1].id}" if len(found) > _ON_A_PAGE else None
    return page("audit", caller, acts=acts, actions=list(Action), wanted=wanted, older=older)
