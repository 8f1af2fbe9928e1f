"""Links: which two records are one thing, what they agreed on, whether they are due, and who may work on them.

A lease lies on the link (before linking, on the lone ref) and covers what is due on both sides. It has an owner token
that every save checks, and runs out by the database's clock, so the records of a killed worker come back by themselves.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.errors import SyncError, ValueRefused
from app.ports import Act
from app.store import audit, record_history
from app.store.clock import db_now
from app.store.database import Database, among, insert_into
from app.store.pending_writes import OwnWrites
from app.store.tables import failures, links
from app.sync.model import Base, Exclusion, Kind, Lane, Link, RecordRef, Side

T = TypeVar("T")

_MOST_IDS = 500


async def release(database: Database, cause: str) -> None:
    """Make due now what waits for a cause that is over, for everybody at once."""

    async def work(connection: AsyncConnection) -> None:
        waiting = sa.and_(links.c.due_at > db_now(), links.c.last_error == cause)
        await connection.execute(sa.update(links).where(waiting).values(due_at=db_now()))

    await database.transact(work)


def more_urgent(lane: Lane) -> sa.ColumnElement[str]:
    """Give the lane of a link that falls due in one: what was due already in a more urgent one stays in it."""
    urgent = [one.value for one in Lane if list(Lane).index(one) < list(Lane).index(lane)]
    stays = sa.and_(links.c.due_at.is_not(None), links.c.lane.in_(urgent))
    return sa.case((stays, links.c.lane), else_=sa.literal(lane.value))


def due_again(lane: Lane) -> dict[str, Any]:
    """Give what is set of a link that falls due in a lane: something has come in for it."""
    due_at = sa.case((links.c.due_at <= db_now(), links.c.due_at), else_=db_now())
    return {"due_at": due_at, "lane": more_urgent(lane), "generation": links.c.generation + 1, "attempts": 0}


async def mark_due(
    connection: AsyncConnection, kind: Kind, side: Side, ids: Sequence[str], lane: Lane = Lane.LIVE
) -> int:
    """Make links due by their records' ids, and give how many; those nobody has heard of are left alone."""
    count = 0
    column = links.c[f"{side}_id"]
    for at in range(0, len(ids), _MOST_IDS):
        theirs = sa.and_(links.c.kind == kind.value, column.in_(ids[at : at + _MOST_IDS]))
        count += (await connection.execute(sa.update(links).where(theirs).values(due_again(lane)))).rowcount
    return count


async def mark_link_due(connection: AsyncConnection, link_id: str, lane: Lane) -> None:
    """Make a link due: what somebody decided of it is to be carried out."""
    await connection.execute(sa.update(links).where(links.c.id == link_id).values(due_again(lane)))


async def look_again(connection: AsyncConnection, link_id: str, lane: Lane) -> None:
    """Make a link due, with nothing believed: DrChrono is asked what it holds, where it has the record."""
    is_known = sa.case((links.c.drchrono_id.is_not(None), db_now()), else_=links.c.confirm_at)
    again = sa.update(links).where(links.c.id == link_id).values({**due_again(lane), "confirm_at": is_known})
    await connection.execute(again)


async def ask_about(database: Database, ref: RecordRef, lane: Lane) -> None:
    """Make a link due, by one of its records, with nothing believed: both sides are asked for it."""

    async def work(connection: AsyncConnection) -> None:
        its = (links.c.kind == ref.kind.value, links.c[f"{ref.side}_id"] == ref.id)
        if (link_id := await connection.scalar(sa.select(links.c.id).where(*its))) is not None:
            await look_again(connection, link_id, lane)

    await database.transact(work)


async def have_looked_at(database: Database, link_id: str, lane: Lane, act: Act) -> None:
    """Make a link due, with nothing believed, and note who asked for that, in one commit."""

    async def work(connection: AsyncConnection) -> None:
        await look_again(connection, link_id, lane)
        await record_history.note_acts(connection, [link_id], act)
        await audit.note(database, connection, act)

    await database.transact(work)


async def add_unlinked(connection: AsyncConnection, kind: Kind, ids: Sequence[str], lane: Lane = Lane.LIVE) -> int:
    """Make lone refs, due at once, of Salesforce records nobody has heard of; gives how many."""
    insert = insert_into(links, connection.dialect)
    rows = [{"id": str(ULID()), "kind": kind.value, "salesforce_id": id_, "lane": lane.value} for id_ in sorted(ids)]
    lone, count = insert.on_conflict_do_nothing().returning(links.c.id), 0
    for at in range(0, len(rows), _MOST_IDS):
        made = await connection.execute(lone.values([{**row, "due_at": db_now()} for row in rows[at : at + _MOST_IDS]]))
        count += len(made.all())
    return count


