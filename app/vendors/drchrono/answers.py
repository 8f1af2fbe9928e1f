"""What DrChrono documents as its answer to each call that we make, and what an answer means to us.

Status, media type and shape decide together. A refusal is DrChrono's own where it is JSON of the shape its framework
gives: `{"detail": …}`, or of a 400 and a 409 what is wrong field by field. Anything else came from something before the
API, whatever its status says: a 404 of a gateway deletes nothing, a 200 of a maintenance page is no success.

Source  DrChrono API reference, Requests and Errors; its support article on errors (read 2026-08)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

from app.errors import Gone, OutcomeUnknown, Rejected, SyncError, Unauthorized, Unavailable, Unreadable
from app.sync.failure_causes import OVERLAPS, TWIN_CODE
from app.sync.model import Side
from app.sync.vendor_messages import words_of
from app.vendors import http
from app.vendors.drchrono import wire
from app.vendors.http import Reply

T = TypeVar("T")

_SIDE = Side.DRCHRONO.value
_TWIN = "potential duplicate"  # DrChrono's words, with a 400 or a 409, under whatever key
_OVERLAP = re.compile(r"overlaps with(?: appointment)?[^\w]*(\w[\w-]{0,40})", re.IGNORECASE | re.ASCII)
_BY_FIELD = (httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT)
_GONE = (httpx.codes.NOT_FOUND, httpx.codes.GONE)


@dataclass(frozen=True, slots=True)
class Documented(Generic[T]):
    """The documented answer to one sort of call.

    status  of a success
    read    gives what its JSON says; raises ValueError where it has another shape; None: there is no body
    lacks   the code of an answer of another shape
    """

    status: int
    read: Callable[[Any], T] | None = None
    lacks: str = http.MISFIT


def _record(document: Any) -> dict[str, Any]:
    if not wire.readable([document]):
        raise ValueError("it is no record with an id")
    return dict(document)


RECORD = Documented(httpx.codes.OK, _record)
LIST = Documented(httpx.codes.OK, wire.page, "NO_RECORDS")
CREATED = Documented(httpx.codes.CREATED, _record)
CHANGED: Documented[None] = Documented(httpx.codes.NO_CONTENT)
USER = Documented(httpx.codes.OK, wire.user, "NO_USER")
BULK_BEGUN = Documented(httpx.codes.CREATED, wire.bulk_id, "NO_RECORDS")


def bulk_page(number: int, size: int) -> Documented[wire.BulkPage | None]:
    """Give what a look for a page of a bulk list is answered with; what it says is None while the page is made."""
    return Documented(httpx.codes.OK, lambda document: wire.bulk_page(document, number, size), "NO_RECORDS")


def said(reply: Reply, call: str, wanted: Documented[T], *, writes: bool) -> T:
    """Give what DrChrono's answer to a call says.

    writes  the call changes something over there
    Raises  Unavailable; of a write OutcomeUnknown, EdgeAnswered; Unauthorized, Gone; Rejected, with the fields that
            DrChrono complains of
    """
    if reply.status == wanted.status and wanted.read is None and not reply.body:
        return None  # type: ignore[return-value]  # of a call without a body T is None
    try:
        document = reply.json()
    except ValueError:
        document, is_json = None, False
    else:
        is_json = True
    if reply.status == wanted.status and wanted.read is not None and is_json:
        try:
            return wanted.read(document)
        except ValueError:
            raise http.not_the_api(reply, _SIDE, call, writes=writes, code=wanted.lacks) from None
    if _is_refusal(reply, document):
        raise _refusal(reply, document, call)
    if reply.status == httpx.codes.INTERNAL_SERVER_ERROR:  # which the API itself says with a page of its framework's
        raise (OutcomeUnknown if writes else Unavailable)(_SIDE, call, status=reply.status)
    raise http.not_the_api(reply, _SIDE, call, writes=writes, code=_lacks(reply, is_json=is_json))


def _lacks(reply: Reply, *, is_json: bool) -> str:
    if httpx.codes.is_server_error(reply.status):
        return ""  # which says enough
    if httpx.codes.is_redirect(reply.status):
        return "OTHER_HOST"
    return http.MISFIT if is_json else http.NOT_JSON


def is_one(record: dict[str, Any], record_id: str, call: str) -> dict[str, Any]:
    """Give a record that was asked for by its id.

    Raises  Unreadable where it is another one
    """
    if wire.record_id(record) != record_id:
        raise Unreadable(_SIDE, call, status=httpx.codes.OK, code="OTHER_RECORD")
    return record


def _is_refusal(reply: Reply, document: Any) -> bool:
    """Say whether DrChrono itself refuses: a gateway's JSON has other words."""
    if not httpx.codes.is_client_error(reply.status):
        return False
    if reply.status in http.TOO_LARGE:
        return True
    if isinstance(document, dict) and isinstance(document.get("detail"), str):
        return True
    if reply.status not in _BY_FIELD or not document:
        return False
    if isinstance(document, dict):
        return all(isinstance(complaint, list | dict) for complaint in document.values())
    return isinstance(document, list) and all(isinstance(complaint, str | dict) for complaint in document)


def _refusal(reply: Reply, document: Any, call: str) -> SyncError:
    """Give our error for a refusal, with the names of the fields that DrChrono names, and its own words."""
    message = words_of(document)
    status, text = reply.status, reply.body.decode(errors="replace")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Unavailable(_SIDE, call, status=status, retry_in_s=http.wait_s(text))
    if status == httpx.codes.UNAUTHORIZED:
        return Unauthorized(_SIDE, call, status=status)
    if status in _GONE:
        return Gone(_SIDE, call, status=status)
    if status == httpx.codes.CONFLICT and (found := _OVERLAP.search(text)) is not None:
        return Rejected(_SIDE, call, status=status, code=f"{OVERLAPS}{found[1]}", message=message)
    if status in _BY_FIELD and _TWIN in text.casefold():
        return Rejected(_SIDE, call, status=status, code=TWIN_CODE, message=message)
    fields = http.names_in([name for name in document if name != "detail"]) if isinstance(document, dict) else ()
    return Rejected(_SIDE, call, status=status, fields=fields, message=message)
