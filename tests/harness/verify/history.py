"""One history in three acts, out of a seed: a calm one, one full of trouble, and an outage of which no notice tells.

After each act the world comes to rest and is looked at; a history that never does says so. The same seed draws the same
events; what real processes make of them differs from run to run, and must always be right.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx

from app.cli.supervise import Child
from app.sync.mappings import file
from app.sync.model import Side
from tests.harness.cluster import ROOT, Town, town
from tests.harness.verify import probing, search
from tests.harness.verify.checks_calls import api
from tests.harness.verify.falls import Falls
from tests.harness.verify.faults import Fault, struck
from tests.harness.verify.mischief import Mischief
from tests.harness.verify.normal import owners
from tests.harness.verify.observe import Observer
from tests.harness.verify.people import People
from tests.harness.verify.rest import Rest
from tests.harness.verify.seen import Act, Burst, History, Probe

_COMPARED_EVERY = "PT1M"
_MOST_PAUSE_S = 0.3
Say = Callable[[str, int], None]


class Story:
    """A history while it is told."""

    def __init__(self, here: Town, seed: int, size: int, say: Say) -> None:
        self._here, self._seed, self._size, self._tell = here, seed, size, say
        self._rng = random.Random(seed)  # noqa: S311 - a seed must draw the same history again
        self._mappings = file.load()
        self.people = People(here, self._rng, self._mappings)
        self._observer = Observer(here, self._mappings, self.people.noted)
        self._rest = Rest(here, self._observer)
        self._faults = Counter[str]()
        self._falls = Falls(here, self._rng, self.people, self._faults)
        self._mischief = Mischief(here, self._rng, self.people, self._faults)
        self._acts: list[Act] = []
        self._bursts: list[Burst] = []

    @property
    def compares_itself(self) -> bool:
        """Whether the workers compare on their own; else somebody runs `chronobridge reconcile`."""
        return self._seed % 2 == 0

    def tell(self) -> None:
        """Tell all of it."""
        self._mischief.begins()
        for name, act in (("the calm", self._calm), ("the trouble", self._trouble), ("the outage", self._outage)):
            began = time.time()
            self._say(name)
            act()
            is_heard = act != self._outage
            if not is_heard and self.compares_itself:
                self._rest.until_compared(self._mischief.poison)
            left = self._rest.begins()
            after = () if left else self._rest.disturbed(looks_count=not self.compares_itself)
            self._acts.append(self._observer.act(name, began, is_heard=is_heard, left=left, after=after))
            if left:
                return

    def ended(self, places: dict[str, int], probes: tuple[Probe, ...], broken: str = "") -> History:
        """Give what was seen."""
        acts = tuple(self._acts)
        if broken:
            acts = (*acts, Act("the end", time.time(), time.time(), broken=broken))
        calls = self._faults + struck([one for act in acts for one in act.calls])
        return History(
            self._seed, owners(self._mappings), acts, self._mischief.poison, tuple(self._bursts), probes,
            self._falls.spells(), places, search.PATTERNS, calls,
        )  # fmt: skip

    def urls(self) -> str:
        """Give every address that was called, in one text."""
        return self._observer.urls()

    def _calm(self) -> None:
        """People meet both systems, and many records change at once."""
        people = self.people
        for _ in range(4 + self._size // 5):
            people.registers()
        self._rest.begins()
        people.meets_a_stranger()
        people.enters()
        for _ in range(2 + self._size // 10):
            people.books()
        self._rest.begins()
        people.enters_visit()
        self._rest.begins()
        self._burst("new patients", people.registers, 2 * self._size)
        some = self._rng.sample(people.charts, 2 * self._size)
        self._burst("edited patients", lambda: people.edits_chart(some.pop(), ("address",)), 2 * self._size)
        some = self._rng.sample(people.charts, self._size // 4)
        self._burst("edited Contacts", lambda: people.edits_contact(some.pop(), ("city",)), self._size // 4)

    def _burst(self, what: str, change: Callable[[], object], count: int) -> None:
        """Change many records while no worker runs, and count what they cost once one does."""
        self._falls.rests_worker()
        for _ in range(count):
            change()
        self._rest.until_told()
        began = time.time()
        self._falls.starts_worker()
        self._rest.begins()
        calls = self._observer.calls(began)
        writes = [one.path for one in calls if one.side is Side.DRCHRONO and one.method in ("POST", "PATCH")]
        is_from_drchrono = what.endswith("patients")
        spent = len([one for one in api(calls, Side.SALESFORCE) if not one.tells_status]) if is_from_drchrono else None
        self._bursts.append(Burst(what, count, spent, max(map(writes.count, writes), default=0)))

    def _trouble(self) -> None:
        """People edit on both sides, and everything that can go wrong does."""
        self.people.sets_apart()
        deck = self._falls.deck + self._mischief.deck
        self._rng.shuffle(deck)
        deck = [*deck[: max(4, self._size // 2)], self._mischief.poisons]
        self._rng.shuffle(deck)
        for number in range(self._size):
            self._edits()
            if deck and self._rng.random() < len(deck) / (self._size - number):
                deck.pop()()
                self._say("the trouble")
            time.sleep(self._rng.uniform(0, _MOST_PAUSE_S))
        self._mischief.ends()

    def _outage(self) -> None:
        """Nobody is told of anything, and worker and Redis are gone; then somebody compares."""
        self._mischief.loses()
        self._falls.goes_dark()
        self.people.edits_staff()
        for _ in range(self._size // 2):
            self._edits()
        for name in ("first_name", "city"):  # one owned by either side
            chart = self._rng.choice([one for one in self.people.charts if one != self.people.poisoned])
            self.people.edits_chart(chart, (name,))
            self.people.edits_contact(chart, (name,))
        while not self._falls.is_told_dark():
            time.sleep(0.2)
        self._falls.starts_redis()
        self._falls.starts_worker()
        lost = self._here.drchrono.get("/_control/deliveries").json()["dropped"]
        self._faults[Fault.LOST] += lost + self._here.salesforce.get("/_control/outbound").json()["lost"]
        self._mischief.arrives()
        self._say("the outage")
        if not self.compares_itself:
            self._reconciles()

    def _edits(self) -> None:
        people = self.people
        weights: dict[Callable[[], object], float] = {
            people.edits_chart: 6, people.edits_contact: 6, people.registers: 1, people.enters: 1, people.books: 1,
            people.enters_visit: 1, people.edits_visit: 3, people.edits_booked: 3, people.deletes_visit: 0.5,
            people.edits_what_is_put_back: 0.7,
        }  # fmt: skip
        self._rng.choices(list(weights), list(weights.values()))[0]()

    def _reconciles(self) -> None:
        """Run the command, as an engineer would after an outage; its output is a log like the others."""
        with (self._here.folder / "reconcile.log").open("a") as log:
            subprocess.run(
                [sys.executable, "-m", "app.cli", "reconcile"],
                env=self._here.env, cwd=self._here.folder, stdout=log, stderr=subprocess.STDOUT, check=True,
            )  # fmt: skip

    def _say(self, act: str) -> None:
        self._tell(act, self._faults.total() + struck(self._observer.calls(0)).total())


def tell(folder: Path, seed: int, size: int, say: Say) -> History:
    """Tell one history in a folder of its own, with processes of its own; give what was seen of it.

    Raises  RuntimeError where not even the beginning can be made
    """
    overrides = {"RECONCILE_EVERY": _COMPARED_EVERY} if seed % 2 == 0 else {}
    with town(folder, overrides, service=False) as here:
        here.start_connected()
        here.loads()
        story, broken = Story(here, seed, size, say), ""
        probes = _prober(here)
        probes.start()
        try:
            story.tell()
        except (RuntimeError, OSError, KeyError, httpx.HTTPError, subprocess.CalledProcessError) as error:
            broken = f"{type(error).__name__}: {error}"
        finally:
            probes.kill()
        answers = search.answers(here, story.urls())
    places = search.places(folder, answers, story.people.word)
    return story.ended(places, tuple(probing.read(folder / "probes.jsonl")), broken)


def _prober(here: Town) -> Child:
    command = [sys.executable, "-m", "tests.harness.verify.probing", here.given["PUBLIC_URL"]]
    env = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)}
    return Child("probes", command, env, here.folder / "probes.jsonl", here.folder)
