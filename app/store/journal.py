"""The journal of outward calls: *planned* before the call, then confirmed, refused or unknown.

A row that is still planned when a successor finds it may have been sent: it is unknown. For each field it keeps the
stamps of what was there and of what was written, so that a look can tell whether the write landed; and, sealed, the
values it replaced, so that a person can put them back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.ports import SealedColumn
from app.store import conflicts, work_queue
from app.store.clock import after, db_now
from app.store.conflicts import DecidedConflict
from app.store.database import Database, JsonRows, among, json_of
from app.store.encryption import Vault
from app.store.tables import journal, links
from app.sync.model import OPEN, Kind, Side, WriteState

_LATELY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Entry:
    """One planned write of one record.

    stamps         field -> (stamp of what was there, stamp of what is written)
    replaced       sealed values that the write replaces; None when there were none
    why            field -> what made it travel, where that was no plain edit: a conflict's rule, or a put-back
    conflicts      the fields among them that both sides had changed
    sent           sealed: what a create sends that nothing over there can be found by but itself
    content_stamp  a keyed hash of the bytes that an upload sends
    """

    link_id: str
    side: Side
    call: str
    stamps: Mapping[str, tuple[str | None, str]]
    replaced: str | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    sent: str | None = None
    conflicts: tuple[DecidedConflict, ...] = ()
    id: str = field(default_factory=lambda: str(ULID()))
    content_stamp: str | None = None


def again(entry: Entry, vault: Vault) -> Entry:
    """Give the same write as a row of its own: what is sealed in it is sealed anew for that row.

    Raises  Undecryptable when no configured key opens it any more
    """
    id_ = str(ULID())

    def moved(sealed: str | None, column: SealedColumn) -> str | None:
        return sealed and vault.reseal(sealed, column.of(entry.id), column.of(id_))

    return replace(
        entry,
        id=id_,
        replaced=moved(entry.replaced, SealedColumn.WRITE_REPLACED),
        sent=moved(entry.sent, SealedColumn.WRITE_SENT),
        conflicts=tuple(conflicts.again(one, vault) for one in entry.conflicts),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one planned write; `record_id` is what a create in DrChrono has made."""

    entry_id: str
    state: WriteState
    code: str | None = None
    record_id: str | None = None


_told = JsonRows()
_TEXTS = ("id", "link_id", "side", "call", "replaced", "sent", "content_stamp")
_PLANNED = sa.insert(journal).from_select(
    [*_TEXTS, "stamps", "why", "state", "planned_at", "settle_at", "job"],
    sa.select(
        *_told.texts(*_TEXTS),
        _told.document("stamps"),
        _told.document("why"),
        sa.literal(WriteState.PLANNED.value),
        db_now(),
        after("p_request_limit"),
        sa.bindparam("p_job", type_=sa.String),
    ),
)


async def plan(
    database: Database, token: str, entries: Sequence[Entry], request_limit: timedelta, job: str | None = None
) -> set[str]:
    """Journal writes as planned and prolong their leases, in one commit; give the link ids still leased.

    request_limit  how long the vendor may go on with a request whose answer we miss
    job            the vendor's job that they are sent by
    """

    async def work(connection: AsyncConnection) -> set[str]:
        ours = await work_queue.renew(connection, database, token, [entry.link_id for entry in entries])
        rows = [
            {
                "id": entry.id,
                "link_id": entry.link_id,
                "side": entry.side.value,
                "call": entry.call,
                "stamps": json_of(dict(entry.stamps)),
                "replaced": entry.replaced,
                "why": json_of(dict(entry.why)),
                "sent": entry.sent,
                "content_stamp": entry.content_stamp,
            }
            for entry in entries
            if entry.link_id in ours
        ]
        if rows:
            told = {"p_rows": json_of(rows), "p_request_limit": request_limit, "p_job": job}
            await connection.execute(_PLANNED, told)
            kept = [(one.id, one.link_id, each) for one in entries if one.link_id in ours for each in one.conflicts]
            await conflicts.keep(connection, kept)
        return ours

    return await database.transact(work)


_LATELY_WRITTEN = sa.select(journal.c.link_id, journal.c.side, journal.c.stamps).where(
    journal.c.link_id.in_(among("p_ids")),
    journal.c.planned_at >= after(-_LATELY),
    journal.c.state == WriteState.CONFIRMED.value,
    journal.c.call == "update",
)


async def written_lately(database: Database, link_ids: Sequence[str]) -> dict[str, list[tuple[Side, str, str]]]:
    """Give link id -> (side, field, stamp of what was written) of each confirmed update of ten minutes."""
    found: dict[str, list[tuple[Side, str, str]]] = {}
    for row in await database.read(_LATELY_WRITTEN, {"p_ids": link_ids}) if link_ids else ():
        stamps = [(Side(row.side), name, new) for name, (_, new) in row.stamps.items()]
        found.setdefault(row.link_id, []).extend(stamps)
    return found


async def close_job(database: Database, link_ids: Sequence[str], job: str, settle_in: timedelta) -> None:
    """Journal of these links that a job of the vendor's has ended, and when what it has not written never will be."""

    async def work(connection: AsyncConnection) -> None:
        theirs = sa.and_(journal.c.link_id.in_(link_ids), journal.c.state.in_(OPEN), journal.c.job == job)
        await connection.execute(sa.update(journal).where(theirs).values(job="", settle_at=after(settle_in)))

    await database.transact(work)


_id, _state, _code, _record_id = _told.texts("id", "state", "code", "record_id")
_SAYS_MORE = sa.or_(_state != WriteState.UNKNOWN.value, *(journal.c.state == one for one in OPEN))
_ANSWERED = (
    sa.update(journal)
    .where(journal.c.id == _id, _SAYS_MORE)
    .values(state=_state, code=_code, record_id=_record_id, answered_at=db_now())
)


async def answer(database: Database, answers: Sequence[Answer]) -> None:
    """Journal what became of planned writes; that nobody knows it is no news of one that a later look has settled."""
    rows = [
        {"id": a.entry_id, "state": a.state.value, "code": a.code and a.code[:64], "record_id": a.record_id}
        for a in answers
    ]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_ANSWERED, {"p_rows": json_of(rows)})

    if answers:
        await database.transact(work)


async def writes_by_field(database: Database, span: timedelta) -> dict[tuple[Kind, Side, str], int]:
    """Give (kind, side written to, our name of the field) -> confirmed writes of the last span of time.

    100,000 writes take half a second: their fields stand in no column of their own.
    """
    written = sa.func.json_each(journal.c.stamps).table_valued("key").alias("written")
    place = journal.join(links, links.c.id == journal.c.link_id).join(written, sa.true())
    asked = (
        sa.select(links.c.kind, journal.c.side, written.c.key, sa.func.count().label("writes"))
        .select_from(place)
        .where(journal.c.answered_at >= after(-span), journal.c.state == WriteState.CONFIRMED.value)
        .group_by(links.c.kind, journal.c.side, written.c.key)
    )
    return {(Kind(row.kind), Side(row.side), row.key): row.writes for row in await database.read(asked)}
