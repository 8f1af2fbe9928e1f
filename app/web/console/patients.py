"""The page of patients: those we know of, and a search whose words stay out of every address, history and log.

A search is posted and its answer is the page itself, which no browser keeps (`no-store`) and whose address says
nothing; the box is one that browsers neither remember nor spell-check elsewhere.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import patients
from app.operations.audit import note_view
from app.operations.patients import People
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import RecordState
from app.web.pages import form, page, reader

router = APIRouter(prefix="/patients")
Reader = Annotated[Caller, Depends(reader)]
_LINK = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)


@router.get("")
async def show(request: Request, caller: Reader, before: str = "", state: str = "") -> Response:
    """Show the patients we know of, or those in a state, the last one heard of first."""
    place = before if _LINK.fullmatch(before) else None
    standing = RecordState(state) if state in set(RecordState) else None
    runtime: Runtime = request.app.state.runtime
    found = await patients.listed(runtime, place, standing=standing)
    await note_view(runtime, caller.by, Action.LIST, "patients", patients.ids(found))
    return _page(caller, found, standing=standing)


@router.post("")
async def search(request: Request, caller: Reader) -> Response:
    """Show whom a person may mean; without words, the list."""
    given = await form(request)
    words, run = given.get("words", "").strip(), request.app.state.runtime
    found = await patients.searched(run, words, given.get("after") or None)
    if found is None or (found.silence and not found.items):
        listed = await patients.listed(run)
        found = People(listed.items, listed.next, found.silence if found else listed.silence)
        await note_view(run, caller.by, Action.LIST, "patients", patients.ids(found))
        return _page(caller, found, words, is_search=False)
    await note_view(run, caller.by, Action.SEARCH, "patients", patients.ids(found))
    return _page(caller, found, words, is_search=True)


def _page(
    caller: Caller, found: People, words: str = "", *, is_search: bool = False, standing: RecordState | None = None
) -> Response:
    state = standing.value if standing else ""
    return page(
        "patients", caller, found=found, words=words, is_search=is_search, state=state, states=list(RecordState)
    )
