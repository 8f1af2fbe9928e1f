"""Pages of what the vendors delivered: filter, inspect, run again."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import deliveries
from app.operations.audit import note_view
from app.operations.deliveries import DeliveryFilter, Outcome, ReplayResult
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.web.pages import PageMessage, form, message_page, operator, page, reader

router = APIRouter(prefix="/deliveries")
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
_ON_A_PAGE = 50


def wanted(given: dict[str, str]) -> DeliveryFilter:
    """Give which deliveries a filter means; a word it does not know means all."""
    side, outcome, kind = given.get("side"), given.get("outcome"), given.get("kind")
    return DeliveryFilter(
        Side(side) if side in set(Side) else None,
        Outcome(outcome) if outcome in set(Outcome) else None,
        Kind(kind) if kind in set(Kind) else None,
        given.get("record_id", "").strip()[:64] or None,
        given.get("open") == "1",
    )


def as_fields(which: DeliveryFilter) -> dict[str, str]:
    """Give the filter as the fields of a form."""
    given = {"side": which.side, "outcome": which.outcome, "kind": which.kind, "record_id": which.record_id}
    return {name: str(value) for name, value in given.items() if value} | ({"open": "1"} if which.is_open else {})


@router.get("")
async def show(request: Request, caller: Reader, before: str = "") -> Response:
    """Show deliveries that match, newest first."""
    runtime: Runtime = request.app.state.runtime
    which = wanted(dict(request.query_params))
    found = await deliveries.look_through(runtime, which, _ON_A_PAGE, before or None, is_counted=False)
    await note_view(runtime, caller.by, Action.LIST, "deliveries", [one.id for one in found.items])
    fields = as_fields(which)
    older = f"/deliveries?{urlencode({**fields, 'before': found.next})}" if found.next else None
    choices = {"side": list(Side), "outcome": list(Outcome), "kind": list(Kind)}
    return page("deliveries", caller, found=found.items, fields=fields, choices=choices, older=older)


@router.post("/replay")
async def replay(request: Request, caller: Operator) -> Response:
    """Say how many match; once that number was seen and meant, run them again."""
    runtime: Runtime = request.app.state.runtime
    given = await form(request)
    which = wanted(given)
    found = await deliveries.to_replay(runtime, which)
    if given.get("expected") != str(len(found.ids)):
        return page("replay", caller, number=len(found.ids), total=found.total, fields=as_fields(which))
    return _told(await deliveries.replay(runtime, found.ids, caller.by), caller)


@router.get("/{delivery_id}")
async def inspect(request: Request, caller: Reader, delivery_id: str) -> Response:
    """Show one delivery, its body masked."""
    return await _inspected(request, caller, delivery_id, is_revealed=False)


@router.post("/{delivery_id}/reveal")
async def reveal(request: Request, caller: Operator, delivery_id: str) -> Response:
    """Show its body in clear; the audit says who saw it."""
    return await _inspected(request, caller, delivery_id, is_revealed=True)


async def _inspected(request: Request, caller: Caller, delivery_id: str, *, is_revealed: bool) -> Response:
    runtime: Runtime = request.app.state.runtime
    one = await deliveries.one(runtime, delivery_id)
    if one is None:
        ways = (("Deliveries", "/deliveries"),)
        return message_page(
            PageMessage("No such delivery", "There is none of that id; old ones lose their bodies only.", 404, ways),
            caller,
        )
    fields = await deliveries.body(runtime, delivery_id, caller.by if is_revealed else None)
    if not is_revealed:
        await note_view(runtime, caller.by, Action.SHOW, f"delivery {one.id}", (one.id,))
    return page("delivery", caller, one=one, fields=fields, is_revealed=is_revealed)


@router.post("/{delivery_id}/replay")
async def replay_one(request: Request, caller: Operator, delivery_id: str) -> Response:
    """Run one again."""
    return _told(await deliveries.replay(request.app.state.runtime, [delivery_id], caller.by), caller)


def _told(replayed: ReplayResult, caller: Caller) -> Response:
    ways = (("Deliveries", "/deliveries"), ("Overview", "/"))
    if replayed.unknown and not replayed.deliveries:
        return message_page(PageMessage("No such delivery", "Nothing was run again.", 404, ways), caller)
    due = "1 record is" if replayed.records == 1 else f"{replayed.records:,} records are"
    text = f"{replayed.deliveries:,} run again; {due} due by that."
    if replayed.empty:
        text += f" {replayed.empty:,} tell of no record that is synced: there is nothing to run."
    return message_page(PageMessage("Run again", text, 200, ways), caller)
