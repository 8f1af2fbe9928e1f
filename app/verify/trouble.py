"""The hand that makes things go wrong: kills and restarts, floods and outages, vendors' faults; drawn from a seed.

What is up and what is down is written down as it changes, so that the probes can be judged by it.
"""

import contextlib
import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis

from app.processes import Child
from app.town import Town
from app.verify.faults import Fault
from app.verify.people import People
from app.verify.seen import Poison, Spell

HOUR_S = 2.0
_TOLD_S = 33.0  # a little more than the half minute within which the probes must tell
_CAN_BE_FILLED = hasattr(resource, "prlimit")
_REFUSALS = ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "too_long", "INVALID_EMAIL_ADDRESS")
_BUSY = {"detail": "Request was throttled. Expected available in 2.0 seconds."}


class Trouble:
    """What goes wrong, and what it counted and noted of that."""

    def __init__(self, here: Town, rng: random.Random, people: People) -> None:
        self._here, self._rng, self._people = here, rng, people
        self.counts = Counter[str]()
        self.poison: Poison | None = None
        self._spells: list[Spell] = []
        self._dark_until = 0.0
        for what in ("web", "worker", "redis", "database"):
            self._now(what, is_up=True)

    @property
    def deck(self) -> list[Callable[[], None]]:
        """Give everything that can go wrong, once each."""
        deck = [
            self.kills_worker, self.kills_web, self.stops_worker, self.stops_web, self.flushes_redis, self.kills_redis,
            self.doubles, self.shuffles, self.holds, self.throttles, self.breaks_drchrono, self.breaks_salesforce,
            self.swallows_drchrono, self.swallows_salesforce, self.hangs_up, self.slows, self.expires, self.poisons,
        ]  # fmt: skip
        return [*deck, self.fills_disk] if _CAN_BE_FILLED else deck

    def spells(self) -> tuple[Spell, ...]:
        """Give when what was up, and when it was down."""
        return tuple(self._spells)

    def kills_worker(self) -> None:
        """Kill -9 the worker and start another."""
        self._struck(Fault.WORKER_KILLED)
        self._fells("worker", self._here.work.kill)
        self.starts_worker()

    def stops_worker(self) -> None:
        """Ask the worker to stop, and start another."""
        self.rests_worker()
        self.starts_worker()

    def rests_worker(self) -> None:
        """Ask the worker to stop, so that what changes meanwhile waits for the next one."""
        self._struck(Fault.WORKER_STOPPED)
        self._fells("worker", lambda: _stopped(self._here.work))

    def starts_worker(self) -> None:
        """Start a worker."""
        self._here.work.start()
        self._now("worker", is_up=True)

    def kills_web(self) -> None:
        """Kill -9 the web and start another."""
        self._struck(Fault.WEB_KILLED)
        self._fells("web", self._here.serve.kill)
        self._starts_web()

    def stops_web(self) -> None:
        """Ask the web to stop, and start another."""
        self._struck(Fault.WEB_STOPPED)
        self._fells("web", lambda: _stopped(self._here.serve))
        self._starts_web()

    def _starts_web(self) -> None:
        self._here.serve.start()
        self._here.wait_until(self._here.accepts, "the web to be back")
        self._now("web", is_up=True)

    def flushes_redis(self) -> None:
        """Have Redis forget everything."""
        self._struck(Fault.REDIS_FLUSHED)
        with redis.Redis.from_url(self._here.given["REDIS_URL"]) as client:
            client.flushall()

    def kills_redis(self) -> None:
        """Kill -9 the Valkey for a moment."""
        self._struck(Fault.REDIS_KILLED)
        self._fells("redis", self._here.valkey.kill)
        time.sleep(self._rng.uniform(0.5, 2.0))
        self.starts_redis()

    def starts_redis(self) -> None:
        """Start the Valkey again."""
        self._here.valkey.start()
        self._now("redis", is_up=True)

    def fills_disk(self) -> None:
        """Let the web write nothing until /readyz has told, or half a minute is over, while people go on editing."""
        assert self._here.serve.process is not None
        pid, unlimited = self._here.serve.process.pid, resource.RLIM_INFINITY
        self._struck(Fault.DISK_FULL)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited))
        self._now("database", is_up=False)
        deadline = time.monotonic() + _TOLD_S
        while time.monotonic() < deadline and self._here.accepts():
            self._people.edits_chart()
            self._people.edits_contact()
            time.sleep(0.25)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        self._now("database", is_up=True)

    def goes_dark(self) -> None:
        """Kill worker and Valkey together; `is_told_dark` says when the probes have said so."""
        self._struck(Fault.WORKER_KILLED)
        self._struck(Fault.REDIS_KILLED)
        self._fells("worker", self._here.work.kill)
        self._fells("redis", self._here.valkey.kill)
        self._dark_until = time.monotonic() + _TOLD_S

    def is_told_dark(self) -> bool:
        """Say whether /healthz tells of both, or has had the time it may take."""
        parts = self._here.web.get("/healthz").json()["parts"]
        is_told = all(parts[name]["state"] != "ok" for name in ("workers", "redis"))
        return is_told or time.monotonic() > self._dark_until

    def doubles(self) -> None:
        """Have every notice come several times."""
        self._struck(Fault.DOUBLED)
        self._travel({"copies": self._rng.choice((2, 3, 5))}, {"duplicate": self._rng.choice((2, 5))})

    def shuffles(self) -> None:
        """Have notices come late and out of order."""
        self._struck(Fault.SHUFFLED)
        self._travel({"shuffle": True, "delay_s": self._rng.uniform(0.1, 1.0), "body_at": "event"}, {"shuffle": True})

    def holds(self) -> None:
        """Hold notices back while people edit, and then let all go at once."""
        self._struck(Fault.HELD)
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
        self._struck(Fault.EXPIRED)
        self._here.drchrono.post("/_control/tokens/expire").raise_for_status()
        self._here.salesforce.post("/_control/sessions/expire").raise_for_status()

    def poisons(self) -> None:
        """Make one patient impossible to write to Salesforce; the refusal names the patient, as a real one may."""
        people, cause = self._people, self._rng.choice(_REFUSALS)
        chart = people.poisoned = self._rng.choice(people.charts)
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
        self._struck(Fault.POISONED)
        self.poison = Poison(chart, cause, time.time())
        self._here.drchrono.patch(f"/_control/patients/{chart}", json=values).raise_for_status()

    def ends(self) -> None:
        """Order no more faults; what was ordered and met nobody is forgotten."""
        for vendor in (self._here.drchrono, self._here.salesforce):
            vendor.delete("/_control/faults").raise_for_status()
        self.arrives()

    def _fells(self, what: str, deed: Callable[[], None]) -> None:
        """Fell something; while it falls it is neither up nor down, for who stops well still answers."""
        self._ends(what)
        deed()
        self._now(what, is_up=False)

    def _now(self, what: str, *, is_up: bool) -> None:
        self._ends(what)
        self._spells.append(Spell(what, is_up, time.time()))

    def _ends(self, what: str) -> None:
        for index, one in enumerate(self._spells):
            if one.what == what and one.until is None:
                self._spells[index] = Spell(what, one.is_up, one.since, time.time())

    def _struck(self, fault: Fault) -> None:
        self.counts[fault] += 1

    def _travel(self, hooks: dict[str, Any], messages: dict[str, Any]) -> None:
        self._here.drchrono.put("/_control/delivery-policy", json=hooks).raise_for_status()
        self._here.salesforce.put("/_control/outbound", json=messages).raise_for_status()

    @staticmethod
    def _orders(vendor: Any, **rule: Any) -> None:
        vendor.post("/_control/faults", json=rule).raise_for_status()


def _stopped(child: Child) -> None:
    child.ask_to_stop()
    with contextlib.suppress(RuntimeError):
        child.wait(time.monotonic() + 20)
