"""The words of a scan: what is to be gone through, in which phases, and the checkpoint it has come to.

And those of a preview, which goes through the same and writes nothing: what it has counted by then.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.operations.backfill import Counts
from app.store.links import FailedLink
from app.store.work_queue import Due
from app.sync.base import Rules
from app.sync.brake import ChangeCount
from app.sync.deletions import is_cancelled
from app.sync.diff import masked
from app.sync.failure_causes import NO_PARENT
from app.sync.identity import FINDERS
from app.sync.mappings.table import Table
from app.sync.model import Fields, Kind, Lane, Link, Seen, Side, Snapshot
from app.sync.plan import Exclude, Hold, Incomplete, Plan, planned_writes
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from workers.outcome_failed import failure_of


class Phase(StrEnum):
    """The parts of a scan, in order."""

    DRCHRONO = "drchrono"
    SALESFORCE = "salesforce"
    DELETED = "deleted"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What is to be gone through: a kind, for which lane, since when (None: all there is)."""

    kind: Kind
    lane: Lane
    since: datetime | None = None

    @property
    def name(self) -> str:
        """What it is saved under."""
        return f"{self.lane}_{self.kind}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a scan has come.

    began    when, ISO 8601, by the database's clock
    cursor   of the next page of this phase
    since    as requested when it began, ISO 8601; None: all there is
    read     side -> records gone through;  `found`: of these, how many differ or are new to us
    of       how many there are in this phase, where the vendor says so
    stopped  why the brake holds back what was found; empty when it does not
    """

    began: str
    phase: Phase = Phase.DRCHRONO
    cursor: str = ""
    since: str | None = None
    read: Mapping[str, int] = field(default_factory=dict)
    found: Mapping[str, int] = field(default_factory=dict)
    of: int | None = None
    stopped: str = ""

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "Checkpoint":
        """Give the checkpoint that was saved as this."""
        known = {_SAVED_AS.get(name, name): value for name, value in saved.items()}
        return cls(**{**known, "phase": Phase(known["phase"])})

    def to_save(self) -> dict[str, Any]:
        """Give it as it is saved; a scan that an older version began goes on, so its names stay."""
        return {_NAMED.get(name, name): value for name, value in asdict(self).items()}

    def advanced(self, side: Side, cursor: str, read: int, found: int, of: int | None = None) -> "Checkpoint":
        """Give the checkpoint behind a page of a side's."""
        gone_through = {**self.read, side.value: self.read.get(side, 0) + read}
        differing = {**self.found, side.value: self.found.get(side, 0) + found}
        return replace(self, cursor=cursor, read=gone_through, found=differing, of=of)


_SAVED_AS = {"leg": "phase", "place": "cursor"}
_NAMED = {name: saved for saved, name in _SAVED_AS.items()}


_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of a field: the record on the side it would be written to, and masked values."""

    record_id: str
    before: str
    after: str


@dataclass(slots=True)
class NewPeople:
    """Whom records are that are new to us, so that one side's are matched with the other's without a call.

    charts  person -> the charts that are new to us
    met     Salesforce's records that a chart would be linked to
    done    persons that were counted with their chart, or with another Contact
    """

    charts: dict[str, list[Snapshot]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)

    def add(self, table: Table, person: str, chart: Snapshot) -> None:
        """Remember who a chart is, and what tells it from a namesake's; a visit that was called off is nobody."""
        if not is_cancelled(table, chart.fields):
            narrowing = FINDERS[table.kind].narrowing
            kept = {name: value for name, value in chart.fields.items() if table.rows[name].codec.name in narrowing}
            self.charts.setdefault(person, []).append(Snapshot(chart.id, kept))


@dataclass(slots=True)
class DryRun:
    """What comparing a kind would do.

    read     side -> records gone through
    samples  (side, our name of the field) -> some of the changes
    stops    why the brake would hold the changes back; empty where it would not
    pairs    links that were met; of them and lone ones `failing` (by id) have a failure, `excluded` are out of the set;
             `dismissed` were, of which `revived` show something else than they did then
    limit    how many records of a side are gone through; None: all
    changed  fields that another mapping than the one in use has otherwise; `by_change`: how many linked records would
             be written because of them
    """

    kind: Kind
    is_whole: bool = True
    read: Counter[Side] = field(default_factory=Counter)
    counts: Counts = field(default_factory=Counts)
    prospect: ChangeCount = field(default_factory=ChangeCount)
    samples: dict[tuple[Side, str], list[Sample]] = field(default_factory=dict)
    stops: str = ""
    people: NewPeople = field(default_factory=NewPeople)
    pairs: set[str] = field(default_factory=set)
    failing: dict[str, FailedLink] = field(default_factory=dict)
    excluded: set[str] = field(default_factory=set)
    dismissed: set[str] = field(default_factory=set)
    revived: set[str] = field(default_factory=set)
    limit: int | None = None
    changed: frozenset[str] = frozenset()
    by_change: int = 0

    def take(self, side: Side, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give the rows of a page that are within the limit, counted as gone through."""
        taken = rows if self.limit is None else rows[: self.limit - self.read[side]]
        self.read[side] += len(taken)
        return taken

    def has_enough(self, side: Side) -> bool:
        """Say whether so many records of a side were gone through as are wanted."""
        return self.limit is not None and self.read[side] >= self.limit

    def see(self, due: Due, seen: Seen, plan: Plan) -> None:
        """Keep some changes of each field to be shown, and count what changed fields have written."""
        self.by_change += any(name in self.changed for fields in planned_writes(plan).values() for name in fields)
        for side, fields in planned_writes(plan).items():
            before = seen.salesforce if side is Side.SALESFORCE else seen.drchrono
            held: Fields = before.fields if isinstance(before, Snapshot) else {}
            for name, value in fields.items():
                some = self.samples.setdefault((side, name), [])
                if len(some) < _SAMPLES:
                    was = masked(held[name]) if name in held else "…"
                    some.append(Sample(due.link.id_on(side) or "new", was, masked(value)))

    def meet(self, agreed: Mapping[str, Link], failed: Mapping[str, FailedLink]) -> None:
        """Count the links of records that were gone through, each once, by how they are."""
        for one in failed.values():
            if one.id not in self.failing:
                (self.counts.held if one.is_held else self.counts.failed)[one.cause] += 1
        self.failing |= {one.id: one for one in failed.values()}
        self.pairs |= {link.id for link in agreed.values() if link.is_pair}
        self.pairs |= {one.id for one in failed.values() if one.is_pair}
        self.dismissed |= {link.id for link in agreed.values() if link.is_dismissed}
        self.excluded |= {link.id for link in agreed.values() if link.excluded_by}

    def leave_out(self, rules: Rules, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count rows of DrChrono's that are in no link and will be in none."""
        reader = SideReader(rules.table)
        for row in rows:
            is_out = reader.drchrono(wire.record_id(row), row, confirmed=False).is_included is False
            self.counts.excluded += is_out
            self.counts.left_out += not is_out

    def miss(self, table: Table, plan: Plan) -> None:
        """Count a record that is new to us and would not travel."""
        self.counts.excluded += isinstance(plan, Exclude)
        if isinstance(plan, Hold):
            self.counts.decide[plan.cause] += 1
        elif isinstance(plan, Incomplete):
            failure = failure_of(plan, table, {})
            self.counts.unfit[failure.cause if failure else NO_PARENT] += 1


PreviewProgress = Callable[[DryRun], Awaitable[None]]
