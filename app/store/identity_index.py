"""The match lease, and our own index of who is linked.

A person is matched by one worker at a time, in either direction, from the search to the record: the lease is taken for
a whole batch in one transaction, lasts at least as long as the leases of the links it serves (`links.renew` prolongs
both), and is released by the record. The index holds what DrChrono's lists do not show yet, or not any more: a link is
found by who it is now (`links.person`) and by whoever it was known as before (`identities`). Both know a person by a
keyed hash alone. A person's former names stay as long as the chart's link: a chart that is hidden now is found by them.
The times that a visit once had say nothing once it is at rest, and go (`forget_passed`).
"""

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.clock import after, db_now
from app.store.database import Database, DialectInsert, Insert, JsonRows, among, json_of
from app.store.tables import decisions, identities, journal, links, matches
from app.sync.model import OPEN, Kind, Side

_LEFT_BEHIND = timedelta(hours=1)
_AT_REST = timedelta(days=1)  # no list of DrChrono's is as old, and no delivery of it comes as late


@dataclass(frozen=True, slots=True)
class IndexedPerson:
    """A link as the index knows it; without a chart it is one whose create may have made one.

    person  who it is, or was
    is_due  it goes on
    """

    link_id: str
    drchrono_id: str | None
    salesforce_id: str | None
    person: str | None
    is_due: bool


_told = JsonRows()


def _taken(insert: Insert) -> sa.Executable:
    """Take persons for a token that nobody else has, or nobody any more; give those that are its own now."""
    wanted = sa.select(_told.text("person"), sa.bindparam("p_token", type_=sa.String), after("p_lease"))
    taken = insert.from_select(["person", "owner", "until"], wanted.where(sa.true()).order_by(_told.text("person")))
    is_free = sa.or_(matches.c.until < db_now(), matches.c.owner == taken.excluded.owner)
    ours = {"owner": taken.excluded.owner, "until": taken.excluded.until}
    taken = taken.on_conflict_do_update(index_elements=[matches.c.person], set_=ours, where=is_free)
    return taken.returning(matches.c.person)


_TAKEN = DialectInsert(matches, _taken)
_KNOWN_AS = DialectInsert(identities, lambda insert: insert.on_conflict_do_nothing())
_OUR_CHARTS = sa.select(links.c.id, links.c.person).where(
    links.c.id.in_(among("p_ids")), links.c.lease_owner == sa.bindparam("p_token"), links.c.drchrono_id.is_not(None)
)
_NOTED = (
    sa.update(links)
    .where(links.c.id == _told.text("id"), links.c.lease_owner == sa.bindparam("p_token"))
    .values(person=_told.text("person"))
)


async def lease_people(
    database: Database,
    token: str,
    persons: Mapping[str, str],
    renamed: Mapping[str, str] | None = None,
    known_as: Collection[tuple[str, str]] = (),
) -> set[str]:
    """Note who each link is, and give the persons that may be matched under this token until its leases end.

    persons   link id -> person; whoever comes later finds them in the index, also those that have to wait
    renamed   link id -> whom a write of ours is about to make of a linked record; leased too, and noted beside
    known_as  (link id, person) of what a side has said of others that were taken with them; noted only
    """
    renamed = renamed or {}
    wanted = sorted({*persons.values(), *renamed.values()})

    async def work(connection: AsyncConnection) -> set[str]:
        beside = {*renamed.items(), *known_as}
        ids = sorted({*persons, *(id_ for id_, _ in beside)})
        charts = await connection.execute(_OUR_CHARTS, {"p_ids": ids, "p_token": token})
        was = {row.id: row.person for row in charts}
        known_before = {(id_, was[id_]) for id_ in persons if id_ in was}
        told = {(id_, person) for id_, person in beside if id_ in was}
        await note_identities(connection, known_before | told, {**was, **persons})
        rows = [{"id": id_, "person": person} for id_, person in sorted(persons.items())]
        if rows:
            await connection.execute(_NOTED, {"p_rows": json_of(rows), "p_token": token})
        taken = {"p_rows": json_of([{"person": person} for person in wanted]), "p_token": token}
        lease = {"p_lease": database.timings.lease}
        return set((await connection.scalars(_TAKEN.on(connection), {**taken, **lease})).all())

    return await database.transact(work) if wanted else set()


