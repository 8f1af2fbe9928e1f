"""Wishes: records that are to be created, or may have been, and who they are; what is judged of them."""

from dataclasses import dataclass

from app.errors import SyncError
from app.sync.matching import fingerprints
from app.sync.records import WHICH, Action, Decision, Fields, OwnWrite, Plan, Seen, Side, Sight
from workers.passes import Looked, Pass


@dataclass(frozen=True, slots=True)
class Wish:
    """A record that is to be created on a side, or may have been (`attempt`), and who it is; `word`: a person's."""

    link_id: str
    plan: Plan
    side: Side
    who: Fields
    prints: tuple[str, ...]
    attempt: OwnWrite | None = None
    zone: str = ""
    word: Decision | None = None

    @property
    def chosen(self) -> str | None:
        """Which of several over there it is, by a person's word."""
        return self.word.twin if self.word and self.word.side is self.side else None

    @property
    def winner(self) -> str | None:
        """Which one on its own side it is, by a person's word."""
        return self.word.twin if self.word and self.word.side is not self.side else None


Judged = dict[str, Plan | SyncError]


def wish_of(work: Pass, looked: Looked, plan: Plan) -> Wish:
    """Give who is to be created, or was perhaps, by the plan of a look.

    Raises  Undecryptable when what an attempt sent cannot be opened
    """
    seen, rules = looked.seen, work.rules
    assert isinstance(seen, Seen)
    attempt = next((write for write in looked.link.own_writes if write.side is Side.DRCHRONO), None)
    side = next(iter(plan.writes), Side.DRCHRONO)
    there = seen.salesforce if side is Side.DRCHRONO else seen.drchrono
    who: Fields = there.fields if isinstance(there, Sight) else {}
    if plan.action is Action.FIND and attempt is not None and attempt.sent is not None:
        who = work.run.vault.open(attempt.sent)  # as it was then: the Contact may have changed its name since
    prints = fingerprints(rules.keys, rules.table, who)
    zone = there.zone if isinstance(there, Sight) else ""
    attempt = attempt if plan.action is Action.FIND else None
    return Wish(looked.link.id, plan, side, who, prints, attempt, zone, seen.decided.get(WHICH))
