"""What Salesforce documents as its answer to each call that we make: status, media type and shape together.

A refusal is Salesforce's own where it is JSON that names an `errorCode`, or of SOAP's endpoint XML. Anything else came
from something before the API, whatever its status says. Every response is looked at before the library reads it, which
takes whatever is below 300 for what it expects.

Source  REST, Connect REST, Tooling, Bulk API 2.0 and SOAP API Developer Guides, status codes and errors (read 2026-11)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from app.vendors import http
from app.vendors.http import Reply

_DATA = r"/services/data/v[\d.]+"
_XML = frozenset({"text/xml", "application/xml", "application/soap+xml"})
_CSV = frozenset({"text/csv", "text/plain"})
_CREATED, _REDIRECTS, _REFUSALS, _FAILURES = 201, 300, 400, 500
_ONWARD = re.compile(rf"{_DATA}/query(?:All)?/[\w-]+", re.ASCII)


class UndocumentedAnswerError(requests.RequestException):
    """An answer is none that Salesforce documents for the call; `lacks` is the code of what it lacks."""

    def __init__(self, reply: Reply, lacks: str) -> None:
        super().__init__(lacks)
        self.reply, self.lacks = reply, lacks


@dataclass(frozen=True, slots=True)
class _Documented:
    """The documented answer to the calls of some methods and paths.

    fits    says whether its JSON has the shape; None: it is not of JSON
    lacks   the code of an answer of another shape
    media   the types it may have where it is not of JSON; none: there need be no body
    also    another status that says the same
    """

    methods: frozenset[str]
    path: re.Pattern[str]
    fits: Callable[[Any], bool] | None
    lacks: str = http.MISFIT
    status: int = requests.codes.ok
    media: frozenset[str] = frozenset()
    also: int = 0


def _row(methods: str, path: str, fits: Callable[[Any], bool] | None, *more: Any, **named: Any) -> _Documented:
    return _Documented(frozenset(methods.split()), re.compile(path), fits, *more, **named)


def onward(link: str) -> str:
    """Give where a query goes on, as a path of the org's own instance; empty where that is no place of a query's."""
    try:
        path = urlsplit(link).path
    except ValueError:
        return ""
    return path if _ONWARD.fullmatch(path) else ""


def _is_page(document: Any) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("records"), list):
        return False
    is_done, link = document.get("done"), document.get("nextRecordsUrl")
    goes_on = is_done is False and isinstance(link, str) and onward(link) != ""
    return isinstance(document.get("totalSize", 0), int) and (is_done is True or goes_on)


def _is_deleted_list(document: Any) -> bool:
    has_list = isinstance(document, dict) and isinstance(document.get("deletedRecords"), list)
    return has_list and isinstance(document.get("earliestDateAvailable"), str)


def _is_limits(document: Any) -> bool:
    day = document.get("DailyApiRequests") if isinstance(document, dict) else None
    return isinstance(day, dict) and all(isinstance(day.get(name), int) for name in ("Max", "Remaining"))


def _is_description(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("fields"), list)


def _is_versions(document: Any) -> bool:
    is_list = isinstance(document, list) and document != []
    return is_list and all(isinstance(one, dict) and isinstance(one.get("version"), str) for one in document)


def _is_job(document: Any) -> bool:
    return isinstance(document, dict) and all(isinstance(document.get(name), str) for name in ("id", "state"))


def _is_created(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("id"), str)


def _is_credential(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("externalCredential"), str)


def _is_list(document: Any) -> bool:
    return isinstance(document, list)  # one result for each record that was sent, which whoever sent them counts


_JOB = rf"{_DATA}/jobs/ingest"
_CALLS = (
    _row("GET", rf"{_DATA}/(tooling/)?query(All)?(/.*)?", _is_page, "NO_RECORDS"),
    _row("PATCH DELETE", rf"{_DATA}/composite/sobjects(/.*)?", _is_list),
    _row("GET", rf"{_DATA}/sobjects/[^/]+/describe", _is_description, "NO_FIELDS"),
    _row("GET", rf"{_DATA}/sobjects/[^/]+/deleted/?", _is_deleted_list, "NO_RECORDS"),
    _row("GET", rf"{_DATA}/limits/?", _is_limits, "NO_LIMITS"),
    _row("GET", r"/services/data/?", _is_versions, "NO_VERSIONS"),
    _row("POST", rf"{_DATA}/sobjects/[^/]+/?", _is_created, "NO_ID", status=_CREATED),
    _row("PATCH", rf"{_DATA}/tooling/sobjects/[^/]+/[^/]+", None, status=requests.codes.no_content),
    _row("POST PUT", rf"{_DATA}/named-credentials/credential", _is_credential, also=_CREATED),
    _row("POST", rf"{_JOB}/?", _is_job, "NO_JOB"),
    _row("GET PATCH", rf"{_JOB}/[^/]+/?", _is_job, "NO_JOB"),
    _row("PUT", rf"{_JOB}/[^/]+/batches/?", None, "NOT_TAKEN", status=_CREATED),
    _row("GET", rf"{_JOB}/[^/]+/\w+Results/?", None, "NOT_CSV", media=_CSV),
    _row("GET", rf"{_JOB}/[^/]+/unprocessedrecords/?", None, "NOT_CSV", media=_CSV),
    _row("POST", r"/services/Soap/[um]/[\d.]+", None, media=_XML),
)


def check(response: requests.Response, **_: Any) -> None:
    """Let through what Salesforce documents for a call, and its own refusals.

    Raises  UndocumentedAnswerError
    """
    document = judged(Reply.of(response), response.request.method or "", urlsplit(response.url).path)
    if document is not None:  # a page of rows is long: it is read once, for us and for the library
        response.json = lambda **_options: document  # type: ignore[method-assign]


def judged(reply: Reply, method: str, path: str) -> Any:
    """Give what an answer of Salesforce's says, a refusal of its own too; None where that is no JSON.

    Raises  UndocumentedAnswerError where it is none that is documented for the call
    """
    wanted = next((one for one in _CALLS if method in one.methods and one.path.fullmatch(path)), None)
    if reply.status in http.TOO_LARGE or (wanted is not None and wanted.media is _XML and _is_fault(reply)):
        return None
    try:
        document, is_json = reply.json(), True
    except ValueError:
        document, is_json = None, False
    if is_json and reply.status >= _REDIRECTS and _is_refusal(document):
        return document
    if wanted is None or reply.status not in (wanted.status, wanted.also or wanted.status):
        raise UndocumentedAnswerError(reply, _lacks(reply, is_json=is_json))
    if wanted.fits is not None and not is_json:
        raise UndocumentedAnswerError(reply, http.NOT_JSON)
    if wanted.fits is not None and not wanted.fits(document):
        raise UndocumentedAnswerError(reply, wanted.lacks)
    if wanted.media and reply.media not in wanted.media:
        raise UndocumentedAnswerError(reply, wanted.lacks)
    if wanted.fits is None and not wanted.media and reply.media == "text/html":
        raise UndocumentedAnswerError(reply, wanted.lacks)
    return document


# the session's end, whatever status says it: a new one may do
_SESSION = frozenset(
    {"INVALID_SESSION_ID", "SESSION_EXPIRED", "SESSION_INVALIDATED", "INVALID_AUTH_HEADER", "INVALID_ACCESS_TOKEN"}
)


def is_session_over(content: Any) -> bool:
    """Say whether a refusal is of the session it was asked with, and not of what was asked."""
    said = content if isinstance(content, list) else []
    return any(isinstance(one, dict) and one.get("errorCode") in _SESSION for one in said)


def _is_refusal(document: Any) -> bool:
    said = document if isinstance(document, list) else [document]
    return said != [] and all(isinstance(one, dict) and isinstance(one.get("errorCode"), str) for one in said)


def _is_fault(reply: Reply) -> bool:
    """Say whether SOAP's endpoint itself says that it failed: it does with a 500, and why in its fault."""
    return reply.status >= _REFUSALS and b"<faultcode" in reply.body


def _lacks(reply: Reply, *, is_json: bool) -> str:
    if reply.status >= _FAILURES:
        return ""  # which says enough
    return http.MISFIT if is_json else http.NOT_JSON
