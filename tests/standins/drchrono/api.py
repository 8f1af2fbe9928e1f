"""The record URLs: patients to read and write; users, doctors and offices to read.

A write answers as the v4 API does: 201 with the object for a create, an empty 204 for a change.
"""

import json
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.drchrono.fields import checked
from tests.standins.drchrono.records import Record, page
from tests.standins.drchrono.shapes import DOCTORS, OFFICES, USER_ID, USERS
from tests.standins.drchrono.state import RefusedError, State, state_of

NOT_FOUND = {"detail": "Not found."}
NOT_SIGNED_IN = {"detail": "Authentication credentials were not provided."}
NOT_ALLOWED = {"detail": "You do not have permission to perform this action."}
TWIN = {"non_field_errors": ["Potential duplicate patient(s) found."]}

NAMES_COMPARED = ("first_name", "last_name", "email")
VALUES_COMPARED = ("gender", "race", "ethnicity", "preferred_language", "chart_id")

Test = Callable[[Record], bool]


def signed_in(request: Request, scope: str = "") -> State:
    """Raises the 401 of an unknown, expired or replaced token, or the 403 of a missing scope."""
    state = state_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    granted = state.tokens.scope_of(token) if scheme.lower() == "bearer" else None
    if granted is None:
        raise RefusedError(401, NOT_SIGNED_IN)
    if scope and scope not in granted.split():
        raise RefusedError(403, NOT_ALLOWED)
    return state


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


def _listed(request: Request, ids: Any, seen: Any, *, most: int) -> tuple[list[Record], Any]:
    """Gives one page of records, and the function that wraps them as a list answer."""
    try:
        size = min(max(int(request.query_params.get("page_size", most)), 1), most)
        found = page(ids, seen, size, request.query_params.get("cursor"))
    except ValueError as error:
        raise RefusedError(404, {"detail": "Invalid cursor"}) from error
    request.scope["call"]["count"] = len(found.records)

    def link(cursor: str | None) -> str | None:
        return cursor and str(request.url.include_query_params(cursor=cursor))

    def wrapped(results: list[Record]) -> Response:
        return JSONResponse({"previous": link(found.previous), "results": results, "next": link(found.next)})

    return found.records, wrapped


async def list_patients(request: Request) -> Response:
    state = signed_in(request, "patients:read")
    verbose = _is_asked(request, "verbose")
    tests = [test for name, wanted in request.query_params.items() if wanted and (test := _test(name, wanted))]
    if state.settings.hide_inactive and not _is_asked(request, "show_inactive"):
        tests.append(lambda record: record["patient_status"] == "A")
    as_listed = state.patients.as_listed

    def seen(patient_id: int) -> Record | None:
        record = as_listed(patient_id)
        if record is not None:
            for test in tests:
                if not test(record):
                    return None
        return record

    most = state.settings.verbose_page_size if verbose else state.settings.page_size
    records, wrapped = _listed(request, state.patients.ids, seen, most=most)
    return wrapped([state.patients.verbose(record) for record in records] if verbose else records)


def _patient_id(request: Request, state: State) -> int:
    text = request.path_params["id"]
    if not text.isdecimal() or int(text) not in state.patients.records:
        raise RefusedError(404, NOT_FOUND)
    return int(text)


async def get_patient(request: Request) -> Response:
    state = signed_in(request, "patients:read")
    record = state.patients.records[_patient_id(request, state)]
    return JSONResponse(state.patients.verbose(record) if _is_asked(request, "verbose") else record)


async def create_patient(request: Request) -> Response:
    state = signed_in(request, "patients:write")
    given, errors = checked(await body_of(request), partial=False)
    if errors:
        raise RefusedError(400, errors)
    if state.settings.prevent_duplicates and not _is_asked(request, "allow_duplicates") and state.patients.twins(given):
        raise RefusedError(400, TWIN)
    record = state.patients.add(given)
    request.scope["call"]["id"] = record["id"]
    state.dispatcher.raise_event("PATIENT_CREATE", record)
    return JSONResponse(record, 201)


async def change_patient(request: Request) -> Response:
    state = signed_in(request, "patients:write")
    patient_id, whole = _patient_id(request, state), request.method == "PUT"
    given, errors = checked(await body_of(request), partial=not whole)
    if errors:
        raise RefusedError(400, errors)
    _patient_id(request, state)
    change = state.patients.replace if whole else state.patients.change
    state.dispatcher.raise_event("PATIENT_MODIFY", change(patient_id, given))
    return Response(status_code=204)


async def delete_patient(request: Request) -> Response:
    state = signed_in(request, "patients:write")
    state.patients.remove(_patient_id(request, state))
    return Response(status_code=204)


async def who_am_i(request: Request) -> Response:
    signed_in(request)
    return RedirectResponse(str(request.base_url.replace(path=f"/api/users/{USER_ID}")), 302)


def _read_only(name: str, records: dict[int, Record], scope: str) -> list[Route]:
    """Gives the list and the item route of something that is only read here."""

    async def several(request: Request) -> Response:
        state, doctor = signed_in(request, scope), request.query_params.get("doctor", "")

        def seen(key: int) -> Record | None:
            record = records[key]
            return record if not doctor or str(record.get("doctor", record["id"])) == doctor else None

        found, wrapped = _listed(request, sorted(records), seen, most=state.settings.page_size)
        return wrapped(found)

    async def one(request: Request) -> Response:
        signed_in(request, scope)
        text = request.path_params["id"]
        record = records.get(int(text)) if text.isdecimal() else None
        return JSONResponse(NOT_FOUND, 404) if record is None else JSONResponse(record)

    return [Route(f"/api/{name}", several, methods=["GET"]), Route(f"/api/{name}/{{id}}", one, methods=["GET"])]


routes = [
    Route("/api/patients/{id}", get_patient, methods=["GET"]),
    Route("/api/patients/{id}", change_patient, methods=["PATCH", "PUT"]),
    Route("/api/patients/{id}", delete_patient, methods=["DELETE"]),
    Route("/api/patients", list_patients, methods=["GET"]),
    Route("/api/patients", create_patient, methods=["POST"]),
    Route("/api/users/current", who_am_i, methods=["GET"]),
    *_read_only("users", USERS, ""),
    *_read_only("doctors", DOCTORS, "user:read"),
    *_read_only("offices", OFFICES, "user:read"),
]
