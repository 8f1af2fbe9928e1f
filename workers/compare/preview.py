"""Preview: what the records that a scan marked would become, told before anything of it is written.

Both sides are read as a worker would, from what was kept and one read of Salesforce for each 200, and `decide` is
asked; DrChrono is not called, its list counts as its word. What this comes to is the brake's to judge. A dry run
shows the same to a person: nothing is kept, made due or written, on any side. A chart that is new to us is matched
against Salesforce's Contacts; whether a Contact that asks to be taken over has a chart costs a search in DrChrono for
each, so these are only counted.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ulid import ULID

from app.errors import IdRefused, SyncError, Unexpected, ValueRefused
from app.log import log
from app.ports import SealedColumn
from app.runtime import Runtime
from app.store import lanes, links, scans
from app.store.scans import Scan
from app.store.work_queue import DeliveredBody, Due
from app.sync.brake import MOST_UNASKED, ChangeCount, advice, brake, expected_plan
from app.sync.decide import decide
from app.sync.diff import masked
from app.sync.failure_causes import BUSY
from app.sync.model import Absent, Base, Fields, Kind, Lane, Link, NothingNew, Seen, Side, Snapshot
from app.sync.plan import Create, Exclude, Hold, Incomplete, Nothing, Plan, Wait, planned_writes
from app.vendors.drchrono import wire
from workers import read
from workers.batch import Batch, Observed, read_only_batch
from workers.bisection import one_by_one
from workers.compare.checkpoint import ScanRequest
from workers.compare.listing import (
    changed_contacts,
    changed_rows,
    drchrono_pages,
    record_unreadable_rows,
    salesforce_pages,
)
from workers.match import CreateCandidate, candidate_of, match_contacts
from workers.read import reader_of

Show = Callable[[Due, Seen, Plan], None]


async def apply_brake(runtime: Runtime, asked: ScanRequest, scan: Scan) -> str:
    """Pause the lane when what waits to be let go is too much to go on with unasked; gives why, empty when it is not.

    Raises  SyncError when Salesforce cannot be read; then nothing is let go
    """
    known = runtime.settings
    if await scans.waiting(runtime.database, scan.name) <= min(MOST_UNASKED, known.brake_deletes):
        return ""
    prospect = ChangeCount()
    async for due in scans.batches(runtime.database, asked.kind, scan.name):
        await preview_batch(read_only_batch(runtime, asked.kind, asked.lane, due), prospect)
    linked = await links.linked(runtime.database, asked.kind)
    why = brake(prospect, linked, known.brake_share, known.brake_deletes)
    if why:
        reason = f"the brake, comparing {asked.kind}s: {why}"
        await lanes.set_paused(runtime.database, [asked.lane], reason)
        log.error("brake.pulled", kind=asked.kind.value, lane=asked.lane.value, cause=why, advice=advice(asked.lane))
    return why


async def preview_batch(batch: Batch, prospect: ChangeCount, see: Show = lambda _due, _seen, _plan: None) -> None:
    """Count in `prospect` what looks at all of a pass would lead to, and show each.

    Raises  SyncError when Salesforce cannot be read, or a kept body cannot be opened
    """
    reader = await reader_of(batch)
    held = await read.read_salesforce(batch, reader)
    out = await read.left_out(batch, [one for one in held.values() if isinstance(one, Snapshot)])

    def look(due: Due) -> tuple[Seen, Plan] | SyncError:
        link = replace(due.link, own_writes=())
        salesforce = held.get(link.id, Absent.ABSENT)
        if isinstance(salesforce, SyncError):
            return salesforce
        bodies = [read.delivered_snapshot(batch, reader, link.drchrono_id or "", body) for body in due.bodies]
        drchrono = replace(bodies[-1], confirmed=True) if bodies else _unheard(link)
        seen = Seen(drchrono, salesforce, excluded=out)
        return seen, expected_plan(batch.rules, link, seen, decide(batch.rules, link, seen, batch.leased.now))

    due = {one.link.id: one for one in batch.leased.due}
    for link_id, found in one_by_one(due, look).items():
        if isinstance(found, SyncError):
            _must_be_its_own(found)
            continue
        prospect.add(batch.rules.table, *found)
        see(due[link_id], *found)


def _must_be_its_own(error: SyncError) -> None:
    """Pass over a record that cannot be looked at; it changes nothing, and becomes a failure when it is synced.

    Raises  SyncError, where it is not the record's own fault
    """
    if not isinstance(error, Unexpected | ValueRefused | IdRefused):
        raise error


def _unheard(link: Link) -> Absent | NothingNew:
    """Give what is known of a chart that nothing was kept of; one that a whole list did not show is taken for gone."""
    return NothingNew.UNHEARD if link.confirm_due_at is None else Absent.ABSENT


_AT_ONCE, _SAMPLES = 200, 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of a field: the record on the side it would be written to, and masked values."""

    record_id: str
    before: str
    after: str


