"""What is kept of a document that its link has no column for: ids and a keyed hash, never a title or a byte.

And whose documents are to be listed at once: patients that were just linked, opened in the console, or synced by hand.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import fence
from app.store.clock import after, db_now
from app.store.database import Database, DialectInsert, Insert, among
from app.store.tables import document_polls, documents, failures, links
from app.sync.model import Kind, Lane

_KEPT = ("patient_id", "content_stamp", "size_bytes", "type", "replaced_by", "file_read", "file_shown")


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What is kept of one; None where it is not known.

    patient_id     the patient's id in DrChrono
    content_stamp  a keyed hash of its bytes
    replaced_by    DrChrono's id of the document of a newer version
    file_read      what DrChrono's file whose bytes were read last is known by
    file_shown     the same of one that it has shown since, which may be another
    file_shown_at  since when it has shown that one
    """

    link_id: str
    patient_id: str | None = None
    content_stamp: str | None = None
    size_bytes: int | None = None
    type: str | None = None
    replaced_by: str | None = None
    file_read: str | None = None
    file_shown: str | None = None
    file_shown_at: datetime | None = None


def _upserted(insert: Insert) -> sa.Executable:
    known = {name: sa.func.coalesce(insert.excluded[name], documents.c[name]) for name in _KEPT}
    return insert.on_conflict_do_update(index_elements=[documents.c.link_id], set_=known)


_KEEP = DialectInsert(documents, _upserted)


async def keep(connection: AsyncConnection, found: Iterable[StoredDocument]) -> None:
    """Keep what is known of documents by now; what is not known stays what it was."""
    rows = [{"link_id": one.link_id, **{name: getattr(one, name) for name in _KEPT}} for one in found]
    if rows:
        await connection.execute(_KEEP.on(connection), sorted(rows, key=lambda row: str(row["link_id"])))


_SHOWN_NOW = sa.update(documents).values(file_shown_at=db_now())


async def note_files(database: Database, found: Sequence[StoredDocument], newly: Collection[str]) -> None:
    """Keep what lists have shown of documents' files; `newly`: the links of those that are shown for the first time."""

    async def work(connection: AsyncConnection) -> None:
        await keep(connection, found)
        if newly:
            await connection.execute(_SHOWN_NOW.where(documents.c.link_id.in_(sorted(newly))))

    if found:
        await database.transact(work)


_OF_LINKS = sa.select(documents).where(documents.c.link_id.in_(among("p_ids")))


async def of_links(database: Database, link_ids: Collection[str]) -> dict[str, StoredDocument]:
    """Give link id -> what is kept of its document."""
    rows = await database.read(_OF_LINKS, {"p_ids": sorted(link_ids)}) if link_ids else []
    return {row.link_id: _stored(row) for row in rows}


def _stored(row: Any) -> StoredDocument:
    kept = StoredDocument(row.link_id, *(getattr(row, name) for name in _KEPT))
    return replace(kept, file_shown_at=row.file_shown_at)


async def note_replaced(connection: AsyncConnection, replaced: Mapping[str, str]) -> None:
    """Note which documents are replaced by which (both DrChrono's ids); what its description says is seen to later."""
    for old, new in sorted(replaced.items()):
        link = sa.select(links.c.id).where(links.c.kind == Kind.DOCUMENT.value, links.c.drchrono_id == old)
        if (link_id := await connection.scalar(link)) is not None and old != new:
            await keep(connection, [StoredDocument(link_id, replaced_by=new)])


async def untold(database: Database, limit: int) -> list[tuple[str, str, str]]:
    """Give (link id, DrChrono's id, id of what replaces it) of documents whose description may not say so yet."""
    place = documents.join(links, links.c.id == documents.c.link_id)
    asked = sa.select(documents.c.link_id, links.c.drchrono_id, documents.c.replaced_by).select_from(place)
    is_open = (documents.c.replaced_by.is_not(None), documents.c.told_at.is_(None), links.c.drchrono_id.is_not(None))
    rows = await database.read(asked.where(*is_open).order_by(documents.c.link_id).limit(limit))
    return [(row.link_id, row.drchrono_id, row.replaced_by) for row in rows]


async def note_told(database: Database, link_id: str, replaced_by: str) -> None:
    """Note that a document's description says what replaces it."""
    ours = (documents.c.link_id == link_id, documents.c.replaced_by == replaced_by)
    told = sa.update(documents).where(*ours).values(told_at=db_now())

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(told)

    await database.transact(work)


def _wanted(insert: Insert) -> sa.Executable:
    lane, table = insert.excluded["lane"], document_polls
    is_old = sa.or_(table.c.listed_at.is_(None), table.c.listed_at < after("p_since"))
    is_more_urgent = sa.and_(lane == Lane.LIVE.value, table.c.lane != Lane.LIVE.value)
    is_news = sa.or_(sa.and_(table.c.due_at.is_(None), is_old), sa.and_(table.c.due_at.is_not(None), is_more_urgent))
    news = {"due_at": db_now(), "lane": lane}
    return insert.values(due_at=db_now()).on_conflict_do_update(
        index_elements=[table.c.patient_id], set_=news, where=is_news
    )


