"""Decided: what a person said of one field, or of which record it is; it counts while both sides are as they saw them.

A decision names what each side held when the person looked, by stamps. The merge follows it while that is so, or the
wish is fulfilled there already: an edit made since is never overwritten, the decision is overtaken by it. (Pure.)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.sync.base import Rules
from app.sync.mappings.table import Direction, Row
from app.sync.model import WHOLE_RECORD, FieldResolution, Fields, Link, Side


@dataclass(frozen=True, slots=True)
class AppliedResolutions:
    """What decisions come to: what each side should take, what both hold already, which were overtaken."""

    to: Mapping[Side, Fields] = field(default_factory=dict)
    agreed: Fields = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    overtaken: frozenset[str] = frozenset()


def apply_resolutions(
    rules: Rules, link: Link, decided: Mapping[str, FieldResolution], left: Fields, right: Fields
) -> AppliedResolutions:
    """Say what both sides should take by a person's word; `left`: DrChrono, `right`: Salesforce, as just read."""
    to: dict[Side, dict[str, str | None]] = {Side.DRCHRONO: {}, Side.SALESFORCE: {}}
    agreed: dict[str, str | None] = {}
    overtaken = set()
    for name, decision in decided.items():
        row = rules.table.rows.get(name)
        if row is None:
            if name != WHOLE_RECORD:  # the mapping does not carry it any more
                overtaken.add(name)
            continue
        if name not in left or name not in right:
            continue
        held = {Side.DRCHRONO: left[name], Side.SALESFORCE: right[name]}
        wanted = decision.value if decision.puts_back else held[decision.side]
        lacking = [side for side, value in held.items() if not row.equal(value, wanted)]
        if not _counts(rules, link, row, decision, held, lacking):
            overtaken.add(name)
            continue
        for side in lacking:
            to[side][name] = wanted
        if not lacking:
            agreed[name] = wanted
    names = frozenset({*to[Side.DRCHRONO], *to[Side.SALESFORCE], *agreed})
    return AppliedResolutions(to, agreed, names, frozenset(overtaken))


def _counts(
    rules: Rules, link: Link, row: Row, decision: FieldResolution, held: Mapping[Side, str | None], lacking: list[Side]
) -> bool:
    """Say whether a side that is to be written holds what the person saw there, and so does the side they picked."""
    if Side.DRCHRONO in lacking and row.direction is Direction.TO_SALESFORCE:
        return False
    seen = {*lacking} if decision.puts_back else {*lacking, decision.side}
    return all(rules.matches(link, row.name, decision.expects.get(side), held[side]) is True for side in seen)


class ResolutionEnd(StrEnum):
    """How a decision stands.

    OVERTAKEN  somebody had edited the field since, so that edit stayed
    DROPPED    a person dismissed its failure before it could be carried out
    """

    OPEN = "open"
    DONE = "done"
    OVERTAKEN = "overtaken"
    DROPPED = "dropped"
