"""Backfills: of each kind, since when it is synced, what a preview counted, and whether all that was there was loaded.

A kind is *connected* from the moment a worker or a command first saw both sides; the newest change stamp of each side
is kept from then, opaque, to be compared with stamps of the same side alone. What was last changed by then is left as
it is until a person has the kind loaded. Of a preview only numbers are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import Act
from app.store import audit, fence
from app.store.clock import db_now
from app.store.database import Database, DialectInsert, insert_into
from app.store.tables import backfills, watermarks
from app.sync.model import Kind, Side

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Backfill:
    """How far a kind is.

    connected_at      since when it is synced; None while nobody has seen both sides
    newest            side -> the newest change stamp that it showed then
    preview_asked_at  when a person asked for a preview that is not made yet; `progress`: side -> records read for it
    counted_at        when the latest preview was made; `counts`: what it counted
    load_asked_at     when a person asked for a first load that the workers see to
    loaded_at         when all that was there had been gone through, or was before this was kept
    problem           what keeps the workers from what was asked; empty where nothing does
    """

    kind: Kind
    connected_at: datetime | None = None
    newest: Mapping[Side, str] = field(default_factory=dict)
    preview_asked_at: datetime | None = None
    progress: Mapping[str, int] = field(default_factory=dict)
    counted_at: datetime | None = None
    counts: Mapping[str, Any] = field(default_factory=dict)
    load_asked_at: datetime | None = None
    loaded_at: datetime | None = None
    problem: str = ""

    @property
    def is_loaded(self) -> bool:
        """Whether what was there before may travel."""
        return self.loaded_at is not None

    @property
    def is_known(self) -> bool:
        """Whether it is known from when on it is synced, or that this need not be."""
        return self.connected_at is not None or self.is_loaded

    @property
    def is_asked(self) -> bool:
        """Whether the workers have something to do for it."""
        return self.preview_asked_at is not None or (self.load_asked_at is not None and not self.is_loaded)


async def read(database: Database) -> dict[Kind, Backfill]:
    """Give how far every kind is that is known here."""
    return {Kind(row.kind): _backfill(row) for row in await database.read(sa.select(backfills))}


async def of_kind(database: Database, kind: Kind) -> Backfill:
    """Give how far a kind is."""
    return (await read(database)).get(kind, Backfill(kind))


def _backfill(row: Any) -> Backfill:
    known = {**row._asdict(), "kind": Kind(row.kind), "newest": {Side(side): at for side, at in row.newest.items()}}
    return Backfill(**known)


_THERE = DialectInsert(backfills, lambda insert: insert.on_conflict_do_nothing())
_OF_KIND = backfills.c.kind == sa.bindparam("p_kind")


async def _set(
    database: Database,
    kind: Kind,
    values: Mapping[str, Any],
    *condition: sa.ColumnElement[bool],
    act: Act | None = None,
) -> bool:
    """Set what is known of a kind under a condition, noting the act; say whether it held."""

    async def work(connection: AsyncConnection) -> bool:
        await fence.require(connection, database)
        changed = await _changed(connection, kind, values, *condition)
        if changed and act is not None:
            await audit.note(database, connection, act)
        return changed

    return await database.transact(work)


async def _changed(
    connection: AsyncConnection, kind: Kind, values: Mapping[str, Any], *condition: sa.ColumnElement[bool]
) -> bool:
    await connection.execute(_THERE.on(connection), {"kind": kind.value})
    change = sa.update(backfills).where(_OF_KIND, *condition).values(dict(values))
    return bool((await connection.execute(change, {"p_kind": kind.value})).rowcount)


async def connect(database: Database, kind: Kind, newest: Mapping[Side, str], watermark: str) -> bool:
    """Remember that a kind is synced from now on, and is compared from now on; False where that was known.

    Raises  OtherInstance
    """
    found = {side.value: stamp for side, stamp in newest.items()}
    values = {"connected_at": db_now(), "newest": found}

    async def work(connection: AsyncConnection) -> bool:
        await fence.require(connection, database)
        if not await _changed(connection, kind, values, backfills.c.connected_at.is_(None)):
            return False
        insert = insert_into(watermarks, connection.dialect)
        await connection.execute(insert.values(name=watermark, at=db_now()).on_conflict_do_nothing())
        return True

    return await database.transact(work)


async def ask_preview(database: Database, kind: Kind, act: Act) -> None:
    """Have the workers make a preview of a kind; one that is asked for already stays so."""
    asked = sa.func.coalesce(backfills.c.preview_asked_at, db_now())
    await _set(database, kind, {"preview_asked_at": asked, "progress": {}, "problem": ""}, act=act)


async def ask_load(database: Database, kind: Kind, act: Act) -> bool:
    """Have the workers load a kind; False where it is asked for, or loaded, already, and nothing was noted."""
    is_open = (backfills.c.load_asked_at.is_(None), backfills.c.loaded_at.is_(None))
    return await _set(database, kind, {"load_asked_at": db_now(), "problem": ""}, *is_open, act=act)


async def note_progress(database: Database, kind: Kind, progress: Mapping[str, int]) -> None:
    """Keep how many records a preview has read of each side."""
    await _set(database, kind, {"progress": dict(progress), "problem": ""})


async def note_problem(database: Database, kind: Kind, problem: str) -> None:
    """Keep what the workers are kept from; it is tried again."""
    await _set(database, kind, {"problem": problem[:_LONGEST]})


async def counted(database: Database, kind: Kind, counts: Mapping[str, Any]) -> None:
    """Keep what a preview of all there is has counted; whoever asked for one has it."""
    values = {"counts": dict(counts), "counted_at": db_now(), "preview_asked_at": None, "progress": {}, "problem": ""}
    await _set(database, kind, values)


async def loaded(database: Database, kind: Kind) -> None:
    """Remember that all there is of a kind has been gone through: from now on comparisons leave nothing of it alone."""
    now = sa.func.coalesce(backfills.c.loaded_at, db_now())
    await _set(database, kind, {"loaded_at": now, "problem": ""})
