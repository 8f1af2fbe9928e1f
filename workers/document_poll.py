"""The documents of one patient, listed at once: of whom somebody has opened, synced by hand, or just linked.

DrChrono has no webhook for documents: what changes is found by comparing (`compare/`), every DOCUMENT_POLL_EVERY. Where
a person waits it is asked for at once. And what a newer version has replaced is made to say so in its description.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from time import monotonic

from ulid import ULID

from app.errors import Gone, Rejected, SyncError, Unavailable
from app.log import log
from app.ports import Inbox
from app.runtime import Runtime
from app.store import documents, lanes, links
from app.sync.mappings.document_codecs import replacement_in, with_replacement
from app.sync.model import Kind, Lane, Side
from app.vendors.drchrono import wire
from app.vendors.drchrono.documents import DrChronoDocuments
from workers.batch import drchrono_of
from workers.compare.listing import (
    changed_rows,
    listed_delivery,
    of_linked_patients,
    record_unreadable_rows,
    unloaded,
    with_failed,
)
from workers.document_files import with_other_files

LOOK_EVERY_S = 2.0
_AT_ONCE = 5
_GOOD_FOR_S = 5.0  # of a description that was read: DrChrono takes no write on condition
_HELD = timedelta(minutes=1)  # should we die in the midst of it, or DrChrono not answer


async def poll_documents_when_due(runtime: Runtime, inbox: Inbox, notify: Callable[[Iterable[str]], None]) -> None:
    """List the documents of patients that were asked for, and have replaced ones say what replaces them.

    Raises  StoreUnavailable
    """
    if Kind.DOCUMENT not in runtime.mappings or runtime.drchrono is None or runtime.salesforce is None:
        return
    wanted = await documents.take_wanted(runtime.database, _AT_ONCE, _HELD)
    for one in wanted:
        if one.lane is not Lane.LIVE and not await runtime.document_calls.room(one.lane):
            continue  # it is held for a while, and asks for no call that others are then told to come behind
        try:
            count = await _list_patient(runtime, inbox, one.patient_id, one.lane)
        except SyncError as error:
            log.info("documents.not_listed", error=type(error).__name__, cause=str(error))
            if not isinstance(error, Rejected):  # to ask again would be answered alike
                continue
            count = 0
        await documents.listed(runtime.database, one.patient_id)
        if count:
            notify([Kind.DOCUMENT.value])
    await tell_replaced(runtime)


async def _list_patient(runtime: Runtime, inbox: Inbox, patient_id: str, lane: Lane) -> int:
    """Keep what a patient's documents tell of, due in a lane; gives how many do.

    Raises  SyncError
    """
    client = drchrono_of(runtime, Kind.DOCUMENT, lane)
    assert client is not None
    count, scan = 0, str(ULID())
    async for page in DrChronoDocuments(client).pages(patient=patient_id):
        rows = wire.readable(page)
        record_unreadable_rows(runtime, Kind.DOCUMENT, Side.DRCHRONO, len(page) - len(rows))
        rows = await of_linked_patients(runtime, rows)
        agreed = await links.links_to_compare(
            runtime.database, Kind.DOCUMENT, [wire.record_id(row) for row in rows], with_failing=False
        )
        told = changed_rows(runtime.rules(Kind.DOCUMENT), rows, agreed)
        told = await with_failed(runtime, Kind.DOCUMENT, rows, agreed, told)
        told = await with_other_files(runtime, rows, agreed, told)
        news = {id_: wire.version(row) for id_, row in told.items() if id_ not in agreed}
        left_alone = await unloaded(runtime, Kind.DOCUMENT, Side.DRCHRONO, news)
        kept = [row for id_, row in told.items() if id_ not in left_alone]
        await asyncio.gather(*(inbox.keep(listed_delivery(runtime, Kind.DOCUMENT, row, scan, lane)) for row in kept))
        count += len(kept)
    return count


async def tell_replaced(runtime: Runtime) -> None:
    """Have documents in DrChrono say in their description which one replaces them.

    Nothing of it travels, and saying it twice is saying it once: so it is not journalled, and tried until it is there.
    What has to wait for a call after a description was read is not written: it may have been edited since.

    Raises  StoreUnavailable
    """
    client = drchrono_of(runtime, Kind.DOCUMENT, Lane.BACKFILL)
    if client is None or await lanes.is_paused(runtime.database, Lane.BACKFILL):
        return
    practice = DrChronoDocuments(client)
    for link_id, document_id, replaced_by in await documents.untold(runtime.database, _AT_ONCE):
        try:
            read_at = monotonic()
            record = await practice.read(document_id)
            description = str((record or {}).get("description") or "")
            if record is not None and replacement_in(description) != replaced_by:
                said = {"description": with_replacement(description, replaced_by)}
                await practice.change(document_id, said, partial(must_be_fresh, read_at))
        except SyncError as error:
            log.info("documents.not_told", error=type(error).__name__, cause=str(error))
            if not isinstance(error, Rejected | Gone):  # of the one that it is refused for, our own list says so
                return
        await documents.note_told(runtime.database, link_id, replaced_by)


def must_be_fresh(read_at: float) -> None:
    """Let a write start that rests on what was read just now; `read_at`: when it was asked for (monotonic).

    Raises  Unavailable
    """
    if monotonic() - read_at > _GOOD_FOR_S:
        raise Unavailable(Side.DRCHRONO.value, "PATCH /api/documents/{id}", code="READ_TOO_LONG_AGO")
