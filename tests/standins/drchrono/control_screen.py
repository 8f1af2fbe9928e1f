"""The screen the practice's own people work at: a list of patients, and a form for each.

A PUT says who is listed.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.drchrono.fields import checked
from tests.standins.drchrono.oauth import form_of
from tests.standins.drchrono.state import state_of
from tests.standins.screens import Column, Screen

SCREEN = Screen(
    product="DrChrono",
    title="Patients",
    key="id",
    columns=(
        Column("Name", ("first_name", "last_name"), whole=True),
        Column("Born", ("date_of_birth",), whole=True),
        Column("Cell phone", ("cell_phone",), whole=True),
        Column("E-mail", ("email",)),
        Column("City", ("city",), whole=True),
    ),
    fields={
        "first_name": "First name",
        "last_name": "Last name",
        "date_of_birth": "Date of birth",
        "cell_phone": "Cell phone",
        "email": "E-mail",
        "address": "Address",
        "city": "City",
    },
    dates=frozenset({"date_of_birth"}),
    theme="""
:root { --ground: #eef5f3; --card: #fff; --ink: #10312b; --quiet: #3f635c; --line: #cfe2dd; --link: #00695a;
  --bar: #00695a; --on-bar: #fff; --lit: #ffe08a; --bad: #a8201a }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1f1c; --card: #142b27; --ink: #e4f3ef; --quiet: #a5cdc4;
  --line: #2d4a44; --link: #6fe0cb; --bar: #00493f; --on-bar: #fff; --lit: #6b5600; --bad: #ff9a92 } }
body { font: 13px/1.45 "Trebuchet MS", "Segoe UI", Verdana, sans-serif }
header { padding: .7rem 1rem; font-size: 1.1em }
main { padding: .9rem .7rem }
table { border-radius: .6rem; overflow: hidden; box-shadow: 0 1px 3px #0003 }
th, td { padding: .55rem .4rem }
th { border-bottom: 2px solid var(--link) }
td:first-child { font-weight: 600 }
input { padding: .5rem .7rem; border-radius: .5rem }
button { padding: .5rem 1.4rem; border: 0; border-radius: 2rem; background: var(--bar); color: var(--on-bar) }
""",
)


async def show(request: Request) -> Response:
    state, asked = state_of(request), request.query_params
    records = state.patients.records
    if "find" in asked:
        return HTMLResponse(SCREEN.found(records.values(), asked["find"], state.watched))
    if wanted := asked.get("edit"):
        row = records.get(int(wanted)) if wanted.isdigit() else None
        return HTMLResponse(SCREEN.form(row)) if row else HTMLResponse(SCREEN.missing(), 404)
    return HTMLResponse(SCREEN.listed(state.watched.pick(records.values(), "updated_at"), state.watched))


async def save(request: Request) -> Response:
    """What is wrong with the form is said in it; what differs is an edit as any other, and is delivered."""
    state, given = state_of(request), await form_of(request)
    patient_id = int(given.get("id", "0") or 0)
    if (record := state.patients.records.get(patient_id)) is None:
        return HTMLResponse(SCREEN.missing(), 404)
    fields, errors = checked(SCREEN.changed(record, given), state.people.doctors, partial=True)
    if errors:
        return HTMLResponse(SCREEN.form(record, given, errors), 400)
    if fields:
        state.note_edit("edit", patient_id, fields)
        state.dispatcher.raise_event("PATIENT_MODIFY", state.patients.change(patient_id, fields))
    return RedirectResponse("?", 303)


async def chart(request: Request) -> Response:
    """Where the vendor's own web shows a patient."""
    return RedirectResponse(f"{CONTROL}/screen?edit={request.path_params['id']}", 303)


async def watch(request: Request) -> Response:
    state_of(request).watched.take(await request.json())
    return Response(status_code=204)


routes = [
    Route("/patients/{id:int}", chart, methods=["GET"]),
    Route(f"{CONTROL}/screen", show, methods=["GET"]),
    Route(f"{CONTROL}/screen", save, methods=["POST"]),
    Route(f"{CONTROL}/screen", watch, methods=["PUT"]),
]
