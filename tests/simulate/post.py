"""What both vendors send about what changed there, our own writes included, and what the mail makes of it.

A letter is composed when the change happens and may arrive late, twice, out of order or never. Salesforce's name the
record only; DrChrono's carry it as it was.
"""

import json
import uuid
from dataclasses import dataclass

from tests.flow.clinic import ORG_ID, OUTBOUND, SECRET, outbound_message

EVENTS = "event-token-of-the-tests"
CHARTS = "/webhooks/drchrono"
_OPERATIONS = {"created": "CREATE", "deleted": "DELETE", "undeleted": "UNDELETE", "merged": "MERGE"}


@dataclass(frozen=True, slots=True)
class Letter:
    """One request a vendor makes of us; `about` is what a trace says of it."""

    path: str
    content: bytes | str
    headers: dict
    about: str


class Post:
    """What is under way. `is_lost` once a letter was."""

    def __init__(self, rng):
        self._rng, self._ids, self.bag, self.is_lost, self._numbers = rng, rng, [], False, 0

    def drchrono(self, event, record):
        """A webhook, with the record as it is now."""
        self._numbers += 1
        headers = {
            "x-drchrono-event": event, "x-drchrono-signature": SECRET, "x-drchrono-delivery": f"d{self._numbers}",
            "content-type": "application/json",
        }  # fmt: skip
        body = json.dumps({"receiver": {"id": 1}, "object": record})
        self.bag.append(Letter(CHARTS, body, headers, f"{event} {record['id']} {record['updated_at']}"))

    def salesforce(self, kind, row, op):
        """An outbound message where there is one, else a platform event; now and then the event although there is."""
        self._numbers += 1
        if kind == "Contact" and op in ("created", "updated", "unchanged") and self._rng.random() < 0.8:
            self.bag.append(_message([row], self._numbers))
        else:
            self.bag.append(event_of(kind, row, _OPERATIONS.get(op, "UPDATE"), self._rng))

    def draws(self, trouble):
        """Take a letter out, whichever; it may be sent a second time later, or be lost."""
        letter = self.bag.pop(self._rng.randrange(len(self.bag)) if trouble else 0)
        if trouble and self._rng.random() < trouble / 3:
            self.is_lost = True
            return letter, True
        if trouble and self._rng.random() < trouble:
            self.bag.append(letter)
        return letter, False


def _message(rows, number):
    headers = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}
    about = f"message {' '.join(row['Id'][9:15] for row in rows)}"
    return Letter(f"/webhooks/salesforce/outbound/{OUTBOUND}", outbound_message(rows, ORG_ID, number), headers, about)


def event_of(kind, row, operation, rng):
    """Give the letter with a platform event."""
    event = {
        "EventUuid": str(uuid.UUID(int=rng.getrandbits(128))),
        "Object_Api_Name__c": kind,
        "Record_Id__c": row["Id"],
        "Operation__c": operation,
        "Master_Record_Id__c": row.get("MasterRecordId") if operation == "MERGE" else None,
    }
    body = json.dumps({"organizationId": ORG_ID, "events": [event]})
    headers = {"content-type": "application/json", "authorization": f"Bearer {EVENTS}"}
    return Letter("/webhooks/salesforce/events", body, headers, f"event {operation} {row['Id'][9:15]}")