async def mark_seen(database: Database, kind: Kind, known: Sequence[str], news: Sequence[str], lane: Lane) -> int:
    """Make due what Salesforce showed, in one commit, and give how many that are.

    known  ids that may have a link: those that have none are left alone
    news   ids that become lone refs where nobody has heard of them
    """

    async def work(connection: AsyncConnection) -> int:
        again = await mark_due(connection, kind, Side.SALESFORCE, known, lane)
        return again + await add_unlinked(connection, kind, news, lane)

    return await database.transact(work)


def exclusions(text: str | None) -> frozenset[Exclusion]:
    """Give what keeps a link out of the set that is synced, as it is saved."""
    return frozenset(Exclusion(one) for one in (text or "").split(",") if one)


_failure = failures.c.link_id == links.c.id
IS_FAILED = sa.exists().where(_failure).label("is_failed")
OF_FAILURE = (  # what a link is told of its failure, beside its own columns
    IS_FAILED,
    sa.exists().where(_failure, failures.c.dismissed_at.is_not(None)).label("is_dismissed"),
    sa.select(failures.c.shown).where(_failure).scalar_subquery().label("shown"),
    sa.select(failures.c.conflicts).where(_failure).scalar_subquery().label("conflicts"),
)


def link_of(row: Any, writes: OwnWrites) -> Link:
    """Give a link as its row says it, with `OF_FAILURE` beside, and our own writes to it."""
    return Link(
        row.id,
        Kind(row.kind),
        row.drchrono_id,
        row.salesforce_id,
        Base(row.base),
        row.floor,
        row.confirm_at,
        writes.unsettled,
        frozenset(row.unsettled),
        bool(row.is_failed),
        row.last_error or "",
        exclusions(row.excluded_by),
        writes.late,
        bool(row.is_dismissed),
        row.shown or {},
        frozenset(row.conflicts or ()),
    )


def _to_compare(side: Side) -> sa.Select[Any]:
    column = links.c[f"{side}_id"]
    names = ("id", "drchrono_id", "salesforce_id", "base", "excluded_by")
    asked = sa.select(*(links.c[name] for name in names), column.label("own_id"))
    asked = asked.add_columns(failures.c.link_id.label("failed_id"), failures.c.dismissed_at, failures.c.shown)
    asked = asked.select_from(links.outerjoin(failures, _failure))
    is_meant = sa.or_(failures.c.link_id.is_(None), sa.bindparam("p_with_failing", type_=sa.Boolean))
    is_weighed = sa.or_(
        sa.and_(links.c[f"{side.other}_id"].is_not(None), is_meant), failures.c.dismissed_at.is_not(None)
    )
    return asked.where(links.c.kind == sa.bindparam("p_kind"), column.in_(among("p_ids")), is_weighed)


_TO_COMPARE = {side: _to_compare(side) for side in Side}


async def links_to_compare(
    database: Database, kind: Kind, ids: Sequence[str], side: Side = Side.DRCHRONO, *, with_failing: bool = False
) -> dict[str, Link]:
    """Give, of a side's records by id, the links that are weighed by what they hold.

    Those are pairs without a failure (or with one, where asked), and whatever was dismissed, a pair or not. One whose
    row cannot be read is left out: whoever compares takes its record for news, and it fails when synced.
    """

    async def read(part: Sequence[str]) -> dict[str, Link]:
        theirs = {"p_kind": kind.value, "p_ids": part, "p_with_failing": with_failing}
        return {
            row.own_id: Link(
                row.id,
                kind,
                row.drchrono_id,
                row.salesforce_id,
                Base(row.base),
                is_failed=row.failed_id is not None,
                excluded_by=exclusions(row.excluded_by),
                is_dismissed=row.dismissed_at is not None,
                shown=row.shown or {},
            )
            for row in await database.read(_TO_COMPARE[side], theirs)
        }

    found: dict[str, Link] = {}
    for at in range(0, len(ids), _MOST_IDS):
        found |= await readable(ids[at : at + _MOST_IDS], read)
    return found


async def readable(ids: Sequence[str], read: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]]) -> dict[str, T]:
    """Give what is read of these, asked for in halves where that fails; a row that cannot be read alone is left out.

    Raises  StoreUnavailable
    """
    try:
        return {**await read(ids)}
    except Exception as error:
        if isinstance(error, SyncError) and not isinstance(error, ValueRefused):
            raise
    if len(ids) == 1:
        return {}
    half = len(ids) // 2
    return await readable(ids[:half], read) | await readable(ids[half:], read)


