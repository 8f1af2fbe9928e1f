"""The control door to the calendar: what a person at the front desk books, moves, cancels, blocks and repeats.

JSON, no sign-in, as with the rest of the control door.
"""

from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.drchrono import front_desk
from tests.standins.drchrono.appointment_fields import checked
from tests.standins.drchrono.appointments import event_of
from tests.standins.drchrono.caller import NOT_FOUND
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.series import recurrence
from tests.standins.drchrono.state import RefusedError, State, state_of


def _asked(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1")


def _appointment(request: Request, state: State) -> Record:
    record = state.appointments.records.get(request.path_params["id"])
    if record is None:
        raise RefusedError(404, NOT_FOUND)
    return record


async def show_appointments(request: Request) -> Response:
    appointments = state_of(request).appointments
    shown = {name: appointments.shown(record) for name, record in appointments.records.items()}
    return JSONResponse({"appointments": shown})


async def book(request: Request) -> Response:
    state = state_of(request)
    fields = front_desk.clean(state, await request.json())
    return JSONResponse(front_desk.book(state, fields, silent=_asked(request, "silent")), 201)


async def book_many(request: Request) -> Response:
    """One after the other from `start` on, for the `patients` named, in turn; for everybody when none are."""
    state, body = state_of(request), await request.json()
    patients, minutes = body.get("patients") or list(state.patients.records), body.get("duration", front_desk.VISIT_MIN)
    if not patients:
        raise RefusedError(400, {"patients": ["There is nobody to book for."]})
    start = datetime.fromisoformat(body["start"])
    ids = []
    for number in range(body["count"]):
        at = (start + timedelta(minutes=minutes * number)).isoformat(timespec="seconds")
        given = {"patient": patients[number % len(patients)], "scheduled_time": at, "duration": minutes}
        ids.append(front_desk.book(state, front_desk.clean(state, given), silent=body.get("silent", False))["id"])
    return JSONResponse({"ids": ids}, 201)


async def book_series(request: Request) -> Response:
    """An appointment, with `recurring_days`, `recurs_every` (weeks) and `recur_end_date`; one event, for the base."""
    state, given = state_of(request), await request.json()
    fields = front_desk.clean(state, given)
    try:
        fields |= recurrence(fields["scheduled_time"], given)
    except ValueError as error:
        raise RefusedError(400, {"detail": str(error)}) from error
    base, *virtual = state.appointments.add_series(fields, front_desk.who(state))
    state.note_edit("create", base["id"], fields, thing="appointment")
    if not _asked(request, "silent"):
        state.announce("APPOINTMENT_CREATE", base)
    shown = state.appointments.shown(base)
    return JSONResponse({"base": shown, "virtual": [record["id"] for record in virtual]}, 201)


async def block(request: Request) -> Response:
    """A break: in no room, of no patient."""
    state, given = state_of(request), await request.json()
    given.pop("patient", None)
    fields = {**front_desk.clean(state, given, is_break=True), "appt_is_break": True, "patient": None, "exam_room": 0}
    return JSONResponse(front_desk.book(state, fields, silent=_asked(request, "silent")), 201)


async def edit(request: Request) -> Response:
    """With `?unchecked=true` the fields are taken as they are, except the id."""
    state, body = state_of(request), await request.json()
    old = _appointment(request, state)
    fields: dict[str, Any] = {name: value for name, value in body.items() if name != "id"}
    if not _asked(request, "unchecked"):
        fields, errors = checked(body, front_desk.known(state), old, partial=True)
        if errors:
            raise RefusedError(400, errors)
    record = state.appointments.change(old["id"], fields)
    state.note_edit("edit", record["id"], fields, thing="appointment")
    if not _asked(request, "silent"):
        state.announce(event_of(old, record), record)
    return JSONResponse(state.appointments.shown(record))


async def delete(request: Request) -> Response:
    state = state_of(request)
    record = state.appointments.delete(_appointment(request, state)["id"])
    state.note_edit("delete", record["id"], {}, thing="appointment")
    if not _asked(request, "silent"):
        state.announce(state.settings.delete_event, record)
    return Response(status_code=204)


async def vanish(request: Request) -> Response:
    """Gone without a trace and without an event, its untouched repetitions too."""
    state = state_of(request)
    record = _appointment(request, state)
    state.appointments.vanish(record["id"])
    state.note_edit("vanish", record["id"], {}, thing="appointment")
    return Response(status_code=204)


async def renumber(request: Request) -> Response:
    """The same visit of its series under another id, without an event."""
    state = state_of(request)
    record = state.appointments.renumber(_appointment(request, state)["id"])
    state.note_edit("renumber", record["id"], {}, thing="appointment")
    return JSONResponse(state.appointments.shown(record))


routes = [
    Route(f"{CONTROL}/appointments", show_appointments, methods=["GET"]),
    Route(f"{CONTROL}/appointments", book, methods=["POST"]),
    Route(f"{CONTROL}/appointments/bulk", book_many, methods=["POST"]),
    Route(f"{CONTROL}/appointments/series", book_series, methods=["POST"]),
    Route(f"{CONTROL}/appointments/{{id}}", edit, methods=["PATCH"]),
    Route(f"{CONTROL}/appointments/{{id}}", delete, methods=["DELETE"]),
    Route(f"{CONTROL}/appointments/{{id}}/vanish", vanish, methods=["POST"]),
    Route(f"{CONTROL}/appointments/{{id}}/renumber", renumber, methods=["POST"]),
    Route(f"{CONTROL}/breaks", block, methods=["POST"]),
]
