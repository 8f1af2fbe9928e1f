"""The control door: what a test, or a person at the practice's front desk, does to the stand-in.

JSON, no sign-in, never counted, never failing by a fault rule. Webhooks and deliveries have their own module; so do
users, doctors and tokens; and so do appointments.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.drchrono.caller import NOT_FOUND
from tests.standins.drchrono.fields import checked
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.shapes import WALK_IN
from tests.standins.drchrono.state import RefusedError, State, state_of
from tests.standins.drchrono.synthetic import person


def _asked(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1")


async def _fields(request: Request) -> Record:
    """Gives the edit's clean fields; with `?unchecked=true` they are taken as they are, except the id."""
    body = await request.json()
    if _asked(request, "unchecked"):
        return {name: value for name, value in body.items() if name != "id"}
    fields, errors = checked(body, state_of(request).people.doctors, partial=True)
    if errors:
        raise RefusedError(400, errors)
    return fields


def _known(request: Request, state: State) -> int:
    patient_id = int(request.path_params["id"])
    if patient_id not in state.patients.records:
        raise RefusedError(404, NOT_FOUND)
    return patient_id


async def show_patients(request: Request) -> Response:
    return JSONResponse({"patients": state_of(request).patients.records})


async def create_patient(request: Request) -> Response:
    state = state_of(request)
    given, _ = checked({**WALK_IN, **await _fields(request)}, state.people.doctors, partial=False)
    return JSONResponse(_walk_in(state, given, silent=_asked(request, "silent")), 201)


def _walk_in(state: State, given: Record, *, silent: bool) -> Record:
    record = state.patients.add(given)
    state.note_edit("create", record["id"], given)
    if not silent:
        state.dispatcher.raise_event("PATIENT_CREATE", record)
    return record


async def create_many(request: Request) -> Response:
    state, body = state_of(request), await request.json()
    silent, first = body.get("silent", False), len(state.patients.ids)
    people = (person(first + number, body.get("prefix", "Testa")) for number in range(body["count"]))
    return JSONResponse({"ids": [_walk_in(state, given, silent=silent)["id"] for given in people]}, 201)


async def edit_patient(request: Request) -> Response:
    state = state_of(request)
    patient_id, given = _known(request, state), await _fields(request)
    record = state.patients.change(patient_id, given)
    state.note_edit("edit", patient_id, given)
    if not _asked(request, "silent"):
        state.dispatcher.raise_event("PATIENT_MODIFY", record)
    return JSONResponse(record)


async def vanish(request: Request) -> Response:
    """No event exists for this in any edition of the vendor's reference."""
    state = state_of(request)
    patient_id = _known(request, state)
    state.patients.remove(patient_id)
    state.note_edit("delete", patient_id, {})
    return Response(status_code=204)


async def edits(request: Request) -> Response:
    return JSONResponse(state_of(request).edits)


async def set_clock(request: Request) -> Response:
    state = state_of(request)
    state.clock.set(await request.json())
    state.dispatcher.reschedule()
    return JSONResponse({"hour_s": state.clock.hour_s, "now": state.clock.stamp()})


async def set_settings(request: Request) -> Response:
    state = state_of(request)
    try:
        state.turn(await request.json())
    except ValueError as error:
        return JSONResponse({"detail": str(error)}, 400)
    return JSONResponse({"ok": True})


async def reset(request: Request) -> Response:
    state_of(request).begin()
    return Response(status_code=204)


async def kept(request: Request) -> Response:
    """POST keeps who is let in under a name; PUT puts that back."""
    state, name = state_of(request), request.path_params["name"]
    if request.method == "POST":
        state.keep(name)
    else:
        state.put_back(name)
    return Response(status_code=204)


routes = [
    Route(f"{CONTROL}/patients", show_patients, methods=["GET"]),
    Route(f"{CONTROL}/patients", create_patient, methods=["POST"]),
    Route(f"{CONTROL}/patients/bulk", create_many, methods=["POST"]),
    Route(f"{CONTROL}/patients/{{id:int}}", edit_patient, methods=["PATCH"]),
    Route(f"{CONTROL}/patients/{{id:int}}", vanish, methods=["DELETE"]),
    Route(f"{CONTROL}/edits", edits, methods=["GET"]),
    Route(f"{CONTROL}/clock", set_clock, methods=["PUT"]),
    Route(f"{CONTROL}/settings", set_settings, methods=["PUT"]),
    Route(f"{CONTROL}/reset", reset, methods=["POST"]),
    Route(f"{CONTROL}/kept/{{name}}", kept, methods=["POST", "PUT"]),
]
