"""The SOAP API, partner WSDL: merge() alone.

The session stands in the message; a call counts against the day's allowance. What is wrong with the call as a whole is
a fault, with a 500; what is wrong with one pair is an error in its result, and the other pairs are merged.
"""

from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce.errors import ApiError, RecordError
from tests.standins.salesforce.ids import canonical
from tests.standins.salesforce.leaving import merge
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.rules import Call, check_org
from tests.standins.salesforce.web import note_call, org_of
from tests.standins.salesforce.writing import carry_out, prepare

_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_PARTNER, _SOBJECT = "{urn:partner.soap.sforce.com}", "{urn:sobject.partner.soap.sforce.com}"
_MERGED = frozenset({"Account", "Contact", "Lead"})
_MOST_LOSERS = 2
_DELETED = RecordError("ENTITY_IS_DELETED", "entity is deleted")


async def call(request: Request) -> Response:
    """POST services/Soap/u/version."""
    org = org_of(request)
    try:
        root = fromstring(await request.body())
    except ParseError:
        return _fault("soapenv:Client", "the message is not well formed")
    session = root.findtext(f"{_SOAP}Header/{_PARTNER}SessionHeader/{_PARTNER}sessionId") or ""
    if not org.greet(session):
        return _fault("sf:INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader")
    if org.calls_used >= org.settings.daily_calls:
        return _fault("sf:REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    org.calls_used += 1
    asked = root.find(f"{_SOAP}Body/{_PARTNER}merge")
    if asked is None:
        return _fault("soapenv:Client", "No operation available for request")
    requests = asked.findall(f"{_PARTNER}request")
    note_call(request, records=len(requests))
    return _answer("".join(_result(org, one) for one in requests))


def _result(org: Org, request: Element) -> str:
    master = request.find(f"{_PARTNER}masterRecord")
    given = {one.tag.removeprefix(_SOBJECT): one.text or "" for one in (() if master is None else master)}
    losers = [one.text or "" for one in request.findall(f"{_PARTNER}recordToMergeIds")]
    try:
        winner = _merged(org, given, losers)
    except ApiError as error:
        fields = "".join(f"<fields>{escape(name)}</fields>" for name in error.fields or ())
        told = f"{fields}<message>{escape(str(error))}</message><statusCode>{error.code}</statusCode>"
        return f"<result><errors>{told}</errors><success>false</success></result>"
    merged = "".join(f"<mergedRecordIds>{escape(one)}</mergedRecordIds>" for one in losers)
    return f"<result><id>{winner['Id']}</id>{merged}<success>true</success></result>"


def _merged(org: Org, given: dict[str, str], losers: list[str]) -> Row:
    kind = given.pop("type", "")
    if kind not in _MERGED:
        raise RecordError("INVALID_TYPE", f"{kind} cannot be merged")
    table, call = org.table(kind), Call(org)
    winner, others = _living(table, given.pop("Id", "")), [_living(table, one) for one in losers]
    if not 1 <= len(others) <= _MOST_LOSERS or winner in others:
        raise RecordError("INVALID_ID_FIELD", "one or two records other than the master are merged into it")
    values: dict[str, Any] = {name: _typed(table, name, text) for name, text in given.items()}
    if any(table.kind.field(name) in table.kind.unique for name in values):
        raise RecordError("INVALID_FIELD", "external id fields cannot be used with merge")
    if values:
        carry_out(call, prepare(call, table, values, winner))
    for one in (winner, *others):
        check_org(org, one)
    for loser in others:
        merge(call, table, winner, loser)
    return winner


def _living(table: Table, record_id: str) -> Row:
    row = table.get(canonical(record_id) or "")
    if row is None:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if row["IsDeleted"]:
        raise _DELETED
    return row


def _typed(table: Table, name: str, text: str) -> Any:
    """A value of SOAP's as JSON would have it: the schema says of what sort it is."""
    column = table.kind.field(name)
    if column is not None and column.kind == "boolean":
        return text == "true"
    if column is not None and column.kind in ("double", "int", "currency", "percent"):
        return float(text) if "." in text else int(text)
    return text


def _answer(results: str) -> Response:
    return _sent(f'<mergeResponse xmlns="urn:partner.soap.sforce.com">{results}</mergeResponse>', 200)


def _fault(code: str, text: str) -> Response:
    name = code.rpartition(":")[2]
    detail = (
        '<detail><sf:UnexpectedErrorFault xmlns:sf="urn:fault.partner.soap.sforce.com">'
        f"<sf:exceptionCode>{name}</sf:exceptionCode><sf:exceptionMessage>{escape(text)}</sf:exceptionMessage>"
        "</sf:UnexpectedErrorFault></detail>"
    )
    said = f"<faultcode>{code}</faultcode><faultstring>{escape(f'{name}: {text}')}</faultstring>{detail}"
    return _sent(f"<soapenv:Fault>{said}</soapenv:Fault>", 500)


def _sent(inside: str, status: int) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com">'
        f"<soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>"
    )
    return Response(body, status, media_type="text/xml;charset=UTF-8")
