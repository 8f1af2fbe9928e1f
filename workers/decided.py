"""Decided: what people decided of a link, as the core weighs it, and how each decision ended by a look."""

from collections.abc import Mapping

from app.store.decisions import Decided, Ending
from app.store.due import Due
from app.sync.records import WHICH, Action, Decision, Plan, Seen, Side
from workers.passes import Outcome, Pass, Written


def with_values(work: Pass, due: Due) -> dict[str, Decision]:
    """Give field -> what a person decided of it; an old value that is not kept any more decides nothing.

    Raises  Undecryptable when the key of an old value is not known
    """
    return {one.field: _decision(work, one) for one in due.decided}


def _decision(work: Pass, one: Decided) -> Decision:
    expects = {Side(side): stamp for side, stamp in one.expects.items()}
    if one.conflict_id is None:
        return Decision(one.id, one.side, expects, twin=one.twin)
    if one.kept is None:  # without stamps it counts nowhere: it ends as overtaken
        return Decision(one.id, one.side, puts_back=True)
    kept: Mapping[str, str | None] = work.run.vault.open(one.kept)
    return Decision(one.id, one.side, expects, puts_back=True, value=kept[one.side.value])


def ended_by(seen: Seen, plan: Plan, outcomes: Mapping[Side, Outcome]) -> dict[str, str]:
    """Give the decisions that are over by a look: id -> how; one whose write has not succeeded stays open."""
    ended: dict[str, str] = {}
    for name, decision in seen.decided.items():
        if name == WHICH:
            how = _which(plan, decision, outcomes)
        elif name in plan.overtaken:
            how = Ending.OVERTAKEN
        else:
            how = Ending.DONE if name in plan.decided and _is_carried_out(name, plan, outcomes) else None
        if how is not None:
            ended[decision.id] = how.value
    return ended


def _which(plan: Plan, decision: Decision, outcomes: Mapping[Side, Outcome]) -> Ending | None:
    """Say how a word on which record it is ended: while nothing could be matched or merged it stays open."""
    if plan.action is Action.MERGE:
        return Ending.DONE if isinstance(outcomes.get(Side.SALESFORCE), Written) else None
    if plan.action is Action.WAIT:
        return None
    is_linked = plan.action is Action.LINK and plan.twin == decision.twin
    is_merged = decision.side is Side.SALESFORCE and bool(plan.landed)
    return Ending.DONE if is_linked or is_merged else Ending.OVERTAKEN


def _is_carried_out(name: str, plan: Plan, outcomes: Mapping[Side, Outcome]) -> bool:
    if name in plan.refused:
        return False
    sides = [side for side in Side if name in plan.writes.get(side, {})]
    written = [outcomes.get(side) for side in sides]
    return all(isinstance(one, Written) and name in one.fields for one in written)
