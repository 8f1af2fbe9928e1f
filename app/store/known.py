"""Known: the records we have heard of, by either side's id, and how each of them stands."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from app.store.database import Database
from app.store.tables import failures, links
from app.sync.base import Base
from app.sync.records import Kind, Link, Ref, Side

_MOST_IDS = 500
_place = links.outerjoin(failures, failures.c.link_id == links.c.id)


class Standing(StrEnum):
    """How a record stands, for a person."""

    IN_STEP = "in_step"
    ON_ITS_WAY = "on_its_way"
    FAILED = "failed"
    HELD = "held"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Known:
    """One record, on one side or on both.

    link    what both sides agreed on, for whoever compares them
    due_at  when it is looked at next; None while nothing is to be done
    cause   why it failed or is held; empty when it is neither. `fields`: those it is about
    """

    link: Link
    standing: Standing
    lane: str
    due_at: datetime | None
    synced_at: datetime | None
    last_error: str
    cause: str = ""
    fields: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def id(self) -> str:
        """The link's id."""
        return self.link.id

    @property
    def ref(self) -> Ref:
        """One name for it: DrChrono's where it has one."""
        side = Side.DRCHRONO if self.link.drchrono_id else Side.SALESFORCE
        return Ref(side, self.link.kind, self.link.id_on(side) or "")


async def page(
    database: Database, kind: Kind, limit: int, before: str | None = None, standing: Standing | None = None
) -> list[Known]:
    """Give the records of a kind, or those that stand so, the last one heard of first; `before`: a link's id."""
    asked = _asked().where(_theirs(kind, standing)).order_by(links.c.id.desc()).limit(limit)
    if before is not None:
        asked = asked.where(links.c.id < before)
    return [_known(row) for row in await database.read(asked)]


async def count(database: Database, kind: Kind, standing: Standing | None = None) -> int:
    """Give how many records of a kind are known, or how many of them stand so."""
    asked = sa.select(sa.func.count()).select_from(_place if standing else links).where(_theirs(kind, standing))
    return int((await database.read(asked))[0][0])


async def of(database: Database, kind: Kind, side: Side, ids: Collection[str]) -> dict[str, Known]:
    """Give, of a side's records by id, those that are known."""
    found: dict[str, Known] = {}
    wanted, column = sorted(ids), links.c[f"{side}_id"]
    for at in range(0, len(wanted), _MOST_IDS):
        theirs = sa.and_(links.c.kind == kind.value, column.in_(wanted[at : at + _MOST_IDS]))
        for row in await database.read(_asked().where(theirs)):
            known = _known(row)
            found[known.link.id_on(side) or ""] = known
    return found


async def find(database: Database, ref: Ref) -> Known | None:
    """Give a record; None when nobody has heard of it."""
    return (await of(database, ref.kind, ref.side, [ref.id])).get(ref.id)


async def by_id(database: Database, link_id: str) -> Known | None:
    """Give the record of a link; None when there is none."""
    rows = await database.read(_asked().where(links.c.id == link_id))
    return _known(rows[0]) if rows else None


def _asked() -> sa.Select[Any]:
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
    )
    columns = [links.c[name] for name in wanted]
    why = (failures.c.cause, failures.c.fields, failures.c.is_held, failures.c.at)
    return sa.select(*columns, *why).select_from(_place)


def _theirs(kind: Kind, standing: Standing | None) -> sa.ColumnElement[bool]:
    """Give the condition that a record is of a kind and stands so, as `_standing` says it."""
    is_failed, is_due = failures.c.link_id.is_not(None), links.c.due_at.is_not(None)
    is_pair = sa.and_(links.c.drchrono_id.is_not(None), links.c.salesforce_id.is_not(None))
    conditions = {
        None: (),
        Standing.HELD: (failures.c.is_held,),
        Standing.FAILED: (is_failed, ~failures.c.is_held),
        Standing.ON_ITS_WAY: (~is_failed, is_due),
        Standing.IN_STEP: (~is_failed, ~is_due, is_pair),
        Standing.ALONE: (~is_failed, ~is_due, ~is_pair),
    }
    return sa.and_(links.c.kind == kind.value, *conditions[standing])


def _known(row: Any) -> Known:
    is_failed = row.cause is not None
    link = Link(
        row.id, Kind(row.kind), row.drchrono_id, row.salesforce_id, Base(row.base), row.floor, is_failed=is_failed
    )
    return Known(
        link,
        _standing(row),
        row.lane,
        row.due_at,
        row.synced_at,
        row.last_error or "",
        row.cause or "",
        tuple(name for name in (row.fields or "").split(",") if name),
        row.at,
    )


def _standing(row: Any) -> Standing:
    if row.cause is not None:
        return Standing.HELD if row.is_held else Standing.FAILED
    if row.due_at is not None:
        return Standing.ON_ITS_WAY
    return Standing.IN_STEP if row.drchrono_id and row.salesforce_id else Standing.ALONE