async def note_identities(
    connection: AsyncConnection, known_as: Iterable[tuple[str, str | None]], now: Mapping[str, str | None]
) -> None:
    """Keep who links were known as, (link id, person) each, beside who they are `now`; a link's id -> person."""
    others = sorted({(id_, person) for id_, person in known_as if person is not None and now.get(id_) != person})
    if others:
        rows = [{"link_id": link_id, "person": person} for link_id, person in others]
        await connection.execute(_KNOWN_AS.on(connection), rows)


async def move_identities(
    connection: AsyncConnection, into: Mapping[str, str], persons: Iterable[tuple[str, str | None]]
) -> None:
    """Have links be known as those were whose place they take: id of a link that goes -> id of the one that stays.

    persons  (id, person) of who those are that go
    """
    if not into:
        return
    rows = await connection.execute(_IDENTITIES, {"p_ids": sorted(into)})
    known = [*persons, *((row.link_id, row.person) for row in rows)]
    await note_identities(connection, [(into[id_], person) for id_, person in known], {})
    await forget_identities(connection, into)


async def forget_identities(connection: AsyncConnection, link_ids: Collection[str]) -> None:
    """Forget who links were known as."""
    if link_ids:
        await connection.execute(sa.delete(identities).where(identities.c.link_id.in_(sorted(link_ids))))


async def forget_passed(database: Database, most: int = 500) -> AsyncGenerator[int]:
    """Forget what no link and no decision needs, and give after each batch how much went.

    That is which times a visit had that is a pair and has been at rest for a day, with no write and no decision open;
    and whatever is left of links that are no more. All there is is gone through, so many at a time.

    Raises  StoreUnavailable when the database fails; what went by then is gone
    """
    columns, last = (identities.c.person, identities.c.link_id), ("", "")
    key = sa.tuple_(*columns)
    while found := await database.read(sa.select(*columns).where(key > last).order_by(*columns).limit(most)):
        end = (found[-1].person, found[-1].link_id)
        passed = sa.delete(identities).where(key > last, key <= end, sa.or_(_IS_AT_REST, _HAS_NO_LINK))

        async def work(connection: AsyncConnection, passed: sa.Delete = passed) -> int:
            return (await connection.execute(passed)).rowcount

        yield await database.transact(work)
        last = end


_OF_LINK = links.c.id == identities.c.link_id
_HAS_NO_LINK = sa.not_(sa.exists().where(_OF_LINK))
_IS_AT_REST = sa.and_(
    sa.exists().where(
        _OF_LINK,
        links.c.kind == Kind.APPOINTMENT.value,
        links.c.drchrono_id.is_not(None),
        links.c.salesforce_id.is_not(None),
        links.c.due_at.is_(None),
        links.c.synced_at < after(-_AT_REST),
    ),
    sa.not_(sa.exists().where(journal.c.link_id == identities.c.link_id, journal.c.state.in_(OPEN))),
    sa.not_(sa.exists().where(decisions.c.link_id == identities.c.link_id, decisions.c.ended_at.is_(None))),
)


_RELEASED = sa.delete(matches).where(
    sa.or_(matches.c.owner == sa.bindparam("p_token"), matches.c.until < after(-_LEFT_BEHIND))
)


async def release_people(connection: AsyncConnection, token: str) -> None:
    """Let others match whom a token held; what dead workers left behind goes some time later."""
    await connection.execute(_RELEASED, {"p_token": token})


