"""The page of help: what the desk does, a section a task, as `deploy/docs/desk.md` tells it."""

from typing import Annotated

from fastapi import Depends
from fastapi.responses import Response

from app.operations.sign_in import Caller
from app.web.pages import page, pages_router, reader

router = pages_router("/help")


@router.get("")
async def show(caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show it."""
    return page("help", caller)
