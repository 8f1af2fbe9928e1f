"""Bytes of files on their way in and out: multipart or base64 in a create, the field's own address to read them.

A multipart body has one part of JSON that is no file, whatever it is called, and a file that is called as its field.
"""

import json

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from tests.standins.blobs import Blob, NotKeptError, spoiled, streamed
from tests.standins.multipart import BrokenBodyError, is_multipart, parts_of
from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.web import body_of, org_of
from tests.standins.salesforce.writing import refuse_unreadable


async def sent(request: Request, table: Table) -> Row:
    """The record that a create sends, bytes included.

    Raises
        ApiError  the body cannot be read, or is too long for one that is not multipart

    """
    settings = org_of(request).settings
    if not is_multipart(request):
        if int(request.headers.get("content-length", "0")) > settings.most_body_bytes:
            message = f"Maximum size of request reached. Maximum size of request is {settings.most_body_bytes} bytes."
            raise ApiError("EXCEEDED_MAX_SIZE_REQUEST", message)
        return refuse_unreadable(await body_of(request))
    try:
        given = await parts_of(request, keep_bytes=settings.file_keep_bytes)
    except (BrokenBodyError, ClientDisconnect) as error:
        raise ApiError("INVALID_MULTIPART_REQUEST", f"Multipart message is malformed: {error}") from None
    said = [part for part in given if part.filename is None]
    if len(said) != 1:
        raise ApiError("INVALID_MULTIPART_REQUEST", "Multipart message must include a non-binary part")
    try:
        body = refuse_unreadable(json.loads(said[0].blob.whole()))
    except ValueError:
        raise ApiError("JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]") from None
    for part in given:
        column = table.kind.field(part.name)
        if part.filename is not None and (column is None or column.kind != "base64"):
            raise ApiError("INVALID_MULTIPART_REQUEST", f"Binary part is not a blob field: {part.name}")
        if part.filename is not None:
            body[part.name] = part.blob
    return body


async def download(request: Request) -> Response:
    """GET sobjects/ContentVersion/Id/VersionData."""
    org = org_of(request)
    row = org.table(request.path_params["kind"]).get(request.path_params["record_id"])
    blob = None if row is None or row["IsDeleted"] else row.get("VersionData")
    if not isinstance(blob, Blob):
        raise not_found()
    try:
        pieces = spoiled(blob.pieces()) if org.settings.file_spoiled else blob.pieces()
    except NotKeptError:
        raise ApiError("UNKNOWN_EXCEPTION", "the bytes of this upload were not kept", status=500) from None
    length = {} if org.settings.file_chunked else {"Content-Length": str(blob.size)}
    return StreamingResponse(streamed(pieces), headers=length, media_type=org.settings.file_type)
