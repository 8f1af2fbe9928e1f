"""What waits for a person: grouped by cause with the fix in words; retried, dismissed or restored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.log import log
from app.ports import Act, Action, By
from app.runtime import Runtime
from app.store import failures, queue_stats
from app.sync.failure_causes import fix
from app.sync.failure_sentences import labels, sentence
from app.sync.model import Kind, Side

FEW = 5
LONGEST_REASON = 200
NO_REASON = "no reason given"
Group = failures.Group
_MAY_DIFFER = 20  # by a twentieth of it, a number is still the one that was seen


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Failures of one cause.

    sample    (side, id) of one of its records, to look at; None where it has no id
    sentence  what is wrong with each
    retrying  how many of them are due again
    """

    cause: str
    side: str
    kind: str
    fields: tuple[str, ...]
    count: int
    is_held: bool
    link_id: str
    sample: tuple[str, str] | None
    sentence: str
    fix: str
    retrying: int


async def causes(runtime: Runtime, group: Group | None = None) -> list[CauseGroup]:
    """Give failures and holds by cause, the largest first; those of a group alone where told.

    Raises  StoreUnavailable
    """
    rows = await queue_stats.failure_groups(runtime.database, group)
    refs = await queue_stats.refs_of(runtime.database, [row.sample for row in rows])
    retrying = await queue_stats.retrying_groups(runtime.database, group)
    return [
        CauseGroup(
            row.cause,
            row.side,
            row.kind,
            tuple(row.fields.split(",")) if row.fields else (),
            row.records,
            row.is_held,
            row.sample,
            _shown(refs.get(row.sample, (None, None))),
            _sentence(runtime, row),
            fix(row.cause),
            retrying.get((row.side, row.kind, row.cause, row.fields, row.is_held), 0),
        )
        for row in rows
    ]


def _sentence(runtime: Runtime, row: Any) -> str:
    side, kind = Side(row.side), Kind(row.kind)
    names = row.fields.split(",") if row.fields else ()
    return sentence(row.cause, side, kind, labels(runtime.mappings.get(kind), side, names))


def ids(found: Sequence[CauseGroup]) -> tuple[str, ...]:
    """Give the ids of the records that are named as samples, for the audit."""
    return tuple(one.sample[1] for one in found if one.sample)


def _shown(ids: tuple[str | None, str | None]) -> tuple[str, str] | None:
    drchrono_id, salesforce_id = ids
    if drchrono_id is not None:
        return Side.DRCHRONO.value, drchrono_id
    return (Side.SALESFORCE.value, salesforce_id) if salesforce_id is not None else None


def is_as_seen(expected: int, number: int) -> bool:
    """Say whether a number is still about what a person saw: records fail and succeed while somebody reads."""
    return abs(number - expected) <= max(1, expected // _MAY_DIFFER)


async def number_of(runtime: Runtime, group: Group, limit: int | None = None) -> int:
    """Give how many an act would touch.

    Raises  StoreUnavailable
    """
    number = await failures.count(runtime.database, group)
    return number if limit is None else min(number, limit)


async def try_again(runtime: Runtime, group: Group, limit: int | None, by: By) -> int:
    """Have failures of a group tried again, at most so many, and ring; gives how many.

    Raises  StoreUnavailable
    """
    act = Act(by, Action.RETRY, named(group), await number_of(runtime, group, limit))
    done = await failures.try_again(runtime.database, group, limit, act)
    log.warning("failures.retried", cause=group.cause, kind=group.kind, side=group.side, records=done)
    runtime.wakeup.notify(runtime.mappings)
    return done


async def dismiss(runtime: Runtime, group: Group, limit: int | None, by: By, reason: str) -> int:
    """Dismiss failures of a group, at most so many; their records are left as they are until a value changes.

    reason  why, in the person's words; it names no patient
    Gives   how many
    Raises  StoreUnavailable
    """
    number = await number_of(runtime, group, limit)
    act = Act(by, Action.DISCARD, named(group), number, _said(reason))
    done = await failures.dismiss(runtime.database, group, limit, act)
    log.warning("failures.discarded", cause=group.cause, kind=group.kind, side=group.side, records=done)
    runtime.wakeup.notify(runtime.mappings)
    return done


async def restore(runtime: Runtime, group: Group, by: By, limit: int | None = None) -> int:
    """Undo the dismissal of failures of a group, at most so many: they wait for a person again, and are tried.

    Gives   how many

    Raises  StoreUnavailable
    """
    group = replace(group, is_dismissed=True)
    act = Act(by, Action.RESTORE, named(group), await number_of(runtime, group, limit))
    done = await failures.restore(runtime.database, group, limit, act)
    log.warning("failures.restored", cause=group.cause, kind=group.kind, side=group.side, records=done)
    runtime.wakeup.notify(runtime.mappings)
    return done


def _said(reason: str) -> str:
    """Give a reason in one line, as it is kept."""
    return " ".join(reason.split())[:LONGEST_REASON] or NO_REASON


def named(group: Group) -> str:
    """Give a group's name, for people and for the audit."""
    fields = (group.fields or "").replace(",", ", ")
    parts = (
        "" if group.ids is None else f"{len(group.ids):,} picked",
        group.cause or ("every cause" if group.ids is None else ""),
        group.side and f"at {group.side}",
        group.kind and f"{group.kind}s",
        group.field and f"field {group.field}",
        fields and f"of {fields}",
        "held" if group.is_held else "",
        "dismissed" if group.is_dismissed else "",
    )
    return ", ".join(part for part in parts if part)
