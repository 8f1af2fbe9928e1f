"""Small worlds that go on: one field, what came of DrChrono, and looks until nothing is left to do."""

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product

from app.sync.decide import decide
from app.sync.failure_causes import ASK
from app.sync.mappings.table import Direction, OnConflict
from app.sync.model import Seen, Side, Snapshot
from app.sync.plan import Nothing, Wait, Write, planned_writes
from tests.build import DRCHRONO_ID, NOW, UNHEARD, a_link, an_own_write
from tests.unit.sync.worlds import NO_BASE, VALUES, D, S, World

OURS = "our user"
UNTOLD, TOLD, ASKED = "nothing came", "a body came", "a GET answered"
LIMIT = timedelta(minutes=2)


@dataclass(frozen=True)
class Meeting(World):
    """A world as decide sees it: what DrChrono said, and writes of ours (side, old, new, settle_at) in the air.

    may_land  those that are not waited for, and may land late
    hand      who changed Salesforce's record last
    """

    heard: str = ASKED
    in_the_air: tuple = ()
    may_land: tuple = ()
    hand: str = "a person"

    @property
    def link(self):
        link = a_link({} if self.base is NO_BASE else {"note": self.base}, self.rules)
        return replace(
            link,
            own_writes=self._writes(link, self.in_the_air, ""),
            late_writes=self._writes(link, self.may_land, "late"),
        )

    def _writes(self, link, writes, prefix):
        return tuple(
            an_own_write(link, self.rules, {"note": old}, {"note": new}, settle_at, f"{prefix}{number}", side)
            for number, (side, old, new, settle_at) in enumerate(writes)
        )

    @property
    def drchrono(self):
        if self.heard == UNTOLD:
            return UNHEARD
        return Snapshot("1", {"note": self.here}, confirmed=self.heard == ASKED)

    def plan(self):
        salesforce = Snapshot("2", {"note": self.there}, key=DRCHRONO_ID, changed_by=self.hand)
        return decide(self.rules, self.link, Seen(self.drchrono, salesforce, our_user=OURS), NOW)

    def carried_out(self, plan):
        """The same world after the plan's writes, recorded by nobody."""
        here, there = (
            planned_writes(plan).get(side, {}).get("note", held) for side, held in ((D, self.here), (S, self.there))
        )
        return replace(self, here=here, there=there)

    def dies(self, *, landed):
        """Plan and send what is to be sent, and die: it is in the air, whether it landed or never will."""
        plan = self.plan()
        sent = tuple(
            (side, self.base_or_held(side), fields["note"], NOW + LIMIT)
            for side, fields in planned_writes(plan).items()
        )
        after = self.carried_out(plan) if landed else self
        return replace(after, in_the_air=self.in_the_air + sent)

    def base_or_held(self, side):
        if side is S:
            return self.there
        return self.here if self.heard != UNTOLD else self.base

    def recorded(self, plan):
        base = self.base
        for number in plan.settled.landed:
            base = self.in_the_air[int(number)][2]
        agreed = plan.compared.agreed if isinstance(plan, Nothing | Write) else {}
        for fields in (agreed, *planned_writes(plan).values()):
            base = fields.get("note", base)
        done = {*plan.settled.landed, *plan.settled.lost}
        left = tuple(write for number, write in enumerate(self.in_the_air) if str(number) not in done)
        late = tuple(write for number, write in enumerate(self.may_land) if f"late{number}" not in plan.settled.over)
        late += tuple(self.in_the_air[int(number)] for number in plan.settled.late)
        return replace(self, base=base, in_the_air=left, may_land=late)

    def at_rest(self):
        """Look and write until nothing is left to do; gives the world then, and every plan on the way."""
        world, plans = self, []
        for _ in range(8):
            plan = world.plan()
            plans.append(plan)
            if isinstance(plan, Wait):
                world = world.waited(plan)
                continue
            world = world.carried_out(plan).recorded(plan)
            if not planned_writes(plan):
                return world, plans
        raise AssertionError(f"it never comes to rest: {self}")

    def waited(self, plan):
        """Ask DrChrono where that was asked for; where we did already, let the vendor's limit pass."""
        past = plan.until > NOW
        world = replace(self, heard=ASKED) if plan.cause == ASK else self
        aged = tuple((*write, settle_at - LIMIT if past else settle_at) for *write, settle_at in world.in_the_air)
        return replace(world, in_the_air=aged)

    def __str__(self):
        return f"{super().__str__()} {self.heard} {self.in_the_air}"


def meetings(predicate, *heard):
    """The meetings a rule speaks of; none at all would prove nothing."""
    every = (
        Meeting(base, here, there, owner, direction, rule, heard=what)
        for direction, owner, rule, base, here, there, what in product(
            Direction, Side, OnConflict, (NO_BASE, None, "a", "b"), VALUES, VALUES, heard or (UNTOLD, TOLD, ASKED)
        )
        if not (direction is Direction.TO_SALESFORCE and owner is S)
        if not (base is NO_BASE and what == UNTOLD)  # belief never says so of a link that agreed on nothing
    )
    found = [one for one in every if predicate(one)]
    assert found
    return found


def alone(side):
    """Only this side moved a two-way field."""
    return lambda one: one.is_two_way and one.moves(side) and not one.moves(side.other)
