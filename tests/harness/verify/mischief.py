"""The vendors' mischief: notices doubled, late, held and lost; calls refused, swallowed and slow; one record poisoned.

Everything is ordered at the stand-ins' control doors.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.harness.cluster import Town
from tests.harness.verify.faults import Fault
from tests.harness.verify.people import People
from tests.harness.verify.seen import Poison

HOUR_S = 2.0  # DrChrono sends again after one, three and seven hours: sooner than a person who evaluates this gives up
_REFUSALS = ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "too_long", "INVALID_EMAIL_ADDRESS")
_BUSY = {"detail": "Request was throttled. Expected available in 2.0 seconds."}


class Mischief:
    """What the vendors do; `counts` is told how often, but for what strikes a call: the stand-ins' logs tell that."""

    def __init__(self, here: Town, rng: random.Random, people: People, counts: Counter[str]) -> None:
        self._here, self._rng, self._people, self._counts = here, rng, people, counts
        self.poison: Poison | None = None

    @property
    def deck(self) -> list[Callable[[], None]]:
        """Give every mischief, once each, but the poison."""
        return [
            self.doubles, self.shuffles, self.holds, self.throttles, self.breaks_drchrono, self.breaks_salesforce,
            self.swallows_drchrono, self.swallows_salesforce, self.hangs_up, self.slows, self.expires,
        ]  # fmt: skip

    def begins(self) -> None:
        """Set the pace of redeliveries, and DrChrono's rule of ten calls in a second."""
        self._here.drchrono.put("/_control/clock", json={"hour_s": HOUR_S}).raise_for_status()
        self._here.drchrono.put("/_control/settings", json={"burst_rule": True}).raise_for_status()
        self._here.salesforce.put("/_control/outbound", json={"retry_s": 1, "most_retry_s": 4}).raise_for_status()

    def doubles(self) -> None:
        """Have every notice come several times."""
        self._counts[Fault.DOUBLED] += 1
        self._travel({"copies": self._rng.choice((2, 3, 5))}, {"duplicate": self._rng.choice((2, 5))})

    def shuffles(self) -> None:
        """Have notices come late and out of order."""
        self._counts[Fault.SHUFFLED] += 1
        self._travel({"shuffle": True, "delay_s": self._rng.uniform(0.1, 1.0), "body_at": "event"}, {"shuffle": True})

    def holds(self) -> None:
        """Hold notices back while people edit, and then let all go at once."""
        self._counts[Fault.HELD] += 1
        self._travel({"hold": True}, {"hold": True})
        for _ in range(4):
            self._people.edits_chart()
            self._people.edits_contact()
        self._travel({"hold": False}, {"hold": False})

    def loses(self) -> None:
        """Have every notice be lost for good from now on."""
        self._travel({"drop": 1.0}, {"lose": 1_000_000})

    def arrives(self) -> None:
        """Have notices travel as they should."""
        self._travel(
            {"copies": 1, "shuffle": False, "hold": False, "drop": 0.0, "delay_s": 0.0, "body_at": "send"},
            {"duplicate": 1, "shuffle": False, "hold": False, "lose": 0},
        )

    def throttles(self) -> None:
        """Have either vendor say "too many calls"."""
        self._orders(self._here.drchrono, match="* /api/", do="error", status=429, body=_BUSY)
        self._orders(self._here.salesforce, match="* /services/data", do="throttle")

    def breaks_drchrono(self) -> None:
        """Have DrChrono answer 5xx."""
        self._orders(self._here.drchrono, match="* /api/", do="error", status=self._rng.choice((500, 502, 503)), next=2)

    def breaks_salesforce(self) -> None:
        """Have Salesforce answer 5xx, with a page that says more than it should."""
        page = f"<html>{self._people.word} could not be saved</html>"
        self._orders(self._here.salesforce, match="* /services/data", do="error", status=503, body=page)

    def swallows_drchrono(self) -> None:
        """Have DrChrono do what it is asked, and say nothing; once at once, once after a while."""
        self._orders(self._here.drchrono, match="POST /api/", do="drop_after_commit")
        self._orders(self._here.drchrono, match="PATCH /api/", do="timeout_after_commit", delay_s=16)
        self._people.enters()
        self._people.edits_contact()

    def swallows_salesforce(self) -> None:
        """Have Salesforce do what it is asked, and say nothing."""
        for method in ("PATCH", "POST"):
            self._orders(self._here.salesforce, match=f"{method} /services/data", do="drop_after_commit")
        self._people.registers()

    def hangs_up(self) -> None:
        """Have either vendor lose a connection before anything is done."""
        for vendor, path in ((self._here.drchrono, "/api/"), (self._here.salesforce, "/services/data")):
            self._orders(vendor, match=f"* {path}", do="drop_before")

    def slows(self) -> None:
        """Have either vendor be slow."""
        for vendor, path in ((self._here.drchrono, "/api/"), (self._here.salesforce, "/services/data")):
            self._orders(vendor, match=f"* {path}", do="slow", delay_s=self._rng.uniform(0.5, 2.0), next=2)

    def expires(self) -> None:
        """Have every token die."""
        self._counts[Fault.EXPIRED] += 1
        self._here.drchrono.post("/_control/tokens/expire").raise_for_status()
        self._here.salesforce.post("/_control/sessions/expire").raise_for_status()

    def poisons(self) -> None:
        """Make one patient impossible to write to Salesforce; the refusal names the patient, as a real one may."""
        people, cause, chart = self._people, self._rng.choice(_REFUSALS), self._people.poisoned
        values: dict[str, Any] = {"city": f"{people.word} City"}
        if cause == "too_long":
            values = {"city": people.word * 8}
        elif cause == "INVALID_EMAIL_ADDRESS":
            values = {"email": f"{people.word}\u00e9@example.com"}  # which only DrChrono takes
        else:
            name = self._here.patients()[chart]["last_name"]
            fault = {"object": "Contact", "match": {"field": "LastName", "equals": name}, "next": 1_000_000}
            said = {"statusCode": cause, "message": f"{name}: a value is wrong", "fields": ["MailingCity"]}
            self._here.salesforce.post("/_control/record-faults", json=fault | said).raise_for_status()
        self._counts[Fault.POISONED] += 1
        self.poison = Poison(chart, cause, time.time())
        self._here.drchrono.patch(f"/_control/patients/{chart}", json=values).raise_for_status()

    def ends(self) -> None:
        """Order no more faults; what was ordered and met nobody is forgotten."""
        for vendor in (self._here.drchrono, self._here.salesforce):
            vendor.delete("/_control/faults").raise_for_status()
        self.arrives()

    def _travel(self, hooks: dict[str, Any], messages: dict[str, Any]) -> None:
        self._here.drchrono.put("/_control/delivery-policy", json=hooks).raise_for_status()
        self._here.salesforce.put("/_control/outbound", json=messages).raise_for_status()

    @staticmethod
    def _orders(vendor: Any, **rule: Any) -> None:
        vendor.post("/_control/faults", json=rule).raise_for_status()
