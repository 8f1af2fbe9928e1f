"""Pages of what was received: by range and filter, one delivery in full, and replaying them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import deliveries
from app.operations.activity import Activity, activity_of
from app.operations.audit import note_view
from app.operations.deliveries import DeliveryFilter, Outcome, ReplayResult
from app.operations.labels import label
from app.operations.mapping import mapped_kinds
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.web import charts, moments
from app.web.charts import Chart, ChartSeries, TimeAxis
from app.web.pages import PageMessage, form, message_page, operator, page, pages_router, reader
from app.web.ranges import TimeRange, read_range

router = pages_router("/deliveries")
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
_ON_A_PAGE = 50
_WAYS = (("Deliveries", "/deliveries"), ("Overview", "/"))


def wanted(given: Mapping[str, str], chosen: TimeRange) -> DeliveryFilter:
    """Give which deliveries a filter means, of a range; a word it does not know means all."""
    side, outcome, kind = given.get("side"), given.get("outcome"), given.get("kind")
    return DeliveryFilter(
        Side(side) if side in set(Side) else None,
        Outcome(outcome) if outcome in set(Outcome) else None,
        Kind(kind) if kind in set(Kind) else None,
        given.get("record_id", "").strip()[:64] or None,
        given.get("open") == "1",
        None if chosen.is_all else chosen.since,
        None if chosen.is_open else chosen.until,
    )


def as_fields(which: DeliveryFilter) -> dict[str, str]:
    """Give the filter, without its range, as the fields of a form."""
    given = {"side": which.side, "outcome": which.outcome, "kind": which.kind, "record_id": which.record_id}
    return {name: str(value) for name, value in given.items() if value} | ({"open": "1"} if which.is_open else {})


@router.get("")
async def show(request: Request, caller: Reader, before: str = "") -> Response:
    """Show deliveries of a range that match, newest first, and how many came to what."""
    runtime: Runtime = request.app.state.runtime
    clinic = moments.here()
    chosen = read_range(request.query_params, clinic, allows_all=True)
    which = wanted(request.query_params, chosen)
    found = await deliveries.look_through(runtime, which, _ON_A_PAGE, before or None, is_counted=False)
    await note_view(runtime, caller.by, Action.LIST, "deliveries", [one.id for one in found.items])
    flowed = await activity_of(runtime, chosen.since, chosen.until)
    fields, words, time = as_fields(which), chosen.words(clinic, flowed), charts.time_axis(flowed, clinic)
    is_narrowed = bool(fields) or not chosen.is_all
    return page(
        "deliveries",
        caller,
        found=found.items,
        fields=fields,
        chosen=chosen,
        clinic=clinic,
        words=words,
        charts=(_received(flowed, words, time), charts.latency(flowed, words, time)),
        flowed=flowed,
        open_count=await deliveries.unprocessed_count(runtime, replace(which, outcome=None, is_open=False)),
        matching=await deliveries.match_count(runtime, which) if is_narrowed and caller.may_act else 0,
        most=deliveries.MOST_AT_ONCE,
        choices={"side": list(Side), "outcome": list(Outcome), "kind": mapped_kinds(runtime)},
        outcomes=list(Outcome),
        older=chosen.link("/deliveries", **fields, before=found.next) if found.next else None,
    )


def _received(flowed: Activity, words: str, time: TimeAxis) -> Chart:
    """Give the chart of what was received, by what it came to."""
    looks = {Outcome.KEPT: "first", Outcome.SKIPPED: "second", Outcome.UNREADABLE: "bad"}
    series = [
        ChartSeries(label(outcome), look, [one.outcomes.get(outcome, 0) for one in flowed.steps])
        for outcome, look in looks.items()
    ]
    return charts.counted("Received", f"deliveries received in {words}", series, time)


@router.post("/replay")
async def replay(request: Request, caller: Operator) -> Response:
    """Say how many match; once that number was seen and meant, replay them."""
    runtime: Runtime = request.app.state.runtime
    given = await form(request)
    chosen = read_range(given, moments.here(), allows_all=True)
    which = wanted(given, chosen)
    if chosen.problem:
        return message_page(PageMessage("Nothing was replayed", chosen.problem, 400, _WAYS), caller)
    if chosen.is_all and not as_fields(which):
        text = "Choose a range of time, or a filter: all that was ever received is not replayed at once."
        return message_page(PageMessage("Nothing was replayed", text, 400, _WAYS), caller)
    found = await deliveries.to_replay(runtime, which)
    if given.get("expected") != str(len(found.ids)):
        fields = {**chosen.fields, **as_fields(which)}
        back = chosen.link("/deliveries", **as_fields(which))
        words = "all that is stored" if chosen.is_all else chosen.words(moments.here())
        return page("replay", caller, number=len(found.ids), total=found.total, fields=fields, back=back, words=words)
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
    """Replay one."""
    return _told(await deliveries.replay(request.app.state.runtime, [delivery_id], caller.by), caller)


def _told(replayed: ReplayResult, caller: Caller) -> Response:
    if replayed.unknown and not replayed.deliveries:
        return message_page(PageMessage("No such delivery", "Nothing was replayed.", 404, _WAYS), caller)
    due = "1 record is" if replayed.records == 1 else f"{replayed.records:,} records are"
    text = f"{replayed.deliveries:,} replayed; {due} pending by that."
    if replayed.empty:
        text += f" {replayed.empty:,} are about no record that is synced: there is nothing to replay."
    return message_page(PageMessage("Replayed", text, 200, _WAYS), caller)
