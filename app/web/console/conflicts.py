"""The pages of conflicts: which rule decided, by kind, field and state; what each side had held, and undoing it."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import conflicts, resolve
from app.operations.audit import note_view
from app.operations.conflicts import NO_UNDO, SettledConflict, Sort
from app.operations.mapping import mapped_kinds
from app.operations.record_names import NOBODY, names_of
from app.operations.resolve import Refusal
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side, WriteState
from app.sync.resolutions import ResolutionEnd
from app.web.pages import (
    PageMessage,
    PageRefused,
    message_page,
    operator,
    page,
    pages_router,
    reader,
    redirect,
    redirect_after,
)

router = pages_router("/conflicts")
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
_ON_A_PAGE = 50
_ID = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)
_UNDOS = (NO_UNDO, *(one.value for one in ResolutionEnd))


@router.get("")
async def show(request: Request, caller: Reader) -> Response:
    """Show conflicts, newest first; those of a filter alone where one is given."""
    runtime: Runtime = request.app.state.runtime
    given = request.query_params
    sort = _sort(given)
    before = given.get("before", "")
    found = await conflicts.listed(runtime, sort, _ON_A_PAGE, before if _ID.fullmatch(before) else None)
    await note_view(runtime, caller.by, Action.LIST, "conflicts", [one.id for one in found.items])
    names, silence = await names_of(runtime, found.items)
    told = {"kind": sort.kind, "field": sort.field, "state": sort.state, "undo": sort.undo}
    chosen = {name: str(value) for name, value in told.items() if value}
    older = f"/conflicts?{urlencode({**chosen, 'before': found.next})}" if found.next else None
    return page(
        "conflicts",
        caller,
        found=found.items,
        names=names,
        silence=silence,
        total=found.total,
        sort=sort,
        older=older,
        kinds=mapped_kinds(runtime),
        states=list(WriteState),
        undos=_UNDOS,
    )


@router.get("/{conflict_id}")
async def one(request: Request, caller: Reader, conflict_id: str) -> Response:
    """Show one conflict, its values masked."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, conflict_id)
    await note_view(runtime, caller.by, Action.SHOW, conflicts.named(found), (found.id,))
    return await _page(runtime, caller, found, None)


@router.post("/{conflict_id}/reveal")
async def reveal(request: Request, caller: Operator, conflict_id: str) -> Response:
    """Show what each side had held; that is noted."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, conflict_id)
    values = await conflicts.reveal(runtime, conflict_id, caller.by)
    if values is None:
        raise _not_done(caller, Refusal.NOT_KEPT, conflict_id)
    return await _page(runtime, caller, found, values)


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
    text = "The old value is restored in a moment, in both systems."
    return redirect_after(request, f"/conflicts/{conflict_id}", text, ("Conflicts", "/conflicts"))


def _sort(given: Mapping[str, str]) -> Sort:
    kind, state, undone = given.get("kind"), given.get("state"), given.get("undo")
    return Sort(
        Kind(kind) if kind in set(Kind) else None,
        given.get("field", "").strip()[:64] or None,
        WriteState(state) if state in set(WriteState) else None,
        undone if undone in _UNDOS else None,
    )


async def _found(runtime: Runtime, caller: Caller, conflict_id: str) -> SettledConflict:
    found = await conflicts.find(runtime, conflict_id) if _ID.fullmatch(conflict_id) else None
    if found is None:
        ways = (("Conflicts", "/conflicts"),)
        raise PageRefused(message_page(PageMessage("Not known", Refusal.UNKNOWN.value, 404, ways), caller))
    return found


def _not_done(caller: Caller, refusal: Refusal, conflict_id: str) -> PageRefused:
    ways = (("The conflict", f"/conflicts/{conflict_id}"), ("Conflicts", "/conflicts"))
    return PageRefused(message_page(PageMessage("That was not done", refusal.value, 409, ways), caller))


async def _page(
    runtime: Runtime, caller: Caller, found: SettledConflict, values: Mapping[Side, str | None] | None
) -> Response:
    names, silence = await names_of(runtime, [found])
    who = names.get(found.link_id, NOBODY)
    return page("conflict", caller, one=found, who=who, silence=silence, values=values, sides=list(Side))
