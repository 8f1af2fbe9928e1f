"""SOAP at the org's instance: one call with the session of REST, and a fault as the library says it.

SOAP's own sign-in is not used. An answer is XML from outside, so it is read without entities.

Source  SOAP API and Metadata API Developer Guides, SessionHeader, Error Handling (read 2026-11)
"""

from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import requests
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from simple_salesforce.api import Salesforce as SimpleSalesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceGeneralError

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_HEADERS = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
_EXPIRED = "INVALID_SESSION_ID"
# the call broke over there, and may have been done before it did
_BROKE = frozenset({"UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", ""})


def post(library: SimpleSalesforce, endpoint: str, namespace: str, call: Element) -> bytes:
    """Give what SOAP's endpoint answers to one call, in a thread of the transport's.

    endpoint   the letter of the API: u is the partner's, m that of metadata
    namespace  that of the headers, which each API has its own of
    Raises     SalesforceExpiredSession, SalesforceGeneralError
    """
    address = f"https://{library.sf_instance}/services/Soap/{endpoint}/{library.sf_version}"
    body = _envelope(library.session_id, namespace, call)
    # requests follows a redirect by a GET, and REST's credential has no business in it
    answer: requests.Response = library.session.post(address, data=body, headers=_HEADERS, allow_redirects=False)
    if answer.status_code != requests.codes.ok:
        _refuse(address, answer, call.tag.rpartition("}")[2])
    return answer.content


def read(content: bytes) -> Element | None:
    """Give the root of what was answered; None where it is no XML, or XML that nobody should open."""
    try:
        root: Element = fromstring(content)
    except (ParseError, DefusedXmlException, ValueError):
        return None
    return root


def _envelope(session: str, namespace: str, call: Element) -> bytes:
    envelope = Element(f"{{{_SOAP}}}Envelope")
    header = SubElement(envelope, f"{{{_SOAP}}}Header")
    SubElement(SubElement(header, f"{{{namespace}}}SessionHeader"), f"{{{namespace}}}sessionId").text = session
    SubElement(SubElement(header, f"{{{namespace}}}CallOptions"), f"{{{namespace}}}client").text = "Chronobridge"
    SubElement(envelope, f"{{{_SOAP}}}Body").append(call)
    return bytes(tostring(envelope, encoding="utf-8", xml_declaration=True))


def _refuse(address: str, answer: requests.Response, call: str) -> None:
    """Raise the library's error for an answer that is none: SOAP says everything with a 500, and why in its fault."""
    root = read(answer.content)
    code = "" if root is None else (root.findtext(".//faultcode") or "").rpartition(":")[2]
    if code == _EXPIRED or answer.status_code == requests.codes.unauthorized:
        raise SalesforceExpiredSession(address, requests.codes.unauthorized, call, b"")
    is_refusal = answer.status_code >= requests.codes.server_error and code not in _BROKE
    status = requests.codes.bad_request if is_refusal else answer.status_code
    words = "" if root is None else root.findtext(".//faultstring") or ""
    said = [{"errorCode": code, "message": words}]  # as REST says it
    raise SalesforceGeneralError(address, status, call, said)  # type: ignore[arg-type]
