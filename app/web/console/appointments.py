"""The page of a day's appointments."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import appointments
from app.operations.audit import note_view
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.web.pages import page, pages_router, reader

router = pages_router("/appointments")
_DAY = timedelta(days=1)


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)], day: str = "") -> Response:
    """Show the appointments of a day; of today, where none is named."""
    runtime: Runtime = request.app.state.runtime
    today = appointments.today(runtime)
    found = await appointments.of_day(runtime, _day(day) or today)
    await note_view(runtime, caller.by, Action.LIST, appointments.about(found), appointments.ids(found))
    earlier, later = _beside(found.day, -_DAY), _beside(found.day, _DAY)
    shared = appointments.odd_of_all(found)
    return page("appointments", caller, found=found, today=today, earlier=earlier, later=later, all_odd=shared)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _beside(day: date, step: timedelta) -> date | None:
    try:
        return day + step
    except OverflowError:
        return None
