"""The screen the practice's own people work at: patients, the last moved first, and a form for one."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.drchrono.fields import checked
from tests.standins.drchrono.oauth import form_of
from tests.standins.drchrono.state import state_of
from tests.standins.screens import Screen, latest

SCREEN = Screen(
    "DrChrono: patients",
    "id",
    {
        "first_name": "First name",
        "last_name": "Last name",
        "date_of_birth": "Born",
        "cell_phone": "Cell phone",
        "email": "E-mail",
        "city": "City",
    },
    "#0a7d6c",
)


async def show(request: Request) -> Response:
    records = state_of(request).patients.records
    if (wanted := request.query_params.get("edit", "")).isdigit() and int(wanted) in records:
        return HTMLResponse(SCREEN.form(records[int(wanted)]))
    return HTMLResponse(SCREEN.listed(latest(list(records.values()), "updated_at")))


async def save(request: Request) -> Response:
    """What is wrong with the form is said; what differs is an edit as any other, and is delivered."""
    state, given = state_of(request), await form_of(request)
    patient_id = int(given.get("id", "0") or 0)
    if (record := state.patients.records.get(patient_id)) is None:
        return HTMLResponse("There is no such patient.", 404)
    fields, errors = checked(SCREEN.changed(record, given), state.people.doctors, partial=True)
    if errors:
        return HTMLResponse(f"DrChrono does not take it: {', '.join(errors)}", 400)
    if fields:
        state.note_edit("edit", patient_id, fields)
        state.dispatcher.raise_event("PATIENT_MODIFY", state.patients.change(patient_id, fields))
    return RedirectResponse("?", 303)


routes = [Route(f"{CONTROL}/screen", show, methods=["GET"]), Route(f"{CONTROL}/screen", save, methods=["POST"])]
