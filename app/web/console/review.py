"""The review of one record that waits for a person's decision: why, both systems side by side, and the decision."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import attention, records, resolve
from app.operations.audit import note_view
from app.operations.candidates import Candidates, NamedRecord
from app.operations.failures import Group
from app.operations.records import BothSides, RecordView, about
from app.operations.resolve import Pick, Refusal
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.failure_causes import fix
from app.sync.model import RecordState, Side
from app.web.console.attention import PATH
from app.web.console.records import path_of
from app.web.pages import (
    PageMessage,
    PageRefused,
    form,
    is_confirmed,
    known,
    message_page,
    operator,
    page,
    pages_router,
    reader,
    redirect,
    redirect_after,
)

router = pages_router()
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
_ID = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)
_ONE, _EARLIER = PATH + "/{link_id}", "/held/{link_id}"
_PICK = "pick "  # what a form calls the side that was picked of a field
_SAVED = "Your decision is saved. It is carried out in a moment, unless somebody has edited the record meanwhile."


@dataclass(frozen=True, slots=True)
class _Compared:
    """What was read for a person who compares, and what they had picked before something was amiss."""

    seen: BothSides | Candidates
    picks: Mapping[str, str]
    complaint: str = ""


@router.get(_ONE)
async def show(request: Request, caller: Reader, link_id: str) -> Response:
    """Show why a record needs review; one that does not has its own page."""
    runtime: Runtime = request.app.state.runtime
    one = await _found(runtime, caller, link_id)
    if one.standing is not RecordState.HELD:
        return redirect(path_of(one))
    return await _page(runtime, caller, one)


@router.post(_ONE + "/compare")
async def compare(request: Request, caller: Reader, link_id: str) -> Response:
    """Read both systems, or the possible matches; an operator sees the values, which is noted."""
    runtime: Runtime = request.app.state.runtime
    one = await _found(runtime, caller, link_id)
    return await _page(runtime, caller, one, _Compared(await _read(runtime, caller, one), {}))


@router.post(_ONE + "/settle")
async def settle(request: Request, caller: Operator, link_id: str) -> Response:
    """Take whose values are kept, field by field; where it is not to be, say why and keep what was picked."""
    runtime: Runtime = request.app.state.runtime
    one, given = await _found(runtime, caller, link_id), await form(request)
    refusal = await resolve.settle(runtime, one, _picks(given), caller.by)
    if refusal is None:
        return redirect_after(request, PATH, _SAVED, ("The record", path_of(one)))
    if not resolve.waits_for_fields(one):
        raise _refused(caller, one, refusal)
    picked = {name.removeprefix(_PICK): side for name, side in given.items() if name.startswith(_PICK)}
    compared = _Compared(await _read(runtime, caller, one), picked, refusal.value)
    return await _page(runtime, caller, one, compared)


@router.post(_ONE + "/choose")
async def choose(request: Request, caller: Operator, link_id: str) -> Response:
    """Take which of the possible matches the record is."""
    runtime: Runtime = request.app.state.runtime
    one = await _found(runtime, caller, link_id)
    if (refusal := await resolve.choose(runtime, one, (await form(request)).get("id", ""), caller.by)) is not None:
        raise _refused(caller, one, refusal)
    return redirect_after(request, PATH, _SAVED, ("The record", path_of(one)))


@router.post(_ONE + "/merge")
async def merge(request: Request, caller: Operator, link_id: str) -> Response:
    """Take into which Contact this one is merged, once the person has seen what that comes to, and meant it."""
    runtime: Runtime = request.app.state.runtime
    one, into = await _found(runtime, caller, link_id), (await form(request)).get("id", "")
    if not await is_confirmed(request, caller):
        return await _merge_asked(runtime, caller, one, into)
    if (refusal := await resolve.merge(runtime, one, into, caller.by)) is not None:
        raise _refused(caller, one, refusal)
    text = f"Contact {one.link.salesforce_id} is merged into this one in a moment."
    return redirect_after(request, f"/records/{Side.SALESFORCE}/{one.link.kind}/{into}", text)


@router.post(_ONE + "/create")
async def create(request: Request, caller: Operator, link_id: str) -> Response:
    """Take that a new chart is right."""
    runtime: Runtime = request.app.state.runtime
    one = await _found(runtime, caller, link_id)
    if (refusal := await resolve.create(runtime, one, caller.by)) is not None:
        raise _refused(caller, one, refusal)
    return redirect_after(request, PATH, _SAVED, ("The record", path_of(one)))


async def _read(runtime: Runtime, caller: Caller, one: RecordView) -> BothSides | Candidates:
    """Read both systems, with the values for whoever may act; either way it is noted."""
    seen = await resolve.read(runtime, one, caller.by if caller.may_act else None)
    await note_view(runtime, caller.by, Action.SHOW, about(one), (one.ref.id,))
    return seen


async def _merge_asked(runtime: Runtime, caller: Caller, one: RecordView, into: str) -> Response:
    """Give the page that shows both people and what the Contact that stays will hold, and asks."""
    if not resolve.is_taken(one):
        raise _refused(caller, one, Refusal.NOT_HELD)
    seen = await _read(runtime, caller, one)
    assert isinstance(seen, Candidates)
    place = next((at for at, ref in enumerate(seen.refs) if ref.id == into and ref.side is Side.SALESFORCE), None)
    if place is None:
        return await _page(runtime, caller, one, _Compared(seen, {}, "That Contact is not shown as a match any more."))
    own, stays = _own_and(seen, place)
    return page("merge", caller, one=one, own=own, stays=stays, lines=seen.lines, place=place, path=f"{PATH}/{one.id}")


def _own_and(seen: Candidates, place: int) -> tuple[NamedRecord, NamedRecord]:
    return seen.people[0], seen.people[place + 1]


def _picks(given: Mapping[str, str]) -> list[Pick]:
    """Give what a form picked; what is to be decided later is left as it is."""
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
        text = "No such record is known. It may have been merged into another one."
        raise PageRefused(message_page(PageMessage("Not known", text, 404, (("Needs attention", PATH),)), caller))
    return found


def _refused(caller: Caller, one: RecordView, refusal: Refusal) -> PageRefused:
    ways = (("The record", path_of(one)), ("Needs attention", PATH))
    return PageRefused(message_page(PageMessage("That was not done", refusal.value, 409, ways), caller))


async def _page(runtime: Runtime, caller: Caller, one: RecordView, compared: _Compared | None = None) -> Response:
    named = await attention.listed(runtime, Group(ids=frozenset({one.id}), is_dismissed=None), 1)
    await note_view(runtime, caller.by, Action.SHOW, about(one), (one.ref.id,))
    seen = compared.seen if compared else None
    return page(
        "review",
        caller,
        409 if compared and compared.complaint else 200,
        one=one,
        item=named.items[0] if named.items else None,
        both=seen if isinstance(seen, BothSides) else None,
        several=seen if isinstance(seen, Candidates) else None,
        picks=compared.picks if compared else {},
        complaint=compared.complaint if compared else "",
        is_revealed=caller.may_act,
        choices=await resolve.choices_of(runtime, one),
        fix=fix(one.cause) if one.cause else "",
        path=f"{PATH}/{one.id}",
        record=path_of(one),
        vendor_pages=partial(records.vendor_pages, runtime),
    )


@router.get(_EARLIER, dependencies=[Depends(known)])
@router.get(_EARLIER + "/reveal", dependencies=[Depends(known)])
async def earlier(link_id: str) -> Response:
    """Send whoever comes by an earlier address to the review."""
    return redirect(f"{PATH}/{link_id}" if _ID.fullmatch(link_id) else PATH)
