"""The documents' URLs, to read and to write: multipart, with the file itself; what a file weighs decides a gateway.

A write answers as the v4 API does: 201 with the object for a create, which may not know its file yet, an empty 204 for
a change. DELETE archives. That a change must be multipart as well, and that an archived document can be read, is
inferred; so are the words for what is no file.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.standins.drchrono.api import body_of
from tests.standins.drchrono.caller import MANAGE_PATIENTS, Caller, signed_in
from tests.standins.drchrono.documents import EMPTY_FILE, NO_FILE, REQUIRED, RULES, tags_in
from tests.standins.drchrono.file_host import address_of
from tests.standins.drchrono.filters import documents_asked_for, passing
from tests.standins.drchrono.paging import listed
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.rules import MISSING, clean, no_such
from tests.standins.drchrono.state import RefusedError, state_of
from tests.standins.multipart import BrokenBodyError, Part, TooLargeBodyError, is_multipart, parts_of

READ, WRITE = "patients:read", "patients:write"
TOO_LARGE = """<html>
<head><title>413 Request Entity Too Large</title></head>
<body>
<center><h1>413 Request Entity Too Large</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""


def _shown(request: Request, record: Record, *, look: bool = True) -> Record:
    """Gives the record as an answer has it: its file's address is good for a while, and may not be there yet."""
    state = state_of(request)
    is_there = look and state.documents.is_there(record["id"])
    tags = record["metatags"]
    if state.settings.document_metatags == "list" and tags is not None:
        tags = tags_in(tags)
    url = address_of(request, state.documents.files[record["id"]]) if is_there else None
    return {**record, "metatags": tags, "document": url}


async def list_documents(request: Request) -> Response:
    caller = signed_in(request, READ, MANAGE_PATIENTS)
    documents = caller.state.documents
    seen = passing(documents_asked_for(request.query_params, caller), documents.as_listed)
    records, wrapped = listed(request, documents.ids, seen, most=caller.state.settings.page_size)
    return wrapped([_shown(request, record) for record in records])


def _document(request: Request, caller: Caller) -> Record:
    given, records = request.path_params["id"], caller.state.documents.records
    record = records.get(int(given)) if given.isdecimal() else None
    is_hidden = record is not None and record["archived"] and not caller.state.settings.archived_documents_readable
    return caller.shown(None if is_hidden else record)


async def get_document(request: Request) -> Response:
    caller = signed_in(request, READ, MANAGE_PATIENTS)
    return JSONResponse(_shown(request, _document(request, caller)))


async def create_document(request: Request) -> Response:
    caller = signed_in(request, WRITE, MANAGE_PATIENTS)
    state = caller.state
    body, file = await _sent(request)
    fields = _checked(caller, body, file, partial=False)
    assert file is not None
    looks = state.settings.document_looks
    record = state.documents.add(fields, file.filename or "", file.blob, looks=looks)
    request.scope["call"]["id"] = record["id"]
    return JSONResponse(_shown(request, record, look=not state.settings.document_null_on_create), 201)


async def change_document(request: Request) -> Response:
    caller, whole = signed_in(request, WRITE, MANAGE_PATIENTS), request.method == "PUT"
    _document(request, caller)
    body, file = await _sent(request)
    fields = _checked(caller, body, file, partial=not whole)
    # Asked again: the document may have gone while the body was coming in.
    document_id = _document(request, caller)["id"]
    if whole:
        fields = {"metatags": None, **fields}
    caller.state.documents.change(document_id, fields, file.filename or "" if file else "", file.blob if file else None)
    return Response(status_code=204)


async def archive_document(request: Request) -> Response:
    caller = signed_in(request, WRITE, MANAGE_PATIENTS)
    is_a_change = caller.state.settings.archiving_is_a_change
    caller.state.documents.archive(_document(request, caller)["id"], is_a_change=is_a_change)
    return Response(status_code=204)


def _behind_a_gateway(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Has a gateway refuse what is too large: by the length that is said, before who calls is asked, or as it comes."""

    async def guarded(request: Request) -> Response:
        most, length = state_of(request).settings.document_most_bytes, request.headers.get("content-length", "0")
        try:
            return HTMLResponse(TOO_LARGE, 413) if most and int(length) > most else await handler(request)
        except TooLargeBodyError:
            return HTMLResponse(TOO_LARGE, 413)

    return guarded


async def _sent(request: Request) -> tuple[Record, Part | None]:
    """Gives the fields of the body as they came, and the part that is the file."""
    settings = state_of(request).settings
    if not is_multipart(request):
        if request.method == "PATCH" and settings.document_patch_takes_json:
            return await body_of(request), None
        media = request.headers.get("content-type", "").partition(";")[0]
        raise RefusedError(415, {"detail": f'Unsupported media type "{media}" in request.'})
    try:
        parts = await parts_of(
            request, keep_bytes=settings.document_keep_bytes, most_bytes=settings.document_most_bytes
        )
    except BrokenBodyError as error:
        raise RefusedError(400, {"detail": f"Multipart form parse error - {error}"}) from None
    except ClientDisconnect:
        raise RefusedError(400, {"detail": "the body was cut"}) from None
    files = [part for part in parts if part.filename is not None and part.name == "document"]
    said: Record = {part.name: part.blob.whole().decode() for part in parts if part.filename is None}
    return said, files[-1] if files else None


def _checked(caller: Caller, body: Any, file: Part | None, *, partial: bool) -> Record:
    fields, errors = clean(body, RULES, {"metatags"}, () if partial else REQUIRED)
    if file is None and ("document" in body or not partial):
        errors["document"] = [NO_FILE if "document" in body else MISSING]
    if file is not None and file.blob.size == 0:
        errors["document"] = [EMPTY_FILE]
    if "doctor" in fields and fields["doctor"] not in caller.doctors():
        errors["doctor"] = no_such(fields["doctor"])
    if "patient" in fields and not caller.sees(caller.state.patients.records.get(fields["patient"])):
        errors["patient"] = no_such(fields["patient"])
    if errors:
        raise RefusedError(400, errors)
    return fields


routes = [
    Route("/api/documents/{id}", get_document, methods=["GET"]),
    Route("/api/documents/{id}", _behind_a_gateway(change_document), methods=["PATCH", "PUT"]),
    Route("/api/documents/{id}", archive_document, methods=["DELETE"]),
    Route("/api/documents", list_documents, methods=["GET"]),
    Route("/api/documents", _behind_a_gateway(create_document), methods=["POST"]),
]
