"""Where the bytes of documents lie: a store of its own host name, to which an address that was signed is the only key.

An address is good for a while, and says nothing of who asks. As such a store does, it refuses a call that brings
another way to sign in besides, and speaks XML.
"""

import hashlib
import hmac
import mimetypes
import secrets
import time
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.standins.blobs import NotKeptError, spoiled, streamed
from tests.standins.drchrono.documents import File
from tests.standins.drchrono.state import state_of

_SECRET = secrets.token_bytes(32)
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'


def _signature(key: str, until: int) -> str:
    return hmac.new(_SECRET, f"{key} {until}".encode(), hashlib.sha256).hexdigest()


def _other_name(host: str) -> str:
    # Another name of this machine: whoever takes a token along sends it to a stranger.
    return "localhost" if host == "127.0.0.1" else host


def address_of(request: Request, file: File, *, moved: bool = False) -> str:
    """Gives the address of a file, from now on good for as long as the setting says."""
    settings = state_of(request).settings
    until = int(time.time() + settings.document_url_s)
    host = request.base_url.hostname or ""
    url = request.base_url.replace(
        hostname=host if settings.document_host == "own" else _other_name(host),
        path=f"/{'moved' if moved else 'store'}/{file.key}/{quote(file.name or 'document')}",
    )
    return str(url.include_query_params(**{"X-Amz-Expires": until, "X-Amz-Signature": _signature(file.key, until)}))


def _refused(status: int, code: str, message: str) -> Response:
    return Response(_XML.format(code=code, message=message), status, media_type="application/xml")


async def download(request: Request) -> Response:
    state, asked = state_of(request), request.query_params
    key, until = request.path_params["key"], asked.get("X-Amz-Expires", "")
    if "authorization" in request.headers:
        return _refused(400, "InvalidArgument", "Only one auth mechanism allowed")
    if not until.isdecimal() or not hmac.compare_digest(_signature(key, int(until)), asked.get("X-Amz-Signature", "")):
        return _refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
    if time.time() >= int(until):
        return _refused(403, "AccessDenied", "Request has expired")
    if (file := state.documents.by_key.get(key)) is None:
        return _refused(404, "NoSuchKey", "The specified key does not exist.")
    settings = state.settings
    if settings.document_redirect and request.url.path.startswith("/store/"):
        moved = address_of(request, file, moved=True)
        return RedirectResponse(moved if settings.document_redirect == "moved" else settings.document_redirect, 302)
    try:
        pieces = spoiled(file.blob.pieces()) if settings.document_spoiled else file.blob.pieces()
    except NotKeptError:
        return _refused(500, "InternalError", "the bytes of this upload were not kept")
    guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    headers = {} if settings.document_chunked else {"content-length": str(file.blob.size)}
    return StreamingResponse(streamed(pieces), headers=headers, media_type=settings.document_type or guessed)


routes = [
    Route("/store/{key}/{name}", download, methods=["GET"]),
    Route("/moved/{key}/{name}", download, methods=["GET"]),
]
