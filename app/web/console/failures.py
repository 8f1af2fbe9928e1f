"""The page of failures: by cause, with the fix in words; try a few, then all; let go of what is not wanted."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import failures
from app.operations.audit import note_view
from app.operations.failures import FEW, Group, named
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.web.pages import form, operator, page, reader, redirect

router = APIRouter(prefix="/failures")
Operator = Annotated[Caller, Depends(operator)]
_DIGITS = 9  # of a number that may be meant


def _group(given: Mapping[str, str]) -> Group:
    side, kind, held = given.get("side"), given.get("kind"), given.get("held")
    return Group(
        _word(given.get("cause")) or None,
        Side(side) if side in set(Side) else None,
        Kind(kind) if kind in set(Kind) else None,
        {"yes": True, "no": False}.get(held or ""),
        _word(given.get("field")) or None,
        _word(given.get("fields")),
    )


def _word(given: str | None) -> str | None:
    """Give what was typed, without what no database takes in a text."""
    return given and given.strip()


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show every cause, the largest first; those of a filter alone where one is given."""
    wanted = _group({name: value for name, value in request.query_params.items() if name != "fields"})
    runtime: Runtime = request.app.state.runtime
    found = await failures.causes(runtime, wanted)
    await note_view(runtime, caller.by, Action.LIST, "failures", failures.ids(found))
    total = sum(one.count for one in found)
    given = {name: value for name, value in _fields(wanted).items() if name != "fields"}
    return page(
        "failures",
        caller,
        found=found,
        few=FEW,
        wanted=wanted,
        given=given,
        total=total,
        about=named(wanted),
        sides=list(Side),
        kinds=list(Kind),
    )


@router.post("/retry")
async def retry(request: Request, caller: Operator) -> Response:
    """Try a few at once; all of them only after their number was seen and meant."""
    runtime: Runtime = request.app.state.runtime
    given = await form(request)
    group = _group(given)
    if given.get("few"):
        await failures.try_again(runtime, group, FEW, caller.by)
        return redirect("/failures")
    if (asked := await _asked(runtime, caller, group, given, "retry")) is not None:
        return asked
    await failures.try_again(runtime, group, None, caller.by)
    return redirect("/failures")


@router.post("/discard")
async def discard(request: Request, caller: Operator) -> Response:
    """Let all of a group go, after their number was seen and meant."""
    runtime: Runtime = request.app.state.runtime
    given = await form(request)
    group = _group(given)
    if (asked := await _asked(runtime, caller, group, given, "discard")) is not None:
        return asked
    await failures.let_go(runtime, group, None, caller.by)
    return redirect("/failures")


async def _asked(runtime: Runtime, caller: Caller, group: Group, given: Mapping[str, str], act: str) -> Response | None:
    """Give the page that says the number and asks; None where a number was meant that is still about right."""
    number, expected = await failures.number_of(runtime, group), given.get("expected", "")
    was_seen = expected.isascii() and expected.isdigit() and len(expected) <= _DIGITS
    if was_seen and failures.is_as_seen(int(expected), number):
        return None
    return page(
        "failures_sure",
        caller,
        number=number,
        before=int(expected) if was_seen else None,
        about=named(group),
        fields=_fields(group),
        act=act,
    )


def _fields(group: Group) -> dict[str, str]:
    """Give what a form or an address carries of a group."""
    held = None if group.is_held is None else ("yes" if group.is_held else "no")
    told = {"cause": group.cause, "side": group.side, "kind": group.kind, "held": held, "field": group.field}
    given = {name: str(value) for name, value in told.items() if value}
    return given if group.fields is None else {**given, "fields": group.fields}
