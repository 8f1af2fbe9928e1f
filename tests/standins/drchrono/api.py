"""The patients' URLs, to read and to write.

A write answers as the v4 API does: 201 with the object for a create, an empty 204 for a change.
"""

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.drchrono.caller import MANAGE_PATIENTS, Caller, signed_in
from tests.standins.drchrono.fields import checked
from tests.standins.drchrono.filters import is_asked, passing, patients_asked_for
from tests.standins.drchrono.paging import listed
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.state import RefusedError

TWIN = {"non_field_errors": ["Potential duplicate patient(s) found."]}


async def body_of(request: Request) -> Any:
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(raw.decode(), keep_blank_values=True))
    try:
        return json.loads(raw)
    except ValueError as error:
        raise RefusedError(400, {"detail": f"JSON parse error - {error}"}) from error


async def list_patients(request: Request) -> Response:
    caller = signed_in(request, "patients:read", MANAGE_PATIENTS)
    patients, settings = caller.state.patients, caller.state.settings
    verbose = is_asked(request.query_params, "verbose")
    seen = passing(patients_asked_for(request.query_params, caller), patients.as_listed)
    most = settings.verbose_page_size if verbose else settings.page_size
    records, wrapped = listed(request, patients.ids, seen, most=most)
    return wrapped([patients.verbose(record) for record in records] if verbose else records)


def _patient(request: Request, caller: Caller) -> Record:
    text, records = request.path_params["id"], caller.state.patients.records
    return caller.shown(records.get(int(text)) if text.isdecimal() else None)


async def get_patient(request: Request) -> Response:
    caller = signed_in(request, "patients:read", MANAGE_PATIENTS)
    record = _patient(request, caller)
    return JSONResponse(caller.state.patients.verbose(record) if is_asked(request.query_params, "verbose") else record)


async def create_patient(request: Request) -> Response:
    caller = signed_in(request, "patients:write", MANAGE_PATIENTS)
    state = caller.state
    given, errors = checked(await body_of(request), caller.doctors(), partial=False)
    if errors:
        raise RefusedError(400, errors)
    if (
        state.settings.prevent_duplicates
        and not is_asked(request.query_params, "allow_duplicates")
        and state.patients.twins(given)
    ):
        raise RefusedError(400, TWIN)
    record = state.patients.add(given)
    request.scope["call"]["id"] = record["id"]
    state.dispatcher.raise_event("PATIENT_CREATE", record)
    return JSONResponse(record, 201)


async def change_patient(request: Request) -> Response:
    caller = signed_in(request, "patients:write", MANAGE_PATIENTS)
    state, whole = caller.state, request.method == "PUT"
    _patient(request, caller)
    given, errors = checked(await body_of(request), caller.doctors(), partial=not whole)
    if errors:
        raise RefusedError(400, errors)
    if state.settings.phones_as_digits:
        phones = {name for name in given if name.endswith("_phone")}
        given |= {name: "".join(filter(str.isdecimal, given[name])) for name in phones}
    # Asked again: the patient may have gone while the body was coming in.
    patient_id = _patient(request, caller)["id"]
    change = state.patients.replace if whole else state.patients.change
    state.dispatcher.raise_event("PATIENT_MODIFY", change(patient_id, given))
    return Response(status_code=204)


async def delete_patient(request: Request) -> Response:
    caller = signed_in(request, "patients:write", MANAGE_PATIENTS)
    caller.state.patients.remove(_patient(request, caller)["id"])
    return Response(status_code=204)


routes = [
    Route("/api/patients/{id}", get_patient, methods=["GET"]),
    Route("/api/patients/{id}", change_patient, methods=["PATCH", "PUT"]),
    Route("/api/patients/{id}", delete_patient, methods=["DELETE"]),
    Route("/api/patients", list_patients, methods=["GET"]),
    Route("/api/patients", create_patient, methods=["POST"]),
]
