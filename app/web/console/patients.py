"""The page of patients: those we know of, and a search whose words stay out of every address, history and log.

A search is posted; what was typed goes into a cookie, sealed and for this session alone, and the browser is led back to
the page, which looks it up. So Back, and a reload, show the search again, and no address, history or table holds it.
The box is one that browsers neither remember nor spell-check elsewhere.
"""

import re
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import patients
from app.operations.audit import note_view
from app.operations.labels import record_state
from app.operations.patients import People
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import RecordState
from app.web.auth import cookie_name
from app.web.pages import form, page, pages_router, reader, redirect

router = pages_router("/patients")
Reader = Annotated[Caller, Depends(reader)]
_LINK = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)
_COOKIE, _REMEMBERED_S, _LONGEST_COOKIE = "chronobridge_search", 30 * 60, 3_000


@router.get("")
async def show(
    request: Request, caller: Reader, before: str = "", status: str | None = None, state: str | None = None
) -> Response:
    """Show the patients of a status, or all, the last received first; where nothing is chosen, the last search."""
    runtime: Runtime = request.app.state.runtime
    cookie = request.cookies.get(cookie_name(request, _COOKIE), "")
    words, after = patients.opened_search(runtime, caller.by, cookie)
    if words and not before and status is None and state is None:
        return await _searched(runtime, caller, words, after)
    place = before if _LINK.fullmatch(before) else None
    standing = record_state(status or state or "")
    found = await patients.listed(runtime, place, standing=standing)
    await note_view(runtime, caller.by, Action.LIST, "patients", patients.ids(found))
    answer = _page(caller, found, standing=standing)
    if words:
        answer.delete_cookie(cookie_name(request, _COOKIE), **_guarded(runtime))
    return answer


@router.post("")
async def search(request: Request, caller: Reader) -> Response:
    """Take what a person looks for, and show the page with it; a page that searches while they type is answered so."""
    given, runtime = await form(request), request.app.state.runtime
    words, after = given.get("words", "").strip(), given.get("after", "")
    is_live = "hx-request" in request.headers
    answer = await _searched(runtime, caller, words, after) if is_live else redirect("/patients")
    sealed = patients.sealed_search(runtime, caller.by, words, after)
    if words and len(sealed) <= _LONGEST_COOKIE:
        answer.set_cookie(cookie_name(request, _COOKIE), sealed, max_age=_REMEMBERED_S, **_guarded(runtime))
    else:
        answer.delete_cookie(cookie_name(request, _COOKIE), **_guarded(runtime))
    return answer


def _guarded(runtime: Runtime) -> dict[str, Any]:
    return {"httponly": True, "samesite": "strict", "secure": runtime.settings.is_secure}


async def _searched(runtime: Runtime, caller: Caller, words: str, after: str) -> Response:
    """Show whom a person may mean; without words, and where nobody can be asked, the list."""
    found = await patients.searched(runtime, words, after or None)
    if found is None and words:
        return _page(caller, People(()), words, is_search=True, note=patients.TOO_SHORT)
    if found is None or (found.silence and not found.items):
        listed = await patients.listed(runtime)
        found = People(listed.items, listed.next, found.silence if found else listed.silence)
        await note_view(runtime, caller.by, Action.LIST, "patients", patients.ids(found))
        return _page(caller, found, words)
    await note_view(runtime, caller.by, Action.SEARCH, "patients", patients.ids(found))
    return _page(caller, found, words, is_search=True)


def _page(
    caller: Caller,
    found: People,
    words: str = "",
    *,
    is_search: bool = False,
    standing: RecordState | None = None,
    note: str = "",
) -> Response:
    state = standing.value if standing else ""
    shown = {"found": found, "words": words, "is_search": is_search, "state": state, "note": note}
    return page("patients", caller, 200, onward="", **shown, states=list(RecordState))
