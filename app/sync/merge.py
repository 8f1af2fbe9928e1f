"""The three-way merge: what both sides should now hold, field by field, and who wins a conflict.

A side *moved* a field when its value differs from the base. One moved: it travels. Both moved, differently: the
field's rule decides, unless a person has. Neither has a base (a first match): the owner's value travels, but emptiness
never beats a value, so that linking two records cannot blank either of them. The link must have no write of ours in
the air.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.sync.base import Rules
from app.sync.mappings.table import Direction, OnConflict, Row
from app.sync.model import FieldResolution, Fields, Link, Side
from app.sync.resolutions import apply_resolutions


class FieldVerdict(StrEnum):
    """What is to become of one field."""

    TO_SALESFORCE = "to_salesforce"
    TO_DRCHRONO = "to_drchrono"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Merged:
    """The answer of a merge.

    to          side -> the fields it should take
    agreed      what both hold equal already
    conflicts   fields both moved apart; `held` those of them that wait for a person
    put_backs   one-way fields that were edited in Salesforce
    decided     fields of which a person's word is followed; `overtaken` those that somebody has edited since
    """

    to: Mapping[Side, Fields]
    agreed: Fields
    conflicts: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    put_backs: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    overtaken: tuple[str, ...] = ()


def merge(
    rules: Rules,
    link: Link,
    left: Fields,
    right: Fields,
    decided: Mapping[str, FieldResolution] | None = None,
    doubtful: Collection[str] = (),
) -> Merged:
    """Say what both sides should now hold.

    left    DrChrono as just read;  right  Salesforce as just read
            (key absent: not read, so unchanged; None: read, and empty)
    decided field -> what a person decided of it
    doubtful fields that a side may have been given late, or edited: they count as moved on both
    Gives   the fields that were read on both sides, each with its verdict
    """
    by_word = apply_resolutions(rules, link, decided or {}, left, right)
    to: dict[Side, dict[str, str | None]] = {side: dict(by_word.to.get(side, {})) for side in Side}
    agreed: dict[str, str | None] = dict(by_word.agreed)
    conflicts, held, put_backs = [], [], []
    for name, row in rules.table.rows.items():
        if name not in left or name not in right or name in by_word.names:
            continue
        here, there = left[name], right[name]
        if row.equal(here, there):
            agreed[name] = here
            continue
        here_moved, there_moved = (
            True if name in doubtful else rules.moved(link, name, value) for value in (here, there)
        )
        if here_moved and there_moved and row.direction is Direction.BOTH:
            conflicts.append(name)
        verdict = _verdict(row, here, there, here_moved=here_moved, there_moved=there_moved)
        if verdict is FieldVerdict.HELD:
            held.append(name)
        elif verdict is FieldVerdict.TO_DRCHRONO:
            to[Side.DRCHRONO][name] = there
        else:
            to[Side.SALESFORCE][name] = here
            if row.direction is Direction.TO_SALESFORCE and there_moved and not here_moved:
                put_backs.append(name)
    _with_their_zone(rules, to, agreed, left)
    words = tuple(sorted(by_word.names)), tuple(sorted(by_word.overtaken))
    return Merged(to, agreed, tuple(conflicts), tuple(held), tuple(put_backs), *words)


def _with_their_zone(
    rules: Rules, to: Mapping[Side, dict[str, str | None]], agreed: dict[str, str | None], left: Fields
) -> None:
    """Have times travel to Salesforce again when their zone does: the same wall clock is another instant now."""
    for row in rules.table.rows.values():
        if row.options.zone in to[Side.SALESFORCE] and row.name in agreed:
            to[Side.SALESFORCE][row.name] = left[row.name]
            del agreed[row.name]


def _verdict(
    row: Row, here: str | None, there: str | None, *, here_moved: bool | None, there_moved: bool | None
) -> FieldVerdict:
    owners = FieldVerdict.TO_SALESFORCE if row.owner is Side.DRCHRONO else FieldVerdict.TO_DRCHRONO
    if row.direction is Direction.TO_SALESFORCE:
        return FieldVerdict.TO_SALESFORCE
    if here_moved is None or there_moved is None:
        if here is None or there is None:
            return FieldVerdict.TO_DRCHRONO if here is None else FieldVerdict.TO_SALESFORCE
        return owners
    if here_moved and there_moved:
        return FieldVerdict.HELD if row.on_conflict is OnConflict.HOLD else owners
    return FieldVerdict.TO_DRCHRONO if there_moved else FieldVerdict.TO_SALESFORCE
