"""`DrChrono_Sync__e` in the three shapes it comes in: a Flow's callout, an Apex batch, EventBridge's relay. Pure.

Events carry ids and names, never values. Shapes are recognised by their keys and read tolerantly: what EventBridge
puts beside the payload, and what Apex serialises, is not documented.

Source  Platform Events Developer Guide; Amazon EventBridge User Guide (read 2026-11)
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.json_text import read_json
from app.vendors.salesforce.wire import id_of

MOST_EVENTS = 2000
SIGNATURE = "x-chronobridge-signature"
FRESH = timedelta(minutes=5)
_SIGNED = re.compile(r"t=(?P<t>\d{1,12}),v1=(?P<v1>[0-9a-f]{64})", re.ASCII)
_UUID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_NAME = re.compile(r"[A-Za-z]\w{0,79}", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.+Z-]{5,20}", re.ASCII)
_RELAY = re.compile(r"aws\.partner/salesforce\.com/(?P<org>00D[0-9A-Za-z]{12,15})/")


class UnreadableEvents(ValueError):  # noqa: N818
    """It has none of the three shapes."""


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One event: the record that may differ, and the one it was merged into, if it was.

    `uuid` may be empty, and `record_id` is where the event names no record. `chart_id`: the DrChrono patient that it is
    to be linked to, if it is.
    """

    uuid: str
    object: str
    record_id: str
    master_id: str
    operation: str
    version: str
    chart_id: str = ""


@dataclass(frozen=True, slots=True)
class EventBatch:
    """What one request carries. `organizations`: every org id it names; there may be none."""

    organizations: frozenset[str]
    changes: tuple[RecordChange, ...]


def read_events(body: bytes) -> EventBatch:
    """Give what a request says.

    Raises  UnreadableEvents
    """
    try:
        document = read_json(body)
    except (ValueError, RecursionError):
        raise UnreadableEvents("the body is not JSON") from None
    organizations = (
        {str(document["organizationId"])} if isinstance(document, dict) and "organizationId" in document else set()
    )
    if isinstance(document, dict) and (relay := _RELAY.match(str(document.get("source", "")))):
        organizations.add(relay["org"])
    found = [_change(one) for one in _events(document)]
    if not any(one.record_id for one in found) or len(found) > MOST_EVENTS:
        raise UnreadableEvents(f"the body has no event that names a record, or more than {MOST_EVENTS}")
    return EventBatch(frozenset(organizations), tuple(found))


def _events(document: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(document, dict):
        detail = document.get("detail")
        if isinstance(document.get("events"), list):
            document = document["events"]
        elif isinstance(detail, dict):
            document = [detail.get("payload")]
        else:
            document = [document]
    if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
        raise UnreadableEvents("the body has none of the three shapes")
    return document


def _change(event: Mapping[str, Any]) -> RecordChange:
    """Give one event: the package's own, or of somebody's Flow or Apex, which spell the names in their own way.

    An id of another object's names no record. Whoever builds a Flow types the names, and Salesforce knows no case in
    them.
    """
    event = {name.casefold(): value for name, value in event.items()}
    kind = _text(event, "Object__c", "Object_Api_Name__c", "objectApiName")
    kind = kind if _NAME.fullmatch(kind) else ""
    uuid, version = _text(event, "EventUuid", "eventUuid"), _text(event, "systemModstamp")
    return RecordChange(
        uuid if _UUID.fullmatch(uuid) else "",
        kind,
        id_of(kind, _text(event, "Record_Id__c", "recordId")) if kind else "",
        id_of(kind, _text(event, "Winner_Id__c", "Master_Record_Id__c", "masterRecordId")),
        _text(event, "Action__c", "Operation__c", "operation").upper()[:16],
        version if _STAMP.fullmatch(version) else "",
        _text(event, "Chart_Id__c", "chartId"),
    )


def _text(event: Mapping[str, Any], *names: str) -> str:
    return next((value.strip() for name in names if isinstance(value := event.get(name.casefold()), str)), "")


def is_signed(header: str | None, body: bytes, keys: Sequence[bytes], now_s: float) -> bool:
    """Say whether `t=SECONDS,v1=HEX` is the HMAC-SHA256 of `SECONDS.body` under one of the keys, not 5 minutes old."""
    found = _SIGNED.fullmatch(header or "")
    if found is None or abs(now_s - int(found["t"])) > FRESH.total_seconds():
        return False
    good = False
    for key in keys:
        good |= hmac.compare_digest(
            hmac.digest(key, f"{found['t']}.".encode() + body, hashlib.sha256).hex(), found["v1"]
        )
    return good
