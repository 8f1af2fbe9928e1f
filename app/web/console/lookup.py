"""The box of every page's header: an id is pasted, and whatever has it is opened."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import lookup
from app.operations.sign_in import Caller
from app.web.pages import form, page, pages_router, reader, redirect

router = pages_router("/find")
Reader = Annotated[Caller, Depends(reader)]


@router.get("")
async def explain(caller: Reader) -> Response:
    """Say which ids are known."""
    return page("lookup", caller, found=(), typed="")


@router.post("")
async def find(request: Request, caller: Reader) -> Response:
    """Lead to what has the id; say which have it where several do, and which ids are known where nothing does."""
    typed = (await form(request)).get("id", "").strip()
    found = await lookup.find_by_id(request.app.state.runtime, typed)
    if len(found) == 1:
        return redirect(found[0].path)
    return page("lookup", caller, 200 if found or not typed else 404, found=found, typed=typed)
