"""Backfill: what is known of what was there before both sides were connected, and having it previewed and loaded.

A first load is a person's word. Connecting starts events; what was there stays as it is until somebody has seen what
loading would do, and says go. Of a preview only numbers are kept, by kind.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.ports import Act, Action, By
from app.runtime import Runtime
from app.store import backfills, queue_stats, scans
from app.store.backfills import Backfill
from app.sync.mappings.table import Table
from app.sync.model import Kind, Lane, Side

LOOK = "chronobridge backfill --dry-run"
LOAD = "chronobridge backfill"


@dataclass(slots=True)
class Counts:
    """What a preview counted of a kind.

    there      side -> records that there are; `left_out` are none of ours: breaks, deleted ones
    excluded   that the mapping leaves out of the set that is synced, linked or not
    linked     that are a pair already
    failed     cause -> records that wait for a mend, linked or not;  `held`: for a person's decision
    dismissed  records of which a person has dismissed that, and no value has changed since
    matched    records new to us that would be linked to one that is there
    created    side -> records that would be made there
    decide     cause -> records new to us that would wait for a person's decision
    unfit      cause -> records new to us that lack something, and would wait for a mend
    asking     records of Salesforce's that ask to be taken over, where not all charts were gone through to match them
    unloaded   records that a comparison leaves alone until their kind is loaded
    """

    there: Counter[Side] = field(default_factory=Counter)
    left_out: int = 0
    excluded: int = 0
    linked: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    dismissed: int = 0
    matched: int = 0
    created: Counter[Side] = field(default_factory=Counter)
    decide: Counter[str] = field(default_factory=Counter)
    unfit: Counter[str] = field(default_factory=Counter)
    asking: int = 0
    unloaded: int = 0

    def as_json(self) -> dict[str, Any]:
        """Give it as it is kept, and as the API and `--json` say it."""
        return {
            "there": {side.value: self.there[side] for side in Side},
            "left_out": self.left_out,
            "excluded": self.excluded,
            "linked": self.linked,
            "failed": dict(self.failed),
            "held": dict(self.held),
            "dismissed": self.dismissed,
            "would_match": self.matched,
            "would_create": {side.value: self.created[side] for side in Side},
            "would_need_decision": dict(self.decide),
            "would_fail": dict(self.unfit),
        }


class LoadState(StrEnum):
    """How far the first load of a kind is.

    PREVIEWING  somebody has asked for a preview, which a worker makes
    LOADING     somebody has said go: the lists of both sides are gone through
    APPLYING    they were, and the workers write what was found
    """

    NOT_LOADED = "not_loaded"
    PREVIEWING = "previewing"
    LOADING = "loading"
    APPLYING = "applying"
    LOADED = "loaded"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many records of a side were gone through, of how many; `of` is None where nobody knows."""

    side: Side
    done: int
    of: int | None = None


@dataclass(frozen=True, slots=True)
class KindState:
    """How far the first load of a kind is.

    progress  of a preview or a load under way
    left      records that the workers have still to apply
    """

    kind: Kind
    object: str
    state: LoadState
    known: Backfill
    progress: tuple[Progress, ...] = ()
    left: int = 0

    @property
    def counts(self) -> Mapping[str, Any]:
        """What the latest preview counted; empty where none was made."""
        return self.known.counts

    @property
    def decisions(self) -> int:
        """How many would wait for a person's decision."""
        return sum(self.counts.get("would_need_decision", {}).values())

    @property
    def failing(self) -> int:
        """How many would wait for a mend."""
        return sum(self.counts.get("would_fail", {}).values())

    @property
    def there(self) -> Mapping[Side, str]:
        """How many there are on each side, in words."""
        there = self.counts.get("there", {})
        name = "File" if self.kind is Kind.DOCUMENT else self.object
        name = f"{name} record" if name.endswith("__c") else name
        words = {Side.DRCHRONO: self.kind.value, Side.SALESFORCE: name}
        return {side: some(there.get(side, 0), word) for side, word in words.items()}


def kinds_to_load(runtime: Runtime) -> list[Kind]:
    """Give the kinds that wait for a person's word, parents first; doctors and offices come at once."""
    order = (Kind.PATIENT, Kind.APPOINTMENT, Kind.DOCUMENT)
    return [kind for kind in order if kind in runtime.mappings and not runtime.mappings[kind].is_one_way]


async def states(runtime: Runtime) -> list[KindState]:
    """Give how far the first load of each kind is, as the database knows it; no vendor is asked.

    Raises  StoreUnavailable
    """
    known = await backfills.read(runtime.database)
    return [
        await _state(runtime, runtime.mappings[kind], known.get(kind, Backfill(kind)))
        for kind in kinds_to_load(runtime)
    ]


