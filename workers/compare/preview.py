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

from app.log import log
from app.runtime import Runtime
from app.store import lanes, links, scans
from app.store.scans import Scan
from app.store.work_queue import Body, Due
from app.sync.brake import MOST_UNASKED, ChangeCount, advice, brake, expected_plan
from app.sync.decide import decide
from app.sync.diff import masked
from app.sync.model import Absent, Action, Base, Fields, Kind, Lane, Link, NothingNew, Plan, Seen, Side, Snapshot
from app.vendors.drchrono import wire
from workers import read
from workers.batch import Batch, Observed, read_only_batch
from workers.compare.checkpoint import ScanRequest
from workers.compare.listing import drchrono_pages, drchrono_row_changed, salesforce_pages, salesforce_row_changed
from workers.match import candidate_of, match_contacts
from workers.read import salesforce_snapshot, visit_zones

Show = Callable[[Due, Seen, Plan], None]


async def apply_brake(run: Runtime, asked: ScanRequest, scan: Scan) -> str:
    """Pause the lane when what waits to be let go is too much to go on with unasked; gives why, empty when it is not.

    Raises  SyncError when Salesforce cannot be read; then nothing is let go
    """
    known = run.settings
    if await scans.waiting(run.database, scan.name) <= min(MOST_UNASKED, known.brake_deletes):
        return ""
    prospect = ChangeCount()
    async for due in scans.batches(run.database, asked.kind, scan.name):
        await preview_batch(read_only_batch(run, asked.kind, asked.lane, due), prospect)
    linked = await links.linked(run.database, asked.kind)
    why = brake(prospect, linked, known.brake_share, known.brake_deletes)
    if why:
        reason = f"the brake, comparing {asked.kind}s: {why}"
        await lanes.set_paused(run.database, [asked.lane], reason)
        log.error("brake.pulled", kind=asked.kind.value, lane=asked.lane.value, cause=why, advice=advice(asked.lane))
    return why


async def preview_batch(work: Batch, prospect: ChangeCount, see: Show = lambda _due, _seen, _plan: None) -> None:
    """Count in `prospect` what looks at all of a pass would lead to, and show each.

    Raises  SyncError when Salesforce cannot be read, or a kept body cannot be opened
    """
    clock = await visit_zones(work)
    held = await read.read_salesforce(work, clock)
    for due in work.taken.due:
        link = replace(due.link, own_writes=())
        bodies = [read.delivered_snapshot(work, clock, link.drchrono_id or "", body) for body in due.bodies]
        drchrono = replace(bodies[-1], confirmed=True) if bodies else _unheard(link)
        seen = Seen(drchrono, held.get(link.id, Absent.ABSENT))
        plan = expected_plan(work.rules, link, seen, decide(work.rules, link, seen, work.taken.now))
        prospect.add(work.rules.table, seen, plan)
        see(due, seen, plan)


def _unheard(link: Link) -> Absent | NothingNew:
    """Give what is known of a chart that nothing was kept of; one that a whole list did not show is taken for gone."""
    return NothingNew.UNHEARD if link.confirm_at is None else Absent.ABSENT


_AT_ONCE, _SAMPLES = 200, 3


_NAMESAKE = Plan(Action.WAIT)  # of two charts of one person, the second waits for the first


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
        for side, fields in plan.writes.items():
            before = seen.salesforce if side is Side.SALESFORCE else seen.drchrono
            held: Fields = before.fields if isinstance(before, Snapshot) else {}
            for name, value in fields.items():
                some = self.samples.setdefault((side, name), [])
                if len(some) < _SAMPLES:
                    was = masked(held[name]) if name in held else "…"
                    some.append(Sample(due.link.id_on(side) or "new", was, masked(value)))


Progress = Callable[[DryRun], None]


async def preview(run: Runtime, kind: Kind, since: datetime | None, lane: Lane, tell: Progress) -> DryRun:
    """Say what comparing a kind would do, since a moment or (None) since ever.

    Raises  SyncError
    """
    known, found = run.settings, DryRun(kind)
    seen = set[str]()
    async for due in _charts(run, found, since, lane):
        seen |= {one.link.id for one in due if one.link.salesforce_id}
        await _preview_due(run, found, due, lane)
        tell(found)
    async for due in _contacts(run, found, since, lane):
        await _preview_due(run, found, [one for one in due if one.link.id not in seen], lane)
        tell(found)
    linked = await links.linked(run.database, kind)
    found.stops = brake(found.prospect, linked, known.brake_share, known.brake_deletes)
    return found


