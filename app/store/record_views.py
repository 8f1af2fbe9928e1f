"""Record views: the records we know, by either side's id, how each of them stands, and what came of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.store.clock import instant
from app.store.database import Database
from app.store.links import exclusions
from app.store.tables import conflicts, deliveries, events, failures, journal, links
from app.sync.model import Base, Kind, Link, RecordRef, RecordState, Side

_MOST_IDS = 500
_NEVER = instant(0)
_MOST_SEARCHED = 20_000  # an end of an id is in no index
_place = links.outerjoin(failures, failures.c.link_id == links.c.id)


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Who dismissed a failure, when, and why, in the person's words."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class RecordView:
    """One record, on one side or on both.

    link    what both sides agreed on, for whoever compares them
    due_at  when it is looked at next; None while nothing is to be done
    cause   why it failed or is held; empty when it is neither. `fields`: those it is about; `side`: where it failed
    since   when it first failed so
    attempts  how many were made since then; of one that is retried by itself, since it last went well
    dismissal  who dismissed that; None where nobody did
    """

    link: Link
    standing: RecordState
    lane: str
    due_at: datetime | None
    synced_at: datetime | None
    last_error: str
    cause: str = ""
    fields: tuple[str, ...] = ()
    since: datetime | None = None
    attempts: int = 0
    side: Side | None = None
    dismissal: Dismissal | None = None

    @property
    def id(self) -> str:
        """The link's id."""
        return self.link.id

    @property
    def ref(self) -> RecordRef:
        """One name for it: DrChrono's where it has one."""
        side = Side.DRCHRONO if self.link.drchrono_id else Side.SALESFORCE
        return RecordRef(side, self.link.kind, self.link.id_on(side) or "")


async def page(
    database: Database, kind: Kind, limit: int, before: str | None = None, standing: RecordState | None = None
) -> list[RecordView]:
    """Give the records of a kind, or those that stand so, the last one heard of first; `before`: a link's id."""
    asked = selected().where(_theirs(kind, standing)).order_by(links.c.id.desc()).limit(limit)
    if before is not None:
        asked = asked.where(links.c.id < before)
    return [view(row) for row in await database.read(asked)]


async def count(database: Database, kind: Kind, standing: RecordState | None = None) -> int:
    """Give how many records of a kind are known, or how many of them stand so."""
    asked = sa.select(sa.func.count()).select_from(_place if standing else links).where(_theirs(kind, standing))
    return int((await database.read(asked))[0][0])


async def of(database: Database, kind: Kind, side: Side, ids: Collection[str]) -> dict[str, RecordView]:
    """Give, of a side's records by id, those that are known."""
    found: dict[str, RecordView] = {}
    wanted, column = sorted(ids), links.c[f"{side}_id"]
    for at in range(0, len(wanted), _MOST_IDS):
        theirs = sa.and_(links.c.kind == kind.value, column.in_(wanted[at : at + _MOST_IDS]))
        for row in await database.read(selected().where(theirs)):
            known = view(row)
            found[known.link.id_on(side) or ""] = known
    return found


async def find(database: Database, ref: RecordRef) -> RecordView | None:
    """Give a record; None when nobody has heard of it."""
    return (await of(database, ref.kind, ref.side, [ref.id])).get(ref.id)


async def by_id(database: Database, link_id: str) -> RecordView | None:
    """Give the record of a link; None when there is none."""
    rows = await database.read(selected().where(links.c.id == link_id))
    return view(rows[0]) if rows else None


async def of_links(database: Database, link_ids: Collection[str]) -> dict[str, RecordView]:
    """Give the records of links by the links' ids; those that are gone are left out."""
    found, wanted = dict[str, RecordView](), sorted(link_ids)
    for at in range(0, len(wanted), _MOST_IDS):
        rows = await database.read(selected().where(links.c.id.in_(wanted[at : at + _MOST_IDS])))
        found |= {row.id: view(row) for row in rows}
    return found


async def of_call(database: Database, call_id: str) -> RecordView | None:
    """Give the record that a call was made for; None when there is no call of that id."""
    rows = await database.read(selected().join(journal, journal.c.link_id == links.c.id).where(journal.c.id == call_id))
    return view(rows[0]) if rows else None


async def calls_ending(database: Database, ending: str, limit: int = 5) -> list[str]:
    """Give the ids that end so, of the newest calls, newest first."""
    newest = sa.select(journal.c.id).order_by(journal.c.id.desc()).limit(_MOST_SEARCHED).subquery()
    asked = sa.select(newest.c.id).where(newest.c.id.endswith(ending, autoescape=True))
    return [row.id for row in await database.read(asked.order_by(newest.c.id.desc()).limit(limit))]


def selected() -> sa.Select[Any]:
    """Give the statement that selects record views."""
    wanted = (
        "id",
        "kind",
        "drchrono_id",
        "salesforce_id",
        "base",
        "floor",
        "lane",
        "due_at",
        "synced_at",
        "last_error",
        "excluded_by",
        "attempts",
    )
    columns = [links.c[name] for name in wanted]
    why = (failures.c.cause, failures.c.side, failures.c.fields, failures.c.is_held, failures.c.at, failures.c.since)
    spent = failures.c.attempts.label("spent")
    dismissed = (failures.c.dismissed_at, failures.c.dismissed_by, failures.c.reason)
    return sa.select(*columns, *why, spent, *dismissed).select_from(_place)