async def _state(runtime: Runtime, table: Table, known: Backfill) -> KindState:
    kind = table.kind
    if known.is_loaded:
        left = (await queue_stats.left_of_comparison(runtime.database, Lane.BACKFILL, [kind])).records
        return KindState(kind, table.object, LoadState.APPLYING if left else LoadState.LOADED, known, left=left)
    saved = await scans.progress(runtime.database, f"{Lane.BACKFILL}_{kind}")
    if saved is not None or known.load_asked_at is not None:
        read: Mapping[str, int] = saved.at.get("read", {}) if saved else {}
        if saved is not None and not saved.is_held and known.load_asked_at is None:
            known = replace(known, problem=f"it was cut off, and `{LOAD}` goes on where it stood")
        there: Mapping[str, int] = known.counts.get("there", {})
        parts = tuple(Progress(side, read.get(side, 0), there.get(side)) for side in Side)
        return KindState(kind, table.object, LoadState.LOADING, known, parts)
    if known.preview_asked_at is not None:
        parts = tuple(Progress(side, known.progress.get(side, 0)) for side in Side)
        return KindState(kind, table.object, LoadState.PREVIEWING, known, parts)
    return KindState(kind, table.object, LoadState.NOT_LOADED, known)


def may_load(runtime: Runtime) -> bool:
    """Say whether both sides are set up, so that there is something to load."""
    return runtime.drchrono is not None and runtime.salesforce is not None


def note(found: Sequence[KindState]) -> tuple[str, str | None] | None:
    """Give what was not loaded yet, and what a person runs; None where everything is loaded."""
    open_ = [one for one in found if one.state in (LoadState.NOT_LOADED, LoadState.PREVIEWING)]
    loading = [f"{one.kind}s are being loaded: {_read(one)}" for one in found if one.state == LoadState.LOADING]
    if not open_:
        return ("; ".join(loading), None) if loading else None
    parts = [_counted(one) for one in open_]
    if not any(one.counts for one in open_):
        parts = [f"{' and '.join(f'{one.kind}s' for one in open_)}: nobody has looked"]
        parts = ["nobody has looked"] if len(open_) == len(found) else parts
    command = LOAD if all(one.counts for one in open_) else LOOK
    return "; ".join([*loading, f"not loaded yet: {'; '.join(parts)}"]), f"run `{command}`"


def summary(found: Sequence[KindState]) -> str | None:
    """Give the note in one line."""
    said = note(found)
    return said and "; ".join(filter(None, said))


def _read(one: KindState) -> str:
    parts = (
        f"{part.done:,}{'' if part.of is None else f' of {part.of:,}'} of {NAMES[part.side]}" for part in one.progress
    )
    said = f"{', '.join(parts)} gone through"
    return f"{said}; {one.known.problem}" if one.known.problem else said


def _counted(one: KindState) -> str:
    if not one.counts:
        return f"{one.kind}s: nobody has looked"
    parts = [*one.there.values(), f"{one.counts['would_match']:,} would match"]
    created = one.counts["would_create"].items()
    parts += [f"{count:,} would be created in {NAMES[Side(side)]}" for side, count in created if count]
    parts += [f"{one.decisions:,} need{'s' * (one.decisions == 1)} a decision"] if one.decisions else []
    parts += [f"{one.failing:,} lack{'s' * (one.failing == 1)} something"] if one.failing else []
    at = one.known.counted_at
    return f"{', '.join(parts)} (counted {at:%Y-%m-%d %H:%M} UTC)" if at else ", ".join(parts)


def some(count: int, word: str) -> str:
    """Give a number of things as a person says it."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


NAMES: Mapping[Side, str] = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}


async def keep_counts(runtime: Runtime, kind: Kind, counts: Counts) -> None:
    """Keep what a preview of all there is has counted; no name and no id is among it.

    Raises  StoreUnavailable, OtherInstance
    """
    await backfills.counted(runtime.database, kind, counts.as_json())


async def ask_preview(runtime: Runtime, kinds: Sequence[Kind], by: By) -> None:
    """Have the workers count what loading these kinds would do; nothing is written at a vendor.

    Raises  StoreUnavailable, OtherInstance
    """
    for kind in kinds:
        await backfills.ask_preview(runtime.database, kind, Act(by, Action.PREVIEW, f"{kind}s", 0))


async def ask_load(runtime: Runtime, kinds: Sequence[Kind], by: By) -> list[Kind]:
    """Have the workers load these kinds, parents first, and give those that this was new for.

    Raises  StoreUnavailable, OtherInstance
    """
    return [
        kind
        for kind in kinds
        if await backfills.ask_load(runtime.database, kind, Act(by, Action.BACKFILL, f"{kind}s", 0))
    ]


def state_as_json(one: KindState) -> dict[str, Any]:
    """Give how far a kind is, as the API says it."""
    known = one.known
    return {
        "kind": one.kind.value,
        "object": one.object,
        "state": one.state.value,
        "connected_at": _iso(known.connected_at),
        "counted_at": _iso(known.counted_at),
        "counts": dict(one.counts) or None,
        "read": {part.side.value: part.done for part in one.progress},
        "left": one.left,
        "problem": known.problem or None,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
