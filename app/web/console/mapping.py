"""The page of the mapping: which field goes where, who wins, and what either side says against it."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations.mapping import mapping_in_use
from app.operations.sign_in import Caller
from app.web.pages import page, pages_router, reader

router = pages_router("/mapping")


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show the mapping, kind by kind."""
    return page("mapping", caller, kinds=await mapping_in_use(request.app.state.runtime))
