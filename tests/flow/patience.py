"""How long each vendor goes on trying, and a door that is closed meanwhile: what arrives late, and what never does.

The numbers are the stand-ins': DrChrono sends at once and again 1, 3 and 7 hours after that; Salesforce sends an
outbound message again and again for 24 hours, after 15 s at first and every 2 hours in the end, an event for 72.
"""

import json
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from app.runtime import open_inbox
from tests.flow.clinic import ORG_ID, TIMES
from tests.standins.drchrono.webhooks import REDELIVERED_AFTER_H
from tests.standins.salesforce.outbound_courier import Policy
from workers.compare.reconcile import compare_when_due

EVENTS = "event-token-of-the-tests"
HOUR = timedelta(hours=1)
_EVENTS_LIVE = 72 * HOUR
_SALESFORCE = Policy()


def drchrono_tries(at):
    return [at, *(at + hours * HOUR for hours in REDELIVERED_AFTER_H)]


def salesforce_tries(at, lives=timedelta(seconds=_SALESFORCE.give_up_s)):
    tries, wait = [at], _SALESFORCE.retry_s
    while (later := tries[-1] + timedelta(seconds=min(wait, _SALESFORCE.most_retry_s))) - at <= lives:
        tries.append(later)
        wait *= 2
    return tries


def event_tries(at):
    return salesforce_tries(at, _EVENTS_LIVE)


@dataclass
class Mail:
    """What both vendors send while the door is closed, from moment 0 to `opens`."""

    opens: timedelta
    late: list = field(default_factory=list)
    lost: int = 0

    def sends(self, tries, deliver):
        """A vendor tries at these moments until one finds the door open; `deliver` is what it does then."""
        arrival = next((at for at in tries if at >= self.opens), None)
        if arrival is None:
            self.lost += 1
        else:
            self.late.append((arrival, len(self.late), deliver))

    async def arrives(self):
        """What was not lost comes at last, in the order of its time."""
        for _at, _number, deliver in sorted(self.late):
            assert await deliver() == 200


async def event(clinic, record, operation):
    """Salesforce's platform event about a visit; gives the status we answered."""
    given = {
        "EventUuid": str(uuid.uuid4()), "Object_Api_Name__c": "DrChrono_Appointment__c", "Record_Id__c": record["Id"],
        "Operation__c": operation, "Master_Record_Id__c": None,
    }  # fmt: skip
    headers = {"content-type": "application/json", "authorization": f"Bearer {EVENTS}"}
    body = json.dumps({"organizationId": ORG_ID, "events": [given]})
    return (await clinic.web.post("/webhooks/salesforce/events", content=body, headers=headers)).status_code


async def ages(clinic, span):
    """All the service remembers was that long ago, what it did every so often and up to when, too."""
    await clinic.has_aged(TIMES, span)


async def compares_when_due(clinic):
    """A worker looks whether it is time to compare; nobody has looked at what it found yet."""
    inbox = open_inbox(clinic.runtime, lambda _group: None)
    try:
        await compare_when_due(clinic.runtime, inbox, lambda _kinds: None)
    finally:
        await inbox.close()