@dataclass(slots=True)
class DryRun:
    """What comparing a kind would do.

    read     side -> records gone through
    samples  (side, our name of the field) -> some of the changes
    created  records that are new to us and would be made in Salesforce;  `linked`: that would meet one there
    unclear  cause -> records that are new to us and would be left to a person
    wanted   Salesforce's records that ask to be taken over: each is searched for in DrChrono first
    stops    why the brake would hold the changes back; empty where it would not
    """

    kind: Kind
    read: Counter[Side] = field(default_factory=Counter)
    prospect: ChangeCount = field(default_factory=ChangeCount)
    samples: dict[tuple[Side, str], list[Sample]] = field(default_factory=dict)
    created: int = 0
    linked: int = 0
    unclear: Counter[str] = field(default_factory=Counter)
    wanted: int = 0
    stops: str = ""

    def see(self, due: Due, seen: Seen, plan: Plan) -> None:
        """Keep some changes of each field to be shown."""
        for side, fields in planned_writes(plan).items():
            before = seen.salesforce if side is Side.SALESFORCE else seen.drchrono
            held: Fields = before.fields if isinstance(before, Snapshot) else {}
            for name, value in fields.items():
                some = self.samples.setdefault((side, name), [])
                if len(some) < _SAMPLES:
                    was = masked(held[name]) if name in held else "…"
                    some.append(Sample(due.link.id_on(side) or "new", was, masked(value)))


PreviewProgress = Callable[[DryRun], None]


async def preview(runtime: Runtime, kind: Kind, since: datetime | None, lane: Lane, tell: PreviewProgress) -> DryRun:
    """Say what comparing a kind would do, since a moment or (None) since ever.

    Raises  SyncError
    """
    known, found = runtime.settings, DryRun(kind)
    seen = set[str]()
    async for due in _charts(runtime, found, since, lane):
        seen |= {one.link.id for one in due if one.link.salesforce_id}
        await _preview_due(runtime, found, due, lane)
        tell(found)
    async for due in _contacts(runtime, found, since, lane):
        await _preview_due(runtime, found, [one for one in due if one.link.id not in seen], lane)
        tell(found)
    linked = await links.linked(runtime.database, kind)
    found.stops = brake(found.prospect, linked, known.brake_share, known.brake_deletes)
    return found


async def _charts(runtime: Runtime, found: DryRun, since: datetime | None, lane: Lane) -> AsyncIterator[list[Due]]:
    """Give DrChrono's rows that tell of something, as if they had been delivered."""
    assert runtime.drchrono is not None
    table, rules = runtime.mappings[found.kind], runtime.rules(found.kind)
    async for page in drchrono_pages(runtime.drchrono.on(lane), table, since):
        found.read[Side.DRCHRONO] += len(page.rows)
        agreed = await links.healthy_pairs(runtime.database, found.kind, [wire.record_id(row) for row in page.rows])
        record_unreadable_rows(runtime, found.kind, Side.DRCHRONO, page.unreadable)
        news = changed_rows(rules, page.rows, agreed)
        due = [_due_of_row(runtime, found.kind, lane, row, agreed) for row in news.values()]
        for at in range(0, len(due), _AT_ONCE):
            yield due[at : at + _AT_ONCE]


