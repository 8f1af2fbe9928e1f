"""The card of the first page about what was there before: having it counted, and loaded once a person has said so."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import backfill
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.web.pages import form, operator, page, pages_router, redirect

router = pages_router("/backfill")
Operator = Annotated[Caller, Depends(operator)]


@router.post("/preview")
async def preview(request: Request, caller: Operator) -> Response:
    """Have what is not loaded counted."""
    runtime: Runtime = request.app.state.runtime
    kinds = [one.kind for one in await backfill.states(runtime) if not one.known.is_loaded]
    await backfill.ask_preview(runtime, kinds, caller.by)
    return redirect("/")


@router.post("/load")
async def load(request: Request, caller: Operator) -> Response:
    """Have a kind loaded, once the person has seen what that would do, and meant it."""
    runtime: Runtime = request.app.state.runtime
    given = await form(request)
    found = [one for one in await backfill.states(runtime) if one.kind.value == given.get("kind")]
    if not found or found[0].known.is_loaded:
        return redirect("/")
    if not given.get("meant"):
        return page("backfill_sure", caller, one=found[0])
    await backfill.ask_load(runtime, [found[0].kind], caller.by)
    return redirect("/")
