"""The SOAP of outbound messages: what Salesforce writes, and which answer it takes for an acknowledgement."""

import re
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tests.standins.salesforce.records import Row
from tests.standins.salesforce.schema import Kind

HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
_SOAP, _OUTBOUND = "http://schemas.xmlsoap.org/soap/envelope/", "http://soap.sforce.com/2005/09/outbound"
_HOST, _VERSION = "https://synthetic.my.salesforce.com", "67.0"
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def message(org_id: str, action_id: str, kind: Kind, told: Iterable[tuple[str, Row]], names: Iterable[str]) -> bytes:
    """One message about records of one kind, as they are now; `told` pairs notification ids with records."""
    columns = [name for name in sorted(names) if name != "Id"]
    notifications = "".join(
        f"\n   <Notification>\n    <Id>{notification_id}</Id>\n{_record(kind, row, columns)}\n   </Notification>"
        for notification_id, row in told
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="{_SOAP}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="{_OUTBOUND}">
   <OrganizationId>{org_id}</OrganizationId>
   <ActionId>{action_id}</ActionId>
   <SessionId xsi:nil="true"/>
   <EnterpriseUrl>{_HOST}/services/Soap/c/{_VERSION}/{org_id[:15]}</EnterpriseUrl>
   <PartnerUrl>{_HOST}/services/Soap/u/{_VERSION}/{org_id[:15]}</PartnerUrl>{notifications}
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>""".encode()


def _record(kind: Kind, row: Row, columns: list[str]) -> str:
    opening = f'    <sObject xsi:type="sf:{kind.name}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"'
    if row["IsDeleted"]:
        return f"{opening}/>"
    written = [f"     <sf:Id>{row['Id']}</sf:Id>"]
    for name in columns:
        column = kind.field(name, unseen=True)
        if column is not None and row[name] is not None:
            written.append(f"     <sf:{name}>{_text(column.kind, row[name])}</sf:{name}>")
    return "\n".join([f"{opening}>", *written, "    </sObject>"])


def _text(field_kind: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if field_kind == "datetime":
        return str(value)[:23] + "Z"
    return escape(_UNWRITABLE.sub("", str(value)), {"\r": "&#13;"})


def is_acked(status: int, content: bytes) -> bool:
    """Whether an answer acknowledges; a fault, a page or a redirect does not."""
    if status != 200:
        return False
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        return False
    found = root.findtext(f"{{{_SOAP}}}Body/{{{_OUTBOUND}}}notificationsResponse/{{{_OUTBOUND}}}Ack") or ""
    return root.tag == f"{{{_SOAP}}}Envelope" and found.strip() in {"true", "1"}
