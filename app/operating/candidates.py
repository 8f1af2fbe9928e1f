"""Candidates: whom a held record met (several, or one that has its pair), read now for a person to tell them apart.

One call reads the record itself, one those it could be; the same search and the same comparison as a worker makes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from app.operating import deciding, records
from app.operating.asking import FAILS, NOT_CONNECTED, Silence, drchrono_of, salesforce_of, silence
from app.runtime import Runtime
from app.store import audit, matching
from app.store.audit import Act, Action, By
from app.store.known import Known
from app.sync.mapping import Table
from app.sync.matching import alike, identity, narrowed, question, search_key
from app.sync.records import Absent, Side, Sight


@dataclass(frozen=True, slots=True)
class Line:
    """One field of the record and of each candidate, in their order; `same`: whether each says what the record does."""

    name: str
    own: str | None
    theirs: tuple[str | None, ...]
    same: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Whom a record could be on a side; or (`silence`) why that is not known now."""

    at: datetime
    side: Side
    ids: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    silence: Silence | None = None
    is_gone: bool = False


async def of(run: Runtime, one: Known, by: By | None = None) -> Candidates:
    """Read a record and those it could be; whoever may see the values is noted before anything is shown.

    Raises  StoreUnavailable
    """
    side = deciding.met(one)
    assert side is not None
    own = await records.read_side(run, one, side.other)
    if isinstance(own, Silence):
        return Candidates(run.now(), side, silence=own)
    if own is None or isinstance(own, Absent):
        return Candidates(run.now(), side, is_gone=True)
    found = await (_charts(run, one, own) if side is Side.DRCHRONO else _contacts(run, one, own))
    if isinstance(found, Silence):
        return Candidates(run.now(), side, silence=found)
    if by is not None:
        await audit.done(run.database, Act(by, Action.REVEAL, f"{records.about(one)} and {len(found)} alike"))
    table = run.mappings[one.link.kind]
    return Candidates(run.now(), side, tuple(each.id for each in found), _lines(table, own, found))


async def _contacts(run: Runtime, one: Known, own: Sight) -> list[Sight] | Silence:
    client, table = salesforce_of(run), run.mappings[one.link.kind]
    if client is None:
        return Silence(Side.SALESFORCE, NOT_CONNECTED)
    if identity(table, own.fields) is None:
        return []
    name, day = search_key(table, own.fields, own.zone)
    if not isinstance(day, date):
        return []
    try:
        raws = await client.unnamed(table.object, table.fields, table.external_id, name, {day})
        sights = [await records.sight(run, one.link.kind, Side.SALESFORCE, raw) for raw in raws]
    except FAILS as error:
        return silence(Side.SALESFORCE, error)
    found = alike(table, own.fields, sights)
    paired = await matching.paired(run.database, table.kind, Side.SALESFORCE, {each.id for each in found})
    free = [each for each in found if each.id not in paired]
    return narrowed(table, own.fields, free) if free else []


async def _charts(run: Runtime, one: Known, own: Sight) -> list[Sight] | Silence:
    client, table = drchrono_of(run), run.mappings[one.link.kind]
    if client is None:
        return Silence(Side.DRCHRONO, NOT_CONNECTED)
    if identity(table, own.fields) is None:
        return []
    try:
        raws = await client.listed(table.path, question(table, own.fields))
        sights = [await records.sight(run, one.link.kind, Side.DRCHRONO, raw) for raw in raws]
    except FAILS as error:
        return silence(Side.DRCHRONO, error)
    found = alike(table, own.fields, sights)
    return narrowed(table, own.fields, found) if found else []


def _lines(table: Table, own: Sight, found: Sequence[Sight]) -> tuple[Line, ...]:
    return tuple(
        Line(
            name,
            own.fields.get(name),
            tuple(each.fields.get(name) for each in found),
            tuple(row.equal(own.fields.get(name), each.fields.get(name)) for each in found),
        )
        for name, row in table.rows.items()
        if any(each.fields.get(name) is not None for each in (own, *found))
    )