def _theirs(kind: Kind, standing: RecordState | None) -> sa.ColumnElement[bool]:
    """Give the condition that a record is of a kind and stands so, as `_standing` says it."""
    is_failed, is_due = failures.c.link_id.is_not(None), links.c.due_at.is_not(None)
    waits = failures.c.dismissed_at.is_(None)
    is_pair = sa.and_(links.c.drchrono_id.is_not(None), links.c.salesforce_id.is_not(None))
    is_at_rest, is_out = (~is_failed, ~is_due), links.c.excluded_by.is_not(None)
    conditions = {
        None: (),
        RecordState.HELD: (failures.c.is_held, waits),
        RecordState.FAILED: (is_failed, ~failures.c.is_held, waits),
        RecordState.DISMISSED: (is_failed, ~waits),
        RecordState.ON_ITS_WAY: (~is_failed, is_due),
        RecordState.IN_STEP: (*is_at_rest, ~is_out, is_pair),
        RecordState.ALONE: (*is_at_rest, ~is_out, ~is_pair),
        RecordState.EXCLUDED: (*is_at_rest, is_out),
    }
    return sa.and_(links.c.kind == kind.value, *conditions[standing])


def view(row: Any) -> RecordView:
    """Give a record view of a row that `selected` selects."""
    is_failed = row.cause is not None
    link = Link(
        row.id,
        Kind(row.kind),
        row.drchrono_id,
        row.salesforce_id,
        Base(row.base),
        row.floor,
        is_failed=is_failed,
        is_dismissed=row.dismissed_at is not None,
        excluded_by=exclusions(row.excluded_by),
    )
    return RecordView(
        link,
        _state(row),
        row.lane,
        row.due_at,
        row.synced_at,
        row.last_error or "",
        row.cause or "",
        tuple(name for name in (row.fields or "").split(",") if name),
        row.since if row.since and row.since > _NEVER else row.at,
        row.attempts + (row.spent or 0),
        Side(row.side) if row.side else None,
        None if row.dismissed_at is None else Dismissal(row.dismissed_by or "", row.dismissed_at, row.reason or ""),
    )


def _state(row: Any) -> RecordState:
    if row.dismissed_at is not None:
        return RecordState.DISMISSED
    if row.cause is not None:
        return RecordState.HELD if row.is_held else RecordState.FAILED
    if row.due_at is not None:
        return RecordState.ON_ITS_WAY
    if row.excluded_by is not None:
        return RecordState.EXCLUDED
    return RecordState.IN_STEP if row.drchrono_id and row.salesforce_id else RecordState.ALONE


_MOST_CONFLICTS = 500


async def deliveries_of(
    database: Database, kind: Kind, ids: Mapping[Side, str | None], limit: int, before: str | None = None
) -> list[sa.Row[Any]]:
    """Give what came in for a record, by its ids on each side, newest first; older than an id where told."""
    found: list[sa.Row[Any]] = []
    columns = (events.c.delivery_id, events.c.side, events.c.version, events.c.finished_at)
    beside = (deliveries.c.event, deliveries.c.outcome, deliveries.c.received_at)
    place = events.join(deliveries, deliveries.c.id == events.c.delivery_id)
    for side, record_id in ids.items():
        if record_id is None:
            continue
        theirs = (events.c.record_id == record_id, events.c.kind == kind.value, events.c.side == side.value)
        asked = sa.select(*columns, *beside).select_from(place).where(*theirs)
        if before is not None:
            asked = asked.where(events.c.delivery_id < before)
        found += await database.read(asked.order_by(events.c.delivery_id.desc()).limit(limit))
    newest_first = sorted(found, key=lambda row: row.delivery_id, reverse=True)
    return list({row.delivery_id: row for row in reversed(newest_first)}.values())[::-1][:limit]


async def writes_of(database: Database, link_id: str, limit: int, before: str | None = None) -> list[sa.Row[Any]]:
    """Give what we wrote for a record, newest first; older than an id where told. Never a value."""
    names = ("id", "side", "call", "stamps", "why", "state", "planned_at", "answered_at", "code")
    asked = sa.select(*(journal.c[name] for name in names)).where(journal.c.link_id == link_id)
    if before is not None:
        asked = asked.where(journal.c.id < before)
    return await database.read(asked.order_by(journal.c.id.desc()).limit(limit))


async def conflicts_of(database: Database, link_id: str) -> dict[str, Sequence[sa.Row[Any]]]:
    """Give write -> the fields of it that both sides had changed, with the rule that decided; never a value."""
    columns = (conflicts.c.id, conflicts.c.journal_id, conflicts.c.field, conflicts.c.rule, conflicts.c.at)
    asked = sa.select(*columns).where(conflicts.c.link_id == link_id).order_by(conflicts.c.id.desc())
    found: dict[str, list[sa.Row[Any]]] = {}
    for row in await database.read(asked.limit(_MOST_CONFLICTS)):
        found.setdefault(row.journal_id, []).append(row)
    return dict(found)
