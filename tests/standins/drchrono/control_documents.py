"""The control door to documents: what people at the practice file, edit, archive, bring back and lose for good.

JSON, no sign-in, as with the rest of the control door. A file is given as base64, or as `made`: {"kind": "pdf", "size":
10485760, "seed": 7}, which costs no memory; `looks` says how many looks at a new document find no file yet, -1: all.
"""

import base64
import mimetypes
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.blobs import Blob, kept, made
from tests.standins.calls import CONTROL
from tests.standins.drchrono.caller import NOT_FOUND
from tests.standins.drchrono.documents import RULES, File
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.rules import clean, flag
from tests.standins.drchrono.state import RefusedError, State, state_of

_RULES = {**RULES, "archived": flag}


def _known(request: Request, state: State) -> int:
    document_id = int(request.path_params["id"])
    if document_id not in state.documents.records:
        raise RefusedError(404, NOT_FOUND)
    return document_id


def _fields(body: Any) -> Record:
    fields, errors = clean(body, _RULES, {"metatags"}, ())
    if errors:
        raise RefusedError(400, errors)
    return fields


def _blob(body: Record) -> Blob | None:
    if "made" in body:
        return made(**body["made"])
    return kept(base64.b64decode(body["file"])) if "file" in body else None


def _shown(state: State, document_id: int) -> Record:
    file = state.documents.files[document_id]
    return {**state.documents.records[document_id], "name": file.name, "size": file.blob.size, "md5": file.blob.md5}


async def show_documents(request: Request) -> Response:
    state = state_of(request)
    return JSONResponse({"documents": [_shown(state, document_id) for document_id in state.documents.records]})


def file_document(state: State, given: Record, name: str, blob: Blob, *, looks: int = 0) -> Record:
    """A person files a document: what is left unsaid of it is the patient's doctor, and today.

    `looks`: so many looks at it find no file yet; -1: none ever does.
    """
    doctor = state.patients.records.get(given.get("patient"), {}).get("doctor")
    said = {"doctor": doctor, "description": name, "date": state.clock.stamp()[:10], **given}
    record = state.documents.add(said, name, blob, looks=looks)
    state.note_edit("create", record["id"], said, thing="document")
    return record


async def create_document(request: Request) -> Response:
    state, body = state_of(request), await request.json()
    name, blob = body.get("name", "document.pdf"), _blob(body) or made("pdf", 1024, 1)
    record = file_document(state, _fields(body), name, blob, looks=body.get("looks", 0))
    return JSONResponse(_shown(state, record["id"]), 201)


async def edit_document(request: Request) -> Response:
    state, body = state_of(request), await request.json()
    document_id, fields = _known(request, state), _fields(body)
    name = body.get("name", state.documents.files[document_id].name)
    state.documents.change(document_id, fields, name, _blob(body))
    state.note_edit("edit", document_id, fields, thing="document")
    return JSONResponse(_shown(state, document_id))


async def vanish(request: Request) -> Response:
    """No event exists for this, and no other trace."""
    state = state_of(request)
    document_id = _known(request, state)
    state.documents.remove(document_id)
    state.note_edit("delete", document_id, {}, thing="document")
    return Response(status_code=204)


async def bytes_of(request: Request) -> Response:
    state = state_of(request)
    return file_shown(state.documents.files[_known(request, state)])


def file_shown(file: File) -> Response:
    """The file as a browser shows it."""
    return Response(file.blob.whole(), media_type=mimetypes.guess_type(file.name)[0] or "application/octet-stream")


routes = [
    Route(f"{CONTROL}/documents", show_documents, methods=["GET"]),
    Route(f"{CONTROL}/documents", create_document, methods=["POST"]),
    Route(f"{CONTROL}/documents/{{id:int}}", edit_document, methods=["PATCH"]),
    Route(f"{CONTROL}/documents/{{id:int}}", vanish, methods=["DELETE"]),
    Route(f"{CONTROL}/documents/{{id:int}}/file", bytes_of, methods=["GET"]),
]
