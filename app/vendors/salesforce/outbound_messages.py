"""Salesforce's outbound messages: SOAP in, Ack out. Pure.

One message carries up to 100 notifications and is acknowledged as a whole. Names are matched by namespace, never by
prefix. Nothing but identity is read: who sent it, and which records may differ; values are as of sending time, late,
doubled and out of order, so the records are read again before anything is decided.

Source  SOAP API Developer Guide, Outbound Messaging (read 2026-11)
"""

import re
import sys
from codecs import getincrementaldecoder
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from app.vendors.salesforce.wire import id_of

MOST_NOTIFICATIONS = 100
_DEEPEST, _MOST_ATTRIBUTES = 12, 100
_LONGEST_DECLARATION = 65_536
_SOAP, _OUTBOUND = "{http://schemas.xmlsoap.org/soap/envelope/}", "{http://soap.sforce.com/2005/09/outbound}"
_SOBJECT = "{urn:sobject.enterprise.soap.sforce.com}"
_IDENTITY = frozenset(
    {f"{_SOAP}Envelope", f"{_SOAP}Body", f"{_SOBJECT}Id", f"{_SOBJECT}SystemModstamp"}
    | {
        f"{_OUTBOUND}{name}"
        for name in ("notifications", "OrganizationId", "SessionId", "Notification", "Id", "sObject")
    }
)
_MOST_KEPT = 10 + 5 * MOST_NOTIFICATIONS
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_DECLARED = re.compile(rb"<\?xml[^>]*\sencoding\s*=\s*[\"']([^\"']*)[\"']")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
# a text that somebody pasted may hold what no XML carries, written out or as a number; its neighbors are readable
_CARRIED_NOWHERE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LONGEST_REFERENCE = 16
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,12})|([0-9]{1,13}));", re.ASCII)
# a sender may leave the type out; ids of standard objects begin with a prefix that every org shares
_STANDARD = {"003": "Contact", "001": "Account"}

ACK = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)


class Hostile(ValueError):  # noqa: N818
    """The message is made to hurt: a DTD, entities, another encoding, endless depth or number."""


class UnreadableMessage(ValueError):  # noqa: N818
    """It is no outbound message; whoever sent it would send it again for a day."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One record that may differ. `object` and `record_id` are empty where the message does not say."""

    id: str
    object: str
    record_id: str
    version: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says. `has_session`: it carries a session id, which Salesforce has stopped to send."""

    organization: str
    has_session: bool
    notifications: tuple[Notification, ...]


def read_message(body: bytes) -> Message:
    """Give what an outbound message says.

    Raises  Hostile, UnreadableMessage
    """
    declared = _DECLARED.match(body.lstrip(b"\xef\xbb\xbf \t\r\n")[:_LONGEST_DECLARATION])
    if (declared and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii")) or b"\x00" in body[:200]:
        raise Hostile("the message is declared in another encoding than UTF-8")
    try:
        notifications = _parsed(body)
    except DefusedXmlException:
        raise Hostile("the message has a DTD or entities") from None
    except (ParseError, UnicodeError, LookupError, ValueError) as error:
        if isinstance(error, Hostile | UnreadableMessage):
            raise
        raise UnreadableMessage("the message is no well-formed XML") from None
    found = tuple(_notification(one) for one in notifications.findall(f"{_OUTBOUND}Notification"))
    if not found:
        raise UnreadableMessage("the message has no notification")
    session = notifications.findtext(f"{_OUTBOUND}SessionId") or ""
    return Message(_text(notifications, f"{_OUTBOUND}OrganizationId"), bool(session.strip()), found)


class _Mended:
    """A message part by part, without the characters that no XML carries."""

    def __init__(self, body: bytes) -> None:
        self._source, self._decoder, self._left = BytesIO(body), getincrementaldecoder("utf-8")("replace"), ""

    def read(self, size: int = -1, /) -> bytes:
        """Give the next part, empty at the end; a reference that is cut in two stays for the part after."""
        while True:
            part = self._source.read(size)
            text = self._left + self._decoder.decode(part, final=not part)
            begun = text.rfind("&", -_LONGEST_REFERENCE) if part else -1
            text, self._left = (text, "") if begun < 0 or ";" in text[begun:] else (text[:begun], text[begun:])
            found = _CARRIED_NOWHERE.sub("", _REFERENCE.sub(_kept_reference, text)).encode()
            if found or not part:
                return found


def _kept_reference(found: re.Match[str]) -> str:
    number = int(found[1], 16) if found[1] else int(found[2])
    is_letter = number <= sys.maxunicode and not 0xD800 <= number < 0xE000  # noqa: PLR2004 - halves of letters
    return found[0] if is_letter and not _CARRIED_NOWHERE.match(chr(number)) else ""


def _parsed(body: bytes) -> Element:
    """Give the `notifications` element, of which only identity is kept; what is too much is refused as it is met."""
    path: list[Element] = []
    root: Element | None = None
    kept = 0
    for event, element in iterparse(_Mended(body), events=("start", "end"), forbid_dtd=True):
        if event == "end":
            path.pop()
            if path and element.tag not in _IDENTITY:
                path[-1].remove(element)  # values are never looked at, and a crowd of them takes no room
            continue
        root = element if root is None else root
        path.append(element)
        kept += element.tag in _IDENTITY
        if len(path) > _DEEPEST or kept > _MOST_KEPT or len(element.attrib) > _MOST_ATTRIBUTES:
            raise Hostile(f"the message is too deep, too crowded, or has more than {MOST_NOTIFICATIONS} notifications")
    found = None if root is None else root.find(f"{_SOAP}Body/{_OUTBOUND}notifications")
    if root is None or root.tag != f"{_SOAP}Envelope" or found is None:
        raise UnreadableMessage("the message is no outbound message")
    if len(found.findall(f"{_OUTBOUND}Notification")) > MOST_NOTIFICATIONS:
        raise Hostile(f"the message has more than {MOST_NOTIFICATIONS} notifications")
    return found


def _notification(element: Element) -> Notification:
    record = element.find(f"{_OUTBOUND}sObject")
    given = _text(record, f"{_SOBJECT}Id")
    stamp = _text(record, f"{_SOBJECT}SystemModstamp")
    kind = (record.get(_TYPE) or "").rpartition(":")[2] if record is not None else ""
    kind = kind or _STANDARD.get(given[:3], "")
    return Notification(
        _text(element, f"{_OUTBOUND}Id")[:64],
        kind,
        id_of(kind, given),
        stamp if _STAMP.fullmatch(stamp) else "",
    )


def _text(element: Any, name: str) -> str:
    return ((element.findtext(name) if element is not None else None) or "").strip()