async def already_known(database: Database, kind: Kind, ids: Sequence[str], side: Side) -> set[str]:
    """Give, of a side's records by id, those that are due, have a failure, or were heard of and are in no pair."""
    return {row.id for row in await _in_pieces(database, _KNOWN[side], kind, ids)}


async def _in_pieces(
    database: Database, statement: sa.Select[Any], kind: Kind, ids: Sequence[str]
) -> list[sa.Row[Any]]:
    """Give the rows of a statement that is told a kind and so many ids at a time."""
    rows: list[sa.Row[Any]] = []
    for at in range(0, len(ids), _MOST_IDS):
        rows += await database.read(statement, {"p_kind": kind.value, "p_ids": ids[at : at + _MOST_IDS]})
    return rows


def _known(side: Side) -> sa.Select[Any]:
    is_failed = sa.exists().where(failures.c.link_id == links.c.id)
    return _heard_of(side).where(sa.or_(links.c.due_at.is_not(None), links.c[f"{side.other}_id"].is_(None), is_failed))


def _heard_of(side: Side) -> sa.Select[Any]:
    own = links.c[f"{side}_id"]
    return sa.select(own.label("id")).where(links.c.kind == sa.bindparam("p_kind"), own.in_(among("p_ids")))


def _on_their_way(side: Side) -> sa.Select[Any]:
    return _heard_of(side).where(links.c.due_at.is_not(None), links.c[f"{side.other}_id"].is_(None))


_KNOWN, _HEARD_OF = {side: _known(side) for side in Side}, {side: _heard_of(side) for side in Side}
_ON_THEIR_WAY = {side: _on_their_way(side) for side in Side}


@dataclass(frozen=True, slots=True)
class FailedLink:
    """A link with a failure that waits for a person, and whether it is a pair.

    cause   which failure; `is_held`: a person has to decide
    fields  those it is about, as `side` names them
    """

    id: str
    is_pair: bool
    cause: str
    is_held: bool
    side: str
    fields: tuple[str, ...]


async def failed_links(database: Database, kind: Kind, ids: Sequence[str], side: Side) -> dict[str, FailedLink]:
    """Give, of a side's records by id, the links of those that wait for a person; no row of theirs is read whole."""
    return {
        row.own_id: FailedLink(
            row.id,
            row.other_id is not None,
            row.cause,
            bool(row.is_held),
            row.side,
            tuple(name for name in row.fields.split(",") if name),
        )
        for row in await _in_pieces(database, _FAILED[side], kind, ids)
    }


def _failed(side: Side) -> sa.Select[Any]:
    own, other = links.c[f"{side}_id"], links.c[f"{side.other}_id"]
    asked = sa.select(links.c.id, own.label("own_id"), other.label("other_id"))
    asked = asked.add_columns(failures.c.cause, failures.c.is_held, failures.c.side, failures.c.fields)
    joined = asked.select_from(links.join(failures, _failure)).where(failures.c.dismissed_at.is_(None))
    return joined.where(links.c.kind == sa.bindparam("p_kind"), own.in_(among("p_ids")))


_FAILED = {side: _failed(side) for side in Side}


async def heard_of(database: Database, kind: Kind, ids: Sequence[str], side: Side) -> set[str]:
    """Give which of a side's records by id are in any link, alone or in a pair."""
    return {row.id for row in await _in_pieces(database, _HEARD_OF[side], kind, ids)}


async def on_their_way(database: Database, kind: Kind, ids: Sequence[str], side: Side) -> set[str]:
    """Give which of a side's records by id are in no pair yet, and are due: whoever takes them looks for their pair."""
    return {row.id for row in await _in_pieces(database, _ON_THEIR_WAY[side], kind, ids)}


async def linked(database: Database, kind: Kind) -> int:
    """Give how many records of a kind are linked."""
    is_linked = sa.and_(links.c.drchrono_id.is_not(None), links.c.salesforce_id.is_not(None))
    asked = sa.select(sa.func.count()).select_from(links).where(links.c.kind == kind.value, is_linked)
    return int((await database.read(asked))[0][0])


async def latest_bases(database: Database, limit: int) -> list[Base]:
    """Give the bases of the youngest links."""
    rows = await database.read(sa.select(links.c.base).order_by(links.c.id.desc()).limit(limit))
    return [Base(row.base) for row in rows]
