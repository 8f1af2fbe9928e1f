"""The first page: the two sides, what flows between them, and what needs a person."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import backfill
from app.operations.backfill import LoadState
from app.operations.overview import Picture, picture
from app.operations.sign_in import Caller
from app.sync.model import Side
from app.web.pages import page, reader

router = APIRouter()
_WIDE, _HIGH = 180, 36


@router.get("/")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show how everything stands; the page asks again by itself every three seconds."""
    parts: Any = request.app.state.health.report()["parts"]
    runtime = request.app.state.runtime
    seen, found = await picture(runtime), await backfill.states(runtime)
    loads = [one for one in found if one.state is not LoadState.LOADED] if backfill.may_load(runtime) else []
    sparks = {side: spark(seen.to[side].lately) for side in Side}
    unwell = {name: part for name, part in parts.items() if part["state"] != "ok"}
    says = headline(seen, parts, is_loaded=not loads)
    return page(
        "overview", caller, seen=seen, parts=parts, unwell=unwell, sparks=sparks, says=says, loads=loads, Side=Side
    )


def headline(seen: Picture, parts: dict[str, dict[str, Any]], *, is_loaded: bool = True) -> tuple[str, str]:
    """Give the state of everything in one sentence, and how good that is: good, busy, warn or bad."""
    away = [name for name, part in parts.items() if part["state"] == "down"]
    if away:
        return f"Something is down: {', '.join(_named(name) for name in away)}.", "bad"
    unconnected = [_named(name) for name, part in parts.items() if part["state"] == "not_connected"]
    if unconnected:
        return f"{' and '.join(unconnected)} is not connected yet." if len(
            unconnected
        ) == 1 else "Not connected yet.", ("warn")
    if seen.paused:
        return f"Paused: {', '.join(seen.paused)}. Nothing is lost; it waits.", "warn"
    if people := seen.failed + seen.held:
        return f"{_records(people)} for a person; everything else flows.", "warn"
    if seen.due:
        return f"{seen.due:,} change{'' if seen.due == 1 else 's'} on the way.", "busy"
    if not is_loaded:
        return "What is new flows; what was there before is not loaded yet.", "busy"
    return "Both sides agree.", "good"


def _records(number: int) -> str:
    return "1 record waits" if number == 1 else f"{number:,} records wait"


def _named(name: str) -> str:
    return {"drchrono": "DrChrono", "salesforce": "Salesforce", "redis": "Redis"}.get(name, name.replace("_", " "))


def spark(values: Sequence[int]) -> str:
    """Give the points of a line through the values, for a picture of 180 by 36."""
    most, step = max(values, default=0) or 1, _WIDE / max(len(values) - 1, 1)
    return " ".join(f"{at * step:.1f},{_HIGH - 2 - value / most * (_HIGH - 4):.1f}" for at, value in enumerate(values))