# SQLite keeps no statistics, and takes an index whose first column equals something for a better one than that of many
# values: all links of a kind would be gone through. So what must not lead is said of a column with nothing added to it.
_IS_OF_KIND = links.c.kind == sa.bindparam("p_kind")
_IS_OF_KIND_TOO = links.c.kind.concat("") == sa.bindparam("p_kind")


def _persons(
    *condition: sa.ColumnElement[bool], person: sa.ColumnElement[str | None] = links.c.person
) -> sa.Select[Any]:
    known = (links.c.id, links.c.drchrono_id, links.c.salesforce_id, person.label("person"), links.c.due_at)
    return sa.select(*known).where(*condition)


def _may_have_made_one() -> sa.ColumnElement[bool]:
    """Say that there is a create that may have made a chart."""
    may_have = journal.c.state.in_(OPEN) | journal.c.record_id.is_not(None)
    is_create = sa.and_(journal.c.side == Side.DRCHRONO.value, journal.c.call == "create", may_have)
    return sa.exists().where(journal.c.link_id == links.c.id, is_create)


def _now_and_once(*condition: sa.ColumnElement[bool]) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Ask who is one of these persons now, and who ever was."""
    asked = among("p_persons")
    was = (links.c.id == identities.c.link_id, identities.c.person.in_(asked))
    condition = (_IS_OF_KIND_TOO, *condition)
    return _persons(*condition, links.c.person.in_(asked)), _persons(*condition, *was, person=identities.c.person)


_NOW, _ONCE = _now_and_once(links.c.drchrono_id.is_not(None) | _may_have_made_one())
_UNDER_WAY = sa.union_all(
    *_now_and_once(links.c.drchrono_id.is_(None), links.c.due_at.is_not(None), _may_have_made_one())
)


async def known_people(database: Database, kind: Kind, persons: Sequence[str]) -> list[IndexedPerson]:
    """Give the links that are, or ever were, of these persons and have a chart, or a create that may have made one."""
    if not persons:
        return []
    asked = {"p_kind": kind.value, "p_persons": persons}
    return await _read(database, _NOW, asked) + await _read(database, _ONCE, asked)


async def sent_for(database: Database, kind: Kind, persons: Sequence[str]) -> set[str]:
    """Give, of these persons, those for whom a create goes on that may have made a chart which no link has yet."""
    told = {"p_kind": kind.value, "p_persons": persons}
    return {row.person for row in await database.read(_UNDER_WAY, told)} if persons else set()


_IDENTITIES = sa.select(identities.c.link_id, identities.c.person).where(identities.c.link_id.in_(among("p_ids")))


async def identities_of(database: Database, link_ids: Sequence[str]) -> dict[str, set[str]]:
    """Give link id -> who else it was known as, of those that were."""
    found: dict[str, set[str]] = {}
    for row in await database.read(_IDENTITIES, {"p_ids": link_ids}) if link_ids else ():
        found.setdefault(row.link_id, set()).add(row.person)
    return found


_PAIRED = {
    side: _persons(
        _IS_OF_KIND, links.c[f"{side}_id"].in_(among("p_ids")), links.c[f"{side.other}_id"].concat("").is_not(None)
    )
    for side in Side
}


async def already_paired(database: Database, kind: Kind, side: Side, ids: Collection[str]) -> dict[str, str]:
    """Give record id -> link id of the records of a side that are one half of a pair already."""
    found = await _read(database, _PAIRED[side], {"p_kind": kind.value, "p_ids": list(ids)}) if ids else []
    return {(one.drchrono_id if side is Side.DRCHRONO else one.salesforce_id) or "": one.link_id for one in found}


async def _read(database: Database, asked: sa.Select[Any], told: Mapping[str, Any]) -> list[IndexedPerson]:
    rows = await database.read(asked, told)
    return [
        IndexedPerson(row.id, row.drchrono_id, row.salesforce_id, row.person, row.due_at is not None) for row in rows
    ]
