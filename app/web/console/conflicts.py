"""The pages of conflicts: which rule decided, by kind, field and state; what each side had held, and undoing it."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import resolve
from app.operations.resolve import SettledConflict, UndoRefusal
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.store import conflicts
from app.store.conflicts import NO_UNDO, Sort
from app.sync.model import Kind, Side, WriteState
from app.sync.resolutions import ResolutionEnd
from app.web.pages import PageMessage, PageRefused, message_page, operator, page, reader, redirect

router = APIRouter(prefix="/conflicts")
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
_ON_A_PAGE = 50
_ID = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)
_UNDOS = (NO_UNDO, *(one.value for one in ResolutionEnd))


@router.get("")
async def show(request: Request, caller: Reader) -> Response:
    """Show conflicts, newest first; those of a filter alone where one is given."""
    run, given = request.app.state.runtime, request.query_params
    sort = _sort(given)
    before = given.get("before", "")
    rows = await conflicts.listed(run.database, sort, _ON_A_PAGE + 1, before if _ID.fullmatch(before) else None)
    told = {"kind": sort.kind, "field": sort.field, "state": sort.state, "undo": sort.undo}
    chosen = {name: str(value) for name, value in told.items() if value}
    older = f"/conflicts?{urlencode({**chosen, 'before': rows[_ON_A_PAGE - 1].id})}" if len(rows) > _ON_A_PAGE else None
    return page(
        "conflicts",
        caller,
        found=[resolve.conflict_of(row) for row in rows[:_ON_A_PAGE]],
        total=await conflicts.count(run.database, sort),
        sort=sort,
        older=older,
        kinds=list(Kind),
        states=list(WriteState),
        undos=_UNDOS,
    )


@router.get("/{conflict_id}")
async def one(request: Request, caller: Reader, conflict_id: str) -> Response:
    """Show one conflict, its values masked."""
    return _page(caller, await _found(request.app.state.runtime, caller, conflict_id), None)


@router.post("/{conflict_id}/reveal")
async def reveal(request: Request, caller: Operator, conflict_id: str) -> Response:
    """Show what each side had held; that is noted."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, conflict_id)
    values = await resolve.reveal_conflict(runtime, conflict_id, caller.by)
    if values is None:
        raise _not_done(caller, UndoRefusal.NOT_KEPT, conflict_id)
    return _page(caller, found, values)


@router.get("/{conflict_id}/reveal", dependencies=[Depends(reader)])
async def masked_again(conflict_id: str) -> Response:
    """Send whoever asks again for what was revealed back to the conflict."""
    return redirect(f"/conflicts/{conflict_id}" if _ID.fullmatch(conflict_id) else "/conflicts")


@router.post("/{conflict_id}/undo")
async def undo(request: Request, caller: Operator, conflict_id: str) -> Response:
    """Have the old value put back."""
    runtime: Runtime = request.app.state.runtime
    await _found(runtime, caller, conflict_id)
    if (refusal := await resolve.undo(runtime, conflict_id, caller.by)) is not None:
        raise _not_done(caller, refusal, conflict_id)
    return redirect(f"/conflicts/{conflict_id}")


def _sort(given: Mapping[str, str]) -> Sort:
    kind, state, undone = given.get("kind"), given.get("state"), given.get("undo")
    return Sort(
        Kind(kind) if kind in set(Kind) else None,
        given.get("field", "").replace("\x00", "").strip()[:64] or None,  # which no database takes
        WriteState(state) if state in set(WriteState) else None,
        undone if undone in _UNDOS else None,
    )


async def _found(runtime: Runtime, caller: Caller, conflict_id: str) -> SettledConflict:
    found = await resolve.find_conflict(runtime, conflict_id) if _ID.fullmatch(conflict_id) else None
    if found is None:
        ways = (("Conflicts", "/conflicts"),)
        raise PageRefused(message_page(PageMessage("Not known", UndoRefusal.UNKNOWN.text, 404, ways), caller))
    return found


def _not_done(caller: Caller, refusal: UndoRefusal, conflict_id: str) -> PageRefused:
    ways = (("The conflict", f"/conflicts/{conflict_id}"), ("Conflicts", "/conflicts"))
    return PageRefused(message_page(PageMessage("That was not done", refusal.text, 409, ways), caller))


def _page(caller: Caller, found: SettledConflict, values: Mapping[Side, str | None] | None) -> Response:
    return page("conflict", caller, one=found, values=values, sides=list(Side))
