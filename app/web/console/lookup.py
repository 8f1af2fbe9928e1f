"""The box of every page's header: an id is pasted, and whatever has it is opened."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import lookup
from app.operations.mapping import mapped_kinds
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.web.pages import form, page, pages_router, reader, redirect

router = pages_router("/find")
Reader = Annotated[Caller, Depends(reader)]


@router.get("")
async def explain(request: Request, caller: Reader) -> Response:
    """Say which ids are known."""
    return page("lookup", caller, found=(), typed="", kinds=mapped_kinds(request.app.state.runtime))


@router.post("")
async def find(request: Request, caller: Reader) -> Response:
    """Lead to what has the id; say which have it where several do, and which ids are known where nothing does."""
    typed = (await form(request)).get("id", "").strip()
    runtime: Runtime = request.app.state.runtime
    found = await lookup.find_by_id(runtime, typed)
    if len(found) == 1:
        return redirect(found[0].path)
    status = 200 if found or not typed else 404
    return page("lookup", caller, status, found=found, typed=typed, kinds=mapped_kinds(runtime))
