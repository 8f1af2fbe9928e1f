"""The pages of what a person decides: records that are held, why, both sides of one, and the pick."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import conflicts, resolve
from app.operations.audit import note_view
from app.operations.candidates import Candidates
from app.operations.records import BothSides, RecordView, about
from app.operations.resolve import Pick, Refusal
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.failure_causes import fix
from app.sync.model import Side
from app.web.pages import PageMessage, PageRefused, form, message_page, operator, page, reader, redirect

router = APIRouter(prefix="/held")
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
_ON_A_PAGE = 50
_ID = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)
_PICK = "pick "  # what a form calls the side that was picked of a field


@router.get("")
async def show(request: Request, caller: Reader, cause: str = "", after: str = "") -> Response:
    """Show what is held, with what to do about each, and how many conflicts a rule has decided."""
    runtime: Runtime = request.app.state.runtime
    found = await resolve.listed(runtime, _ON_A_PAGE, after if _ID.fullmatch(after) else "", cause=cause or None)
    await note_view(runtime, caller.by, Action.LIST, "held", resolve.ids(found.items))
    return page(
        "held",
        caller,
        held=found.items,
        more=f"/held?{urlencode({'cause': cause, 'after': found.next})}" if found.next else None,
        total=found.total,
        cause=cause,
        conflicts_total=await conflicts.count(runtime),
    )


@router.get("/{link_id}")
async def one(request: Request, caller: Reader, link_id: str) -> Response:
    """Show why a record is held, without a call."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, link_id)
    await note_view(runtime, caller.by, Action.SHOW, about(found), (found.ref.id,))
    return await _page(runtime, caller, found)


@router.post("/{link_id}")
async def read(request: Request, caller: Reader, link_id: str) -> Response:
    """Read both sides, or whom it could be, and show them masked; it reads, so a viewer may."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, link_id)
    answered = await resolve.read(runtime, found)
    await note_view(runtime, caller.by, Action.SHOW, about(found), (found.ref.id,))
    return await _page(runtime, caller, found, answered)


@router.post("/{link_id}/reveal")
async def reveal(request: Request, caller: Operator, link_id: str) -> Response:
    """Read the same and show the values; that is noted."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, link_id)
    return await _page(runtime, caller, found, await resolve.read(runtime, found, caller.by), is_revealed=True)


@router.get("/{link_id}/reveal", dependencies=[Depends(reader)])
async def masked_again(link_id: str) -> Response:
    """Send whoever asks again for what was revealed back to the record."""
    return redirect(f"/held/{link_id}" if _ID.fullmatch(link_id) else "/held")


@router.post("/{link_id}/settle")
async def settle(request: Request, caller: Operator, link_id: str) -> Response:
    """Take whose value counts, field by field."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, link_id)
    picks = _picks(await form(request))
    return _done(caller, found, await resolve.settle(runtime, found, picks, caller.by))


@router.post("/{link_id}/choose")
async def choose(request: Request, caller: Operator, link_id: str) -> Response:
    """Take which of several records it is."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, link_id)
    chosen = (await form(request)).get("id", "")
    return _done(caller, found, await resolve.choose(runtime, found, chosen, caller.by))


@router.post("/{link_id}/merge")
async def merge(request: Request, caller: Operator, link_id: str) -> Response:
    """Take into which Contact this one goes."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, link_id)
    into = (await form(request)).get("id", "")
    return _done(caller, found, await resolve.merge(runtime, found, into, caller.by))


@router.post("/{link_id}/create")
async def create(request: Request, caller: Operator, link_id: str) -> Response:
    """Take that a new chart is right."""
    runtime: Runtime = request.app.state.runtime
    found = await _found(runtime, caller, link_id)
    return _done(caller, found, await resolve.create(runtime, found, caller.by))


def _picks(given: Mapping[str, str]) -> list[Pick]:
    """Give what a form picked; what it does not pick is left as it is."""
    return [
        Pick(name.removeprefix(_PICK), Side(side), _stamps(given, name.removeprefix(_PICK)))
        for name, side in given.items()
        if name.startswith(_PICK) and side in set(Side)
    ]


def _stamps(given: Mapping[str, str], field: str) -> dict[Side, str]:
    return {side: given.get(f"{side} {field}", "") for side in Side}


async def _found(runtime: Runtime, caller: Caller, link_id: str) -> RecordView:
    found = await resolve.find(runtime, link_id) if _ID.fullmatch(link_id) else None
    if found is None:
        text = "No such record is known; it may have become one with another."
        raise PageRefused(message_page(PageMessage("Not known", text, 404, (("Held", "/held"),)), caller))
    return found


def _done(caller: Caller, found: RecordView, refusal: Refusal | None) -> Response:
    if refusal is not None:
        ways = (("The record", f"/held/{found.id}"), ("Held", "/held"))
        raise PageRefused(message_page(PageMessage("That was not done", refusal.value, 409, ways), caller))
    return redirect(f"/held/{found.id}")


async def _page(
    runtime: Runtime,
    caller: Caller,
    found: RecordView,
    seen: BothSides | Candidates | None = None,
    *,
    is_revealed: bool = False,
) -> Response:
    return page(
        "held_one",
        caller,
        one=found,
        both=seen if isinstance(seen, BothSides) else None,
        several=seen if isinstance(seen, Candidates) else None,
        is_revealed=is_revealed,
        choices=await resolve.choices_of(runtime, found),
        fix=fix(found.cause) if found.cause else "",
        path=f"/held/{found.id}",
    )
