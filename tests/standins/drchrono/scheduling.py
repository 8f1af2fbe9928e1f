"""The appointments' URLs, to read and to write.

A write answers as the v4 API does: 201 with the object for a create, an empty 204 for a change. Breaks can be read,
changed and deleted here, but a live practice lets nobody create one.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.drchrono.api import body_of
from tests.standins.drchrono.appointment_fields import CLEARED, checked
from tests.standins.drchrono.appointments import event_of, id_in, taken
from tests.standins.drchrono.caller import NOT_FOUND, SCHEDULING, Caller, signed_in
from tests.standins.drchrono.filters import WINDOWS, appointments_asked_for, is_asked, passing
from tests.standins.drchrono.paging import listed
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.state import RefusedError

READ, WRITE = "calendar:read clinical:read", "calendar:write clinical:write"
NO_WINDOW = {"detail": "Either since, occurred_since, date or date_range parameter must be specified."}


async def list_appointments(request: Request) -> Response:
    caller = signed_in(request, READ, SCHEDULING)
    asked, settings, appointments = request.query_params, caller.state.settings, caller.state.appointments
    if not any(asked.get(window) for window in WINDOWS):
        raise RefusedError(400, NO_WINDOW)
    verbose, seen = is_asked(asked, "verbose"), passing(appointments_asked_for(asked, caller), appointments.as_listed)
    most = settings.verbose_appointment_page_size if verbose else settings.appointment_page_size
    records, wrapped = listed(request, appointments.keys, lambda key: seen(id_in(key)), most=most)
    return wrapped([appointments.verbose(record) for record in records] if verbose else records)


def _appointment(request: Request, caller: Caller, *, deleted: bool = False) -> Record:
    """Raises the 404 of a deleted one as well, unless it is asked for."""
    record = caller.shown(caller.state.appointments.records.get(request.path_params["id"]))
    if record["deleted_flag"] and not deleted:
        raise RefusedError(404, NOT_FOUND)
    return record


async def get_appointment(request: Request) -> Response:
    caller = signed_in(request, READ, SCHEDULING)
    appointments = caller.state.appointments
    record = _appointment(request, caller, deleted=caller.state.settings.deleted_get == "flagged")
    verbose = is_asked(request.query_params, "verbose")
    return JSONResponse(appointments.shown(appointments.verbose(record) if verbose else record))


def _refuse_overlap(caller: Caller, wanted: Record) -> None:
    if not wanted.get("allow_overlapping"):
        other = caller.state.appointments.in_the_way_of(wanted)
        if other:
            raise RefusedError(409, {"detail": f"Appointment overlaps with {other}"})


async def create_appointment(request: Request) -> Response:
    caller = signed_in(request, WRITE, SCHEDULING)
    given, errors = checked(await body_of(request), caller.known(), partial=False)
    if errors:
        raise RefusedError(400, errors)
    _refuse_overlap(caller, {"id": None, "status": "", "deleted_flag": False, **given})
    record = caller.state.appointments.add(given, caller.user["username"])
    request.scope["call"]["id"] = record["id"]
    caller.state.announce("APPOINTMENT_CREATE", record)
    return JSONResponse(record, 201)


async def change_appointment(request: Request) -> Response:
    caller = signed_in(request, WRITE, SCHEDULING)
    body, whole = await body_of(request), request.method == "PUT"
    old = _appointment(request, caller)
    given, errors = checked(body, caller.known(), old, partial=not whole)
    if errors:
        raise RefusedError(400, errors)
    given = {**CLEARED, **given} if whole else given
    wanted = {**old, **given}
    # That a change which leaves its time alone is not asked about overlaps again is inferred.
    if taken(wanted) != taken(old):
        _refuse_overlap(caller, wanted)
    new = caller.state.appointments.change(old["id"], given)
    caller.state.announce(event_of(old, new), new)
    return Response(status_code=204)


async def delete_appointment(request: Request) -> Response:
    caller = signed_in(request, WRITE, SCHEDULING)
    deleted = caller.state.appointments.delete(_appointment(request, caller)["id"])
    caller.state.announce(caller.state.settings.delete_event, deleted)
    return Response(status_code=204)


routes = [
    Route("/api/appointments/{id}", get_appointment, methods=["GET"]),
    Route("/api/appointments/{id}", change_appointment, methods=["PATCH", "PUT"]),
    Route("/api/appointments/{id}", delete_appointment, methods=["DELETE"]),
    Route("/api/appointments", list_appointments, methods=["GET"]),
    Route("/api/appointments", create_appointment, methods=["POST"]),
]
