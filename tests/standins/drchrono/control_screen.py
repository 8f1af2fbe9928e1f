"""The screen the practice's own people work at: a list of patients, and for each a form and the documents.

A PUT says who is listed.
"""

import json

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.drchrono.control_documents import file_document, file_shown
from tests.standins.drchrono.documents import RULES, tags_in
from tests.standins.drchrono.fields import checked
from tests.standins.drchrono.oauth import form_of
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.rules import clean
from tests.standins.drchrono.state import State, state_of
from tests.standins.multipart import parts_of
from tests.standins.screens import Column, Files, Screen, Shown

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


FILES = Files(
    title="Documents",
    columns=("Description", "Date", "Tags", "State"),
    fields={"description": "Description", "date": "Date of the document", "tags": "Tags, with commas between them"},
    dates=frozenset({"date"}),
)
PICTURES = (".png", ".jpg", ".jpeg")


def _documents(state: State, patient_id: int, wrong: list[str] | None = None) -> str:
    """The documents of a patient, the newest first."""
    shown = []
    for document in state.documents.records.values():
        if document["patient"] != patient_id:
            continue
        file = state.documents.files[document["id"]]
        texts = (
            document["description"],
            document["date"],
            ", ".join(tags_in(document["metatags"])),
            "Archived" if document["archived"] else "",
        )
        ways = {f"?archive={document['id']}": "Bring back" if document["archived"] else "Archive"}
        shown.append(Shown(file.name, f"?file={document['id']}", file.name.lower().endswith(PICTURES), texts, ways))
    return FILES.section(shown[::-1], str(patient_id), wrong or ())


def _form(state: State, record: Record) -> str:
    return SCREEN.form(record, below=_documents(state, record["id"]))


def _number(request: Request, name: str) -> int:
    """The id that the address names; 0, which is nobody's, where it names none."""
    wanted = request.query_params.get(name, "")
    return int(wanted) if wanted.isdecimal() else 0


async def show(request: Request) -> Response:
    state, asked = state_of(request), request.query_params
    records = state.patients.records
    if "find" in asked:
        return HTMLResponse(SCREEN.found(records.values(), asked["find"], state.watched))
    if "file" in asked:
        file = state.documents.files.get(_number(request, "file"))
        return file_shown(file) if file else HTMLResponse(SCREEN.missing(), 404)
    if wanted := asked.get("edit"):
        row = records.get(int(wanted)) if wanted.isdigit() else None
        return HTMLResponse(_form(state, row)) if row else HTMLResponse(SCREEN.missing(), 404)
    return HTMLResponse(SCREEN.listed(state.watched.pick(records.values(), "updated_at"), state.watched))


async def save(request: Request) -> Response:
    """What is wrong with the form is said in it; what differs is an edit as any other, and is delivered."""
    if "upload" in request.query_params:
        return await _upload(request)
    if "archive" in request.query_params:
        return _archive(request)
    state, given = state_of(request), await form_of(request)
    patient_id = int(given.get("id", "0") or 0)
    if (record := state.patients.records.get(patient_id)) is None:
        return HTMLResponse(SCREEN.missing(), 404)
    fields, errors = checked(SCREEN.changed(record, given), state.people.doctors, partial=True)
    if errors:
        return HTMLResponse(SCREEN.form(record, given, errors, _documents(state, patient_id)), 400)
    if fields:
        state.note_edit("edit", patient_id, fields)
        state.dispatcher.raise_event("PATIENT_MODIFY", state.patients.change(patient_id, fields))
    return RedirectResponse("?", 303)


async def _upload(request: Request) -> Response:
    """Files what was chosen; without a description it is called as the file is, and without a date it is of today."""
    state, patient_id = state_of(request), _number(request, "upload")
    if (record := state.patients.records.get(patient_id)) is None:
        return HTMLResponse(SCREEN.missing(), 404)
    parts = await parts_of(request, keep_bytes=state.settings.document_keep_bytes)
    given = {part.name: part.blob.whole().decode().strip() for part in parts if part.filename is None}
    file = next((part for part in parts if part.filename), None)
    tags = [tag.strip() for tag in given.get("tags", "").split(",") if tag.strip()]
    said = {name: given[name] for name in ("description", "date") if given.get(name)}
    fields, errors = clean({**said, "patient": patient_id, "metatags": json.dumps(tags)}, RULES, (), ())
    wrong = [text for texts in errors.values() for text in texts] + ([] if file else ["Choose a file."])
    if file is None or wrong:
        return HTMLResponse(SCREEN.form(record, below=_documents(state, patient_id, wrong)), 400)
    file_document(state, fields, file.filename or "", file.blob)
    return RedirectResponse(f"?edit={patient_id}#files", 303)


def _archive(request: Request) -> Response:
    """Archives a document, or brings an archived one back."""
    state = state_of(request)
    if (document := state.documents.records.get(_number(request, "archive"))) is None:
        return HTMLResponse(SCREEN.missing(), 404)
    turned = {"archived": not document["archived"]}
    state.documents.change(document["id"], turned)
    state.note_edit("edit", document["id"], turned, thing="document")
    return RedirectResponse(f"?edit={document['patient']}#files", 303)


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
