"""The page of what a person decides: records that are held, and fields that both sides had changed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.runtime import Runtime
from app.store import conflicts, failing
from app.store.failing import Group
from app.sync.records import Side
from app.sync.retry import fix
from app.web.access import Caller
from app.web.pages import page, reader

router = APIRouter(prefix="/held")
_ON_A_PAGE = 50


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)], after: str = "") -> Response:
    """Show what is held, with what to do about each, and the latest conflicts with the rule that decided."""
    run: Runtime = request.app.state.run
    held = await failing.some(run.database, Group(is_held=True), _ON_A_PAGE + 1, after[:26])
    decided = await conflicts.lately(run.database, _ON_A_PAGE)
    return page(
        "held",
        caller,
        held=held[:_ON_A_PAGE],
        more=f"/held?after={held[_ON_A_PAGE - 1].link_id}" if len(held) > _ON_A_PAGE else None,
        total=await failing.count(run.database, Group(is_held=True)),
        conflicts=decided,
        conflicts_total=await conflicts.count(run.database),
        fix=fix,
        Side=Side,
    )