_WANTED = DialectInsert(document_polls, _wanted)
OFTEN = timedelta(minutes=5)  # a record is opened again and again while somebody works on it


async def want(
    connection: AsyncConnection, patient_ids: Collection[str], lane: Lane, often: timedelta = timedelta(0)
) -> None:
    """Have the documents of patients listed soon, by their DrChrono ids; `lane`: how urgent that is.

    often  those of whom it was done within so long are left out
    """
    rows = [{"patient_id": one, "lane": lane.value, "p_since": -often} for one in sorted(set(patient_ids))]
    if rows:
        await connection.execute(_WANTED.on(connection), rows)


async def want_opened(database: Database, patient_id: str, often: timedelta = OFTEN) -> None:
    """Have the documents of a patient listed whose record a person has opened; once within so long at most."""
    await database.transact(lambda connection: want(connection, [patient_id], Lane.LIVE, often))


@dataclass(frozen=True, slots=True)
class WantedPatient:
    """A patient whose documents are to be listed, by DrChrono's id, and how urgent that is."""

    patient_id: str
    lane: Lane


_DUE = sa.select(document_polls.c.patient_id, document_polls.c.lane).where(document_polls.c.due_at <= db_now())
_LIVE_FIRST = sa.case((document_polls.c.lane == Lane.LIVE.value, 0), else_=1)


async def take_wanted(database: Database, limit: int, held_for: timedelta) -> Sequence[WantedPatient]:
    """Give patients whose documents are to be listed now, urgent ones first; nobody else is given them for so long."""

    async def work(connection: AsyncConnection) -> Sequence[WantedPatient]:
        if not await fence.is_held(connection, database):
            return ()
        chosen = _DUE.order_by(_LIVE_FIRST, document_polls.c.due_at).limit(limit).with_for_update(skip_locked=True)
        found = [WantedPatient(row.patient_id, Lane(row.lane)) for row in await connection.execute(chosen)]
        ids = [one.patient_id for one in found]
        held = sa.update(document_polls).where(document_polls.c.patient_id.in_(ids)).values(due_at=after(held_for))
        if ids:
            await connection.execute(held)
        return found

    return await database.transact(work) if await database.read(_DUE.limit(1)) else ()


async def listed(database: Database, patient_id: str) -> None:
    """Note that a patient's documents were listed."""
    ours = sa.update(document_polls).where(document_polls.c.patient_id == patient_id)

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(ours.values(due_at=None, listed_at=db_now()))

    await database.transact(work)


_LINKED = sa.select(links.c.drchrono_id, links.c.salesforce_id).where(
    links.c.kind == Kind.PATIENT.value,
    links.c.drchrono_id.in_(among("p_ids")),
    links.c.salesforce_id.is_not(None),
)
_IN_THE_SET = _LINKED.where(links.c.excluded_by.is_(None))


async def records_of(database: Database, patient_ids: Collection[str], *, in_the_set: bool = False) -> dict[str, str]:
    """Give, by DrChrono's ids of patients, their records in Salesforce, of those that are linked.

    in_the_set  and are not left out of the set that is synced
    """
    asked = _IN_THE_SET if in_the_set else _LINKED
    rows = await database.read(asked, {"p_ids": sorted(patient_ids)}) if patient_ids else []
    return {row.drchrono_id: row.salesforce_id for row in rows}


_FAILED = sa.select(links.c.drchrono_id, links.c.floor).where(
    links.c.kind == Kind.DOCUMENT.value,
    links.c.drchrono_id.in_(among("p_ids")),
    sa.or_(
        links.c.salesforce_id.is_(None),
        sa.exists().where(documents.c.link_id == links.c.id, documents.c.file_shown != documents.c.file_read),
    ),
    sa.exists().where(failures.c.link_id == links.c.id),
)


async def refused_at(database: Database, document_ids: Collection[str]) -> dict[str, str]:
    """Give, of documents whose file failed to travel, the stamp that they had then: while they have it, none is new."""
    rows = await database.read(_FAILED, {"p_ids": sorted(document_ids)}) if document_ids else []
    return {row.drchrono_id: row.floor for row in rows}


_NEXT_RECORDS = (
    sa.select(links.c.salesforce_id)
    .where(
        links.c.kind == Kind.PATIENT.value,
        links.c.salesforce_id > sa.bindparam("p_after"),
        links.c.drchrono_id.is_not(None),
        links.c.excluded_by.is_(None),
    )
    .order_by(links.c.salesforce_id)
    .limit(sa.bindparam("p_limit", type_=sa.Integer))
)


async def next_records(database: Database, after_id: str, limit: int) -> list[str]:
    """Give the records in Salesforce of the next linked patients behind an Id, in order of their Ids."""
    rows = await database.read(_NEXT_RECORDS, {"p_after": after_id, "p_limit": limit})
    return [row.salesforce_id for row in rows]
