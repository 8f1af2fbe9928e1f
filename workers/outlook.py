"""Outlook: what comparing would do, told without doing it. Nothing is kept, made due or written, on any side.

Both sides are gone through as a scan does, and what differs is looked at as a worker would. A chart that is new to us
is matched against Salesforce's Contacts; whether a Contact that asks to be taken over has a chart costs a search in
DrChrono for each, so these are only counted.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ulid import ULID

from app.runtime import Runtime
from app.store import links
from app.store.due import Body, Due
from app.sync.base import Base
from app.sync.brake import ChangeCount, brake
from app.sync.decide import decide
from app.sync.masked import masked
from app.sync.records import Absent, Action, Fields, Kind, Lane, Link, Plan, Seen, Side, Sight
from app.vendors.drchrono import wire
from workers import from_drchrono
from workers.foresight import foresee, onlooker
from workers.from_salesforce import contact
from workers.meet_contacts import met_contacts
from workers.news import drchrono_says_news, salesforce_says_news
from workers.pages import of_drchrono, of_salesforce
from workers.passes import Looked
from workers.visits import clock_of
from workers.wishes import wish_of

_AT_ONCE, _SAMPLES = 200, 3
_NAMESAKE = Plan(Action.WAIT)  # of two charts of one person, the second waits for the first


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of a field: the record on the side it would be written to, and masked values."""

    record_id: str
    before: str
    after: str


@dataclass(slots=True)
class Outlook:
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
            held: Fields = before.fields if isinstance(before, Sight) else {}
            for name, value in fields.items():
                some = self.samples.setdefault((side, name), [])
                if len(some) < _SAMPLES:
                    was = masked(held[name]) if name in held else "…"
                    some.append(Sample(due.link.id_on(side) or "new", was, masked(value)))


Tell = Callable[[Outlook], None]


async def outlook(run: Runtime, kind: Kind, since: datetime | None, lane: Lane, tell: Tell) -> Outlook:
    """Say what comparing a kind would do, since a moment or (None) since ever.

    Raises  SyncError
    """
    known, found = run.settings, Outlook(kind)
    seen = set[str]()
    async for due in _charts(run, found, since, lane):
        seen |= {one.link.id for one in due if one.link.salesforce_id}
        await _look(run, found, due, lane)
        tell(found)
    async for due in _contacts(run, found, since, lane):
        await _look(run, found, [one for one in due if one.link.id not in seen], lane)
        tell(found)
    linked = await links.linked(run.database, kind)
    found.stops = brake(found.prospect, linked, known.brake_share, known.brake_deletes)
    return found


async def _charts(run: Runtime, found: Outlook, since: datetime | None, lane: Lane) -> AsyncIterator[list[Due]]:
    """Give DrChrono's rows that tell of something, as if they had been delivered."""
    assert run.drchrono is not None
    table, rules = run.mappings[found.kind], run.rules(found.kind)
    async for page in of_drchrono(run.drchrono.on(lane), table, since):
        found.read[Side.DRCHRONO] += len(page.rows)
        agreed = await links.agreed(run.database, found.kind, [wire.record_id(row) for row in page.rows])
        news = [row for row in page.rows if drchrono_says_news(rules, row, agreed.get(wire.record_id(row)))]
        due = [_due_of_row(run, found.kind, lane, row, agreed) for row in news]
        for at in range(0, len(due), _AT_ONCE):
            yield due[at : at + _AT_ONCE]


def _due_of_row(run: Runtime, kind: Kind, lane: Lane, row: dict[str, Any], agreed: Mapping[str, Link]) -> Due:
    record_id = wire.record_id(row)
    sealed = run.vault.seal(run.mappings[kind].keep(row, "id", "updated_at", *wire.BESIDE))
    body = Body("", 0, sealed, wire.version(row), run.now())
    link = agreed.get(record_id) or Link(str(ULID()), kind, record_id, None, Base())
    return Due(link, 0, 0, 0, lane, (body,))


async def _contacts(run: Runtime, found: Outlook, since: datetime | None, lane: Lane) -> AsyncIterator[list[Due]]:
    """Give the linked records of Salesforce's that tell of something; those that ask to be taken over are counted."""
    assert run.salesforce is not None
    table, rules, work = run.mappings[found.kind], run.rules(found.kind), onlooker(run, found.kind, lane)
    async for page in of_salesforce(run.salesforce.on(lane), table, since, ""):
        found.read[Side.SALESFORCE] += len(page.rows)
        clock = await clock_of(work)
        agreed = await links.agreed(run.database, found.kind, [str(row["Id"]) for row in page.rows], Side.SALESFORCE)
        due = []
        for row in page.rows:
            link = agreed.get(str(row["Id"]))
            is_news = bool(row.get("IsDeleted")) or salesforce_says_news(rules, contact(work, clock, row), link)
            if is_news and link is not None:
                due.append(Due(link, 0, 0, 0, lane))
            elif is_news and not row.get("IsDeleted") and not row.get(table.external_id):
                found.wanted += 1
        for at in range(0, len(due), _AT_ONCE):
            yield due[at : at + _AT_ONCE]


async def _look(run: Runtime, found: Outlook, due: Sequence[Due], lane: Lane) -> None:
    if linked := [one for one in due if one.link.salesforce_id]:
        await foresee(onlooker(run, found.kind, lane, linked), found.prospect, found.see)
    if lone := [one for one in due if not one.link.salesforce_id]:
        await _meet(run, found, lone, lane)


async def _meet(run: Runtime, found: Outlook, due: Sequence[Due], lane: Lane) -> None:
    """Say of charts that are new to us whom they would meet in Salesforce."""
    work = onlooker(run, found.kind, lane, due)
    clock = await clock_of(work)
    wishes = []
    for one in due:
        chart = from_drchrono.delivered(work, clock, one.link.drchrono_id or "", one.bodies[-1])
        seen = Seen(chart, Absent.ABSENT)
        plan = decide(work.rules, one.link, seen, work.taken.now)
        wish = wish_of(work, Looked(one, seen), plan) if plan.action is Action.CREATE else None
        if wish is not None and wish.prints:
            wishes.append(wish)
        elif plan.action is Action.HOLD:
            found.unclear[plan.cause] += 1
        else:
            found.created += plan.action not in (Action.NOTHING, Action.WAIT)
    judged = await met_contacts(work, wishes, _NAMESAKE)
    for verdict in judged.values():
        if not isinstance(verdict, Plan):
            raise verdict
        if verdict.action is Action.HOLD:
            found.unclear[verdict.cause] += 1
        elif verdict.action is Action.CREATE:
            found.created += 1
        else:
            found.linked += 1