async def _charts(run: Runtime, found: DryRun, since: datetime | None, lane: Lane) -> AsyncIterator[list[Due]]:
    """Give DrChrono's rows that tell of something, as if they had been delivered."""
    assert run.drchrono is not None
    table, rules = run.mappings[found.kind], run.rules(found.kind)
    async for page in drchrono_pages(run.drchrono.on(lane), table, since):
        found.read[Side.DRCHRONO] += len(page.rows)
        agreed = await links.healthy_pairs(run.database, found.kind, [wire.record_id(row) for row in page.rows])
        news = [row for row in page.rows if drchrono_row_changed(rules, row, agreed.get(wire.record_id(row)))]
        due = [_due_of_row(run, found.kind, lane, row, agreed) for row in news]
        for at in range(0, len(due), _AT_ONCE):
            yield due[at : at + _AT_ONCE]


def _due_of_row(run: Runtime, kind: Kind, lane: Lane, row: dict[str, Any], agreed: Mapping[str, Link]) -> Due:
    record_id = wire.record_id(row)
    sealed = run.vault.seal(run.mappings[kind].keep(row, "id", "updated_at", *wire.BESIDE))
    body = Body("", 0, sealed, wire.version(row), run.now())
    link = agreed.get(record_id) or Link(str(ULID()), kind, record_id, None, Base())
    return Due(link, 0, 0, 0, lane, (body,))


async def _contacts(run: Runtime, found: DryRun, since: datetime | None, lane: Lane) -> AsyncIterator[list[Due]]:
    """Give the linked records of Salesforce's that tell of something; those that ask to be taken over are counted."""
    assert run.salesforce is not None
    table, rules, work = run.mappings[found.kind], run.rules(found.kind), read_only_batch(run, found.kind, lane)
    async for page in salesforce_pages(run.salesforce.on(lane), table, since, ""):
        found.read[Side.SALESFORCE] += len(page.rows)
        clock = await visit_zones(work)
        agreed = await links.healthy_pairs(
            run.database, found.kind, [str(row["Id"]) for row in page.rows], Side.SALESFORCE
        )
        due = []
        for row in page.rows:
            link = agreed.get(str(row["Id"]))
            is_news = bool(row.get("IsDeleted")) or salesforce_row_changed(
                rules, salesforce_snapshot(work, clock, row), link
            )
            if is_news and link is not None:
                due.append(Due(link, 0, 0, 0, lane))
            elif is_news and not row.get("IsDeleted") and not row.get(table.external_id):
                found.wanted += 1
        for at in range(0, len(due), _AT_ONCE):
            yield due[at : at + _AT_ONCE]


async def _preview_due(run: Runtime, found: DryRun, due: Sequence[Due], lane: Lane) -> None:
    if linked := [one for one in due if one.link.salesforce_id]:
        await preview_batch(read_only_batch(run, found.kind, lane, linked), found.prospect, found.see)
    if lone := [one for one in due if not one.link.salesforce_id]:
        await _preview_matches(run, found, lone, lane)


async def _preview_matches(run: Runtime, found: DryRun, due: Sequence[Due], lane: Lane) -> None:
    """Say of charts that are new to us whom they would meet in Salesforce."""
    work = read_only_batch(run, found.kind, lane, due)
    clock = await visit_zones(work)
    wishes = []
    for one in due:
        chart = read.delivered_snapshot(work, clock, one.link.drchrono_id or "", one.bodies[-1])
        seen = Seen(chart, Absent.ABSENT)
        plan = decide(work.rules, one.link, seen, work.taken.now)
        wish = candidate_of(work, Observed(one, seen), plan) if plan.action is Action.CREATE else None
        if wish is not None and wish.prints:
            wishes.append(wish)
        elif plan.action is Action.HOLD:
            found.unclear[plan.cause] += 1
        else:
            found.created += plan.action not in (Action.NOTHING, Action.WAIT)
    judged = await match_contacts(work, wishes, _NAMESAKE)
    for verdict in judged.values():
        if not isinstance(verdict, Plan):
            raise verdict
        if verdict.action is Action.HOLD:
            found.unclear[verdict.cause] += 1
        elif verdict.action is Action.CREATE:
            found.created += 1
        else:
            found.linked += 1