def _due_of_row(runtime: Runtime, kind: Kind, lane: Lane, row: dict[str, Any], agreed: Mapping[str, Link]) -> Due:
    record_id = wire.record_id(row)
    kept = runtime.mappings[kind].keep(row, "id", "updated_at", *wire.BESIDE)
    sealed = runtime.vault.seal(kept, SealedColumn.DELIVERY_BODY.of(""))
    body = DeliveredBody("", 0, sealed, wire.version(row), runtime.now())
    link = agreed.get(record_id) or Link(str(ULID()), kind, record_id, None, Base())
    return Due(link, 0, 0, 0, lane, (body,))


async def _contacts(runtime: Runtime, found: DryRun, since: datetime | None, lane: Lane) -> AsyncIterator[list[Due]]:
    """Give the linked records of Salesforce's that tell of something; those that ask to be taken over are counted."""
    assert runtime.salesforce is not None
    table, rules, batch = (
        runtime.mappings[found.kind],
        runtime.rules(found.kind),
        read_only_batch(runtime, found.kind, lane),
    )
    async for page in salesforce_pages(runtime.salesforce.on(lane), table, since, ""):
        found.read[Side.SALESFORCE] += len(page.rows)
        reader = await reader_of(batch)
        agreed = await links.healthy_pairs(
            runtime.database, found.kind, [str(row["Id"]) for row in page.rows], Side.SALESFORCE
        )
        record_unreadable_rows(runtime, found.kind, Side.SALESFORCE, page.unreadable)
        news = changed_contacts(rules, reader, page.rows, agreed)
        due = []
        for row in page.rows:
            link = agreed.get(str(row["Id"]))
            is_news = bool(row.get("IsDeleted")) or row["Id"] in news
            if is_news and link is not None:
                due.append(Due(link, 0, 0, 0, lane))
            elif is_news and not row.get("IsDeleted") and not row.get(table.external_id):
                found.wanted += 1
        for at in range(0, len(due), _AT_ONCE):
            yield due[at : at + _AT_ONCE]


async def _preview_due(runtime: Runtime, found: DryRun, due: Sequence[Due], lane: Lane) -> None:
    if linked := [one for one in due if one.link.salesforce_id]:
        await preview_batch(read_only_batch(runtime, found.kind, lane, linked), found.prospect, found.see)
    if lone := [one for one in due if not one.link.salesforce_id]:
        await _preview_matches(runtime, found, lone, lane)


async def _preview_matches(runtime: Runtime, found: DryRun, due: Sequence[Due], lane: Lane) -> None:
    """Say of charts that are new to us whom they would meet in Salesforce."""
    batch = read_only_batch(runtime, found.kind, lane, due)
    reader = await reader_of(batch)

    def look(one: Due) -> tuple[Plan, CreateCandidate | None]:
        chart = read.delivered_snapshot(batch, reader, one.link.drchrono_id or "", one.bodies[-1])
        seen = Seen(chart, Absent.ABSENT)
        plan = decide(batch.rules, one.link, seen, batch.leased.now)
        return plan, candidate_of(batch, Observed(one, seen), plan) if isinstance(plan, Create) else None

    candidates = []
    for looked in one_by_one({one.link.id: one for one in due}, look).values():
        if isinstance(looked, SyncError):
            _must_be_its_own(looked)
            continue
        plan, candidate = looked
        if candidate is not None and candidate.prints:
            candidates.append(candidate)
        elif isinstance(plan, Hold):
            found.unclear[plan.cause] += 1
        else:
            found.created += not isinstance(plan, Nothing | Incomplete | Exclude | Wait)
    namesake = Wait(BUSY, batch.leased.now)  # of two charts of one person, the second waits for the first
    judged = await match_contacts(batch, candidates, namesake)
    for verdict in judged.values():
        match verdict:
            case SyncError():
                _must_be_its_own(verdict)
            case Hold():
                found.unclear[verdict.cause] += 1
            case Create():
                found.created += 1
            case _:
                found.linked += 1
