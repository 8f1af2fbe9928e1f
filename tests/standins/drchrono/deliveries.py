"""What a webhook delivery is: the registration it answers to, its body, and what became of it so far."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.standins.drchrono.remembered import Record

EVENTS = ("APPOINTMENT_CREATE", "APPOINTMENT_MODIFY", "APPOINTMENT_DELETE", "PATIENT_CREATE", "PATIENT_MODIFY")


@dataclass(frozen=True, slots=True)
class Policy:
    """How unkindly deliveries travel."""

    copies: int = 1
    shuffle: bool = False
    hold: bool = False
    drop: float = 0.0  # share of deliveries that are lost for good
    delay_s: float = 0.0
    concurrency: int = 8
    seed: int = 0
    body_at: str = "send"  # or "event": the body is the record as it was when the event was raised


@dataclass(frozen=True, slots=True)
class Webhook:
    """One registration, as typed in on the API management page."""

    url: str
    secret: str
    events: tuple[str, ...] = EVENTS
    verified: bool = False

    def receiver(self) -> Record:
        return {
            "id": 940001,
            "callback_url": self.url,
            "events": list(self.events),
            "active": self.verified,
            "verified": self.verified,
        }


@dataclass(slots=True)
class Delivery:
    """One delivery and what became of it: waiting, retry, delivered, given_up or dropped."""

    id: str
    event: str
    snapshot: Record
    receiver: Record
    state: str = "waiting"
    record: Record | None = None  # fixed when first sent
    attempts: int = 0
    redeliveries: int = 0
    unanswered: int = 0  # copies of the running attempt that are not back yet
    is_fresh: bool = True
    first_sent_at: float = 0.0
    last_status: int | None = None
    delivered_at: float | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "event": self.event,
            "record_id": self.snapshot["id"],
            "state": self.state,
            "attempts": self.attempts,
            "last_status": self.last_status,
            "delivered_at": self.delivered_at,
        }


@dataclass(order=True, slots=True)
class Due:
    """A delivery that leaves at a moment of the monotonic clock."""

    at: float
    order: int
    delivery: Delivery = field(compare=False)


def body_of(receiver: Record, record: Record | None) -> bytes:
    return json.dumps({"receiver": receiver, "object": record}, separators=(",", ":"), ensure_ascii=False).encode()
