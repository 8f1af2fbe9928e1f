"""Merging two records of Salesforce's into one, which only its SOAP API does.

The winner keeps its id and its values, but for those that are sent with it; what belongs to the loser becomes the
winner's, and the loser is deleted, with `MasterRecordId`. External ids cannot be sent. Each merge is a transaction of
its own, answered for itself, in order. The session is that of REST; SOAP's own sign-in is not used.

Source  SOAP API Developer Guide, merge() and Error Handling; partner WSDL, MergeRequest and MergeResult (read 2026-11)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import requests
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from simple_salesforce.api import Salesforce as SimpleSalesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceGeneralError

from app.errors import EdgeAnswered
from app.sync.model import Side
from app.vendors.http import MISFIT, names_in
from app.vendors.salesforce.transport import Transport
from app.vendors.salesforce.wire import RecordRefused, Saved, refusal

_CALL = "POST Soap merge"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER, _SOBJECT = "urn:partner.soap.sforce.com", "urn:sobject.partner.soap.sforce.com"
_HEADERS = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
_EXPIRED = "INVALID_SESSION_ID"
# the call broke over there, and may have merged before it did
_BROKE = frozenset({"UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", ""})


@dataclass(frozen=True, slots=True)
class MergePair:
    """Two records that become one; `winner`: the `Id` of the one that stays, and what it is to hold from then on."""

    loser: str
    winner: Mapping[str, Any]


async def merge(org: Transport, table: str, merges: Sequence[MergePair]) -> list[Saved | RecordRefused]:
    """Merge pairs of records, and give one result a pair, in order; a merged one's id is the winner's.

    Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected
    """

    def ask(library: SimpleSalesforce) -> bytes:
        address = f"https://{library.sf_instance}/services/Soap/u/{library.sf_version}"
        body = _envelope(library.session_id, table, merges)
        # requests follows a redirect by a GET, and REST's credential has no business in it
        answer: requests.Response = library.session.post(address, data=body, headers=_HEADERS, allow_redirects=False)
        if answer.status_code != requests.codes.ok:
            _refuse(address, answer)
        return answer.content

    found = _results(await org.called(_CALL, ask, writes=True), len(merges))
    if found is None:  # it was answered, but we cannot tell what
        raise EdgeAnswered(Side.SALESFORCE.value, _CALL, code=MISFIT, came="no result for each pair")
    return found


def _envelope(session: str, table: str, merges: Sequence[MergePair]) -> bytes:
    envelope = Element(f"{{{_SOAP}}}Envelope")
    header = SubElement(envelope, f"{{{_SOAP}}}Header")
    SubElement(SubElement(header, _name("SessionHeader")), _name("sessionId")).text = session
    SubElement(SubElement(header, _name("CallOptions")), _name("client")).text = "Chronobridge"
    call = SubElement(SubElement(envelope, f"{{{_SOAP}}}Body"), _name("merge"))
    for one in merges:
        request = SubElement(call, _name("request"))
        record = SubElement(request, _name("masterRecord"))
        for name, value in {"type": table, **one.winner}.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            SubElement(record, f"{{{_SOBJECT}}}{name}").text = text
        SubElement(request, _name("recordToMergeIds")).text = one.loser
    return bytes(tostring(envelope, encoding="utf-8", xml_declaration=True))


def _results(content: bytes, count: int) -> list[Saved | RecordRefused] | None:
    """Give one result per pair; None when the answer does not fit."""
    root = _read(content)
    given = [] if root is None else root.findall(f".//{_name('mergeResponse')}/{_name('result')}")
    return [_result(one) for one in given] if len(given) == count else None


def _result(given: Element) -> Saved | RecordRefused:
    id_ = given.findtext(_name("id")) or ""
    if given.findtext(_name("success")) == "true" and id_:
        return Saved(id_, created=False)
    error = given.find(_name("errors"))
    if error is None:
        return RecordRefused("UNKNOWN")
    fields = names_in([one.text for one in error.findall(_name("fields")) if one.text])
    return refusal(error.findtext(_name("statusCode")), error.findtext(_name("message")), fields)


def _refuse(address: str, answer: requests.Response) -> None:
    """Raise the library's error for an answer that is none: SOAP says everything with a 500, and why in its fault."""
    root = _read(answer.content)
    code = "" if root is None else (root.findtext(".//faultcode") or "").rpartition(":")[2]
    if code == _EXPIRED or answer.status_code == requests.codes.unauthorized:
        raise SalesforceExpiredSession(address, requests.codes.unauthorized, "merge", b"")
    is_refusal = answer.status_code >= requests.codes.server_error and code not in _BROKE
    status = requests.codes.bad_request if is_refusal else answer.status_code
    words = "" if root is None else root.findtext(".//faultstring") or ""
    said: Any = [{"errorCode": code, "message": words}]  # as REST says it
    raise SalesforceGeneralError(address, status, "merge", said)


def _read(content: bytes) -> Element | None:
    try:
        root: Element = fromstring(content)
    except (ParseError, DefusedXmlException, ValueError):
        return None
    return root


def _name(local: str) -> str:
    return f"{{{_PARTNER}}}{local}"
