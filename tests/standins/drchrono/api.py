"""The patients' URLs, to read and to write.

A write answers as the v4 API does: 201 with the object for a create, an empty 204 for a change.
"""

import json
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.drchrono.caller import MANAGE_PATIENTS, NOT_ALLOWED, NOT_FOUND, Caller, signed_in
from tests.standins.drchrono.fields import checked
from tests.standins.drchrono.paging import listed
from tests.standins.drchrono.records import Record
from tests.standins.drchrono.state import RefusedError

TWIN = {"non_field_errors": ["Potential duplicate patient(s) found."]}

NAMES_COMPARED = ("first_name", "last_name", "email")
VALUES_COMPARED = ("gender", "race", "ethnicity", "preferred_language", "chart_id")

Test = Callable[[Record], bool]


async def body_of(request: Request) -> Any:
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(raw.decode(), keep_blank_values=True))
    try:
        return json.loads(raw)
    except ValueError as error:
        raise RefusedError(400, {"detail": f"JSON parse error - {error}"}) from error


def _is_asked(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1")


def _day(name: str, text: str) -> str:
    # Day-granular: whether a time of day is accepted is unknown, that it is ignored is our assumption.
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise RefusedError(400, {name: ["Enter a valid date."]}) from error


def _test(name: str, wanted: str) -> Test | None:
    """Gives what a filter asks of a record; None for a parameter that is no filter."""
    if name in NAMES_COMPARED:
        folded = wanted.casefold()
        return lambda record: (record[name] or "").casefold() == folded
    match name:
        case "since":
            day = _day(name, wanted)
            return lambda record: record["updated_at"] >= day or record["created_at"] >= day
        case "created_at":
            day = _day(name, wanted)
            return lambda record: record["created_at"].startswith(day)
        case "date_of_birth":
            day = _day(name, wanted)
            return lambda record: record["date_of_birth"] == day
        case "doctor":
            return lambda record: str(record["doctor"]) == wanted
    return (lambda record: record[name] == wanted) if name in VALUES_COMPARED else None


def _tests(request: Request, caller: Caller) -> list[Test]:
    """Gives what a record must satisfy to be listed: the filters asked for, and being the caller's to see."""
    tests = [test for name, wanted in request.query_params.items() if wanted and (test := _test(name, wanted))]
    if caller.state.settings.hide_inactive and not _is_asked(request, "show_inactive"):
        tests.append(lambda record: record["patient_status"] == "A")
    if strangers := caller.strangers():
        tests.append(lambda record: record["doctor"] not in strangers)
    if not caller.may("share_patients"):
        tests.append(caller.shares)
    return tests


async def list_patients(request: Request) -> Response:
    caller = signed_in(request, "patients:read", MANAGE_PATIENTS)
    patients, settings = caller.state.patients, caller.state.settings
    verbose, tests, as_listed = _is_asked(request, "verbose"), _tests(request, caller), patients.as_listed

    def seen(patient_id: int) -> Record | None:
        record = as_listed(patient_id)
        if record is not None:
            for test in tests:
                if not test(record):
                    return None
        return record

    most = settings.verbose_page_size if verbose else settings.page_size
    records, wrapped = listed(request, patients.ids, seen, most=most)
    return wrapped([patients.verbose(record) for record in records] if verbose else records)


def _patient(request: Request, caller: Caller) -> Record:
    """Raises the 404 of a patient who is not there or not shared, or the 403 of another practice's."""
    text, records = request.path_params["id"], caller.state.patients.records
    record = records.get(int(text)) if text.isdecimal() else None
    if record is None:
        raise RefusedError(404, NOT_FOUND)
    if record["doctor"] in caller.strangers():
        raise RefusedError(403, NOT_ALLOWED)
    if not caller.shares(record):
        raise RefusedError(404, NOT_FOUND)
    return record


async def get_patient(request: Request) -> Response:
    caller = signed_in(request, "patients:read", MANAGE_PATIENTS)
    record = _patient(request, caller)
    return JSONResponse(caller.state.patients.verbose(record) if _is_asked(request, "verbose") else record)


async def create_patient(request: Request) -> Response:
    caller = signed_in(request, "patients:write", MANAGE_PATIENTS)
    state = caller.state
    given, errors = checked(await body_of(request), caller.doctors(), partial=False)
    if errors:
        raise RefusedError(400, errors)
    if state.settings.prevent_duplicates and not _is_asked(request, "allow_duplicates") and state.patients.twins(given):
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
