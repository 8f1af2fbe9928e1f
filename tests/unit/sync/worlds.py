"""Every small world of a merge: one field, values from {empty, a, b, c}, any base, owner, direction and rule."""

from dataclasses import dataclass, replace
from itertools import product

from app.sync.mappings.table import Direction, OnConflict
from app.sync.merge import merge
from app.sync.model import Seen, Side, Snapshot
from app.sync.pending_writes import has_landed, with_landed
from tests.build import ABSENT, a_link, a_row, an_own_write, rules

NO_BASE = object()
D, S = Side.DRCHRONO, Side.SALESFORCE
VALUES = (None, "a", "b", "c")


@dataclass(frozen=True)
class World:
    """One field of one link: the base, what each side holds, its rule, and writes of ours that are not settled."""

    base: object
    here: str | None
    there: str | None
    owner: Side = D
    direction: Direction = Direction.BOTH
    on_conflict: OnConflict = OnConflict.OWNER
    own_writes: tuple = ()

    @property
    def rules(self):
        return rules(a_row(owner=self.owner, direction=self.direction, on_conflict=self.on_conflict))

    @property
    def link(self):
        link = a_link({} if self.base is NO_BASE else {"note": self.base}, self.rules)
        writes = tuple(an_own_write(link, self.rules, {"note": old}, {"note": new}) for old, new in self.own_writes)
        return replace(link, own_writes=writes)

    @property
    def holds(self):
        return self.here, self.there

    def merged(self):
        there = Snapshot("2", {"note": self.there})
        shown = Seen(ABSENT, there)
        landed = {write.id for write in self.link.own_writes if has_landed(self.rules, self.link, write, shown)}
        return merge(self.rules, with_landed(self.link, landed), {"note": self.here}, there.fields)

    def written(self):
        """Carry the plan out on both sides, and die before it is recorded; the write to Salesforce stays unsettled."""
        to = self.merged().to
        here, there = to[D].get("note", self.here), to[S].get("note", self.there)
        own = ((self.there, there),) if to[S] else ()
        return replace(self, here=here, there=there, own_writes=(*self.own_writes, *own))

    def recorded(self):
        """Record what both sides agree on."""
        agreed = self.merged().agreed
        return replace(self, base=agreed.get("note", self.base), own_writes=())

    def moves(self, side):
        value = self.here if side is D else self.there
        return self.base is not NO_BASE and value != self.base

    @property
    def is_two_way(self):
        return self.direction is Direction.BOTH

    @property
    def is_held(self):
        return bool(self.merged().held)

    def __str__(self):
        base = "never" if self.base is NO_BASE else self.base
        return f"{base}:{self.here}|{self.there} {self.owner} {self.direction} {self.on_conflict}"


ALL = [
    World(base, here, there, owner, direction, rule)
    for direction, owner, rule, base, here, there in product(
        Direction, Side, OnConflict, (NO_BASE, None, "a", "b"), VALUES, VALUES
    )
    if not (direction is Direction.TO_SALESFORCE and owner is S)
]


def holding(predicate):
    """The worlds a rule speaks of, each of which must keep it; none at all would prove nothing."""
    worlds = [world for world in ALL if predicate(world)]
    assert worlds
    return worlds
