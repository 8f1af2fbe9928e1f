"""Scan: go through what both sides hold of a kind, and mark what may differ, as a delivery would.

What nobody has heard of is due at once. What is linked and differs is kept, and waits: only when both sides have been
gone through is it known what all of it would change; the brake looks at that (`preview.py`), and then it is released.
Every page is saved with its cursor, so a scan that was cut off goes on there, and a page read twice is kept once. Of
two processes that would go through the same, one does.

    drchrono ─▶ salesforce ─▶ deleted ─▶ the brake, then all is due
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.log import log
from app.ports import Inbox
from app.runtime import Runtime
from app.store import lanes, links, scans
from app.store.scans import Scan
from app.sync.brake import MOST_UNASKED, ChangeCount, advice, brake, reason_of
from app.sync.mappings.table import Table
from app.sync.model import Kind, Lane, Link, Side, Snapshot
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.salesforce.client import DELETIONS_KNOWN_FOR
from workers import missed_events
from workers.batch import Batch, drchrono_of, read_only_batch
from workers.compare.checkpoint import Checkpoint, Phase, ScanRequest
from workers.compare.listing import (
    LATE,
    Resume,
    changed_contacts,
    changed_rows,
    drchrono_pages,
    file_pages,
    listed_delivery,
    of_linked_patients,
    read_ahead,
    record_unreadable_rows,
    salesforce_pages,
    unloaded,
    with_failed,
)
from workers.compare.preview import preview_batch
from workers.document_files import with_other_files
from workers.lease import LeasedScan, renewing
from workers.read import reader_of
from workers.read_documents import with_placements

ScanProgress = Callable[[Kind, Checkpoint], Awaitable[None]]


async def no_progress(_kind: Kind, _checkpoint: Checkpoint) -> None:
    """Tell nobody."""


async def scan(runtime: Runtime, inbox: Inbox, asked: ScanRequest, tell: ScanProgress = no_progress) -> Checkpoint:
    """Point out every record of a kind that differs, as far as either side tells; gives what it came to.

    Raises  SyncError, LeaseLost while another process does the same; the next scan of that name goes on where it stood
    """
    saved, goes_on = await scans.acquire(runtime.database, asked.name)
    try:
        async with renewing(LeasedScan(runtime, saved)):
            checkpoint = Checkpoint.restored(saved.at) if saved.at else _begun(asked, saved)
            if goes_on:
                read = sum(checkpoint.read.values())
                log.info("scan.goes_on", kind=asked.kind.value, phase=checkpoint.phase.value, records=read)
            asked = replace(asked, since=datetime.fromisoformat(checkpoint.since) if checkpoint.since else None)
            walk = ScanRun(runtime, inbox, asked, saved, goes_on=bool(saved.at))
            for phase in list(Phase)[list(Phase).index(checkpoint.phase) :]:
                if phase != checkpoint.phase:
                    checkpoint = replace(checkpoint, phase=phase, cursor="", of=None)
                    await scans.save(runtime.database, saved, checkpoint.to_save())
                async with aclosing(walk.run_phase(checkpoint)) as pages:
                    async for here in pages:
                        checkpoint = here
                        await scans.save(runtime.database, saved, checkpoint.to_save())
                        await tell(asked.kind, checkpoint)
            await scans.end(runtime.database, saved)
            return checkpoint
    finally:
        await scans.leave(runtime.database, saved)


def _begun(asked: ScanRequest, saved: Scan) -> Checkpoint:
    return Checkpoint(saved.started_at.isoformat(), since=asked.since.isoformat() if asked.since else None)


@dataclass(frozen=True, slots=True)
class ScanRun:
    """One scan on its way; both sides are connected.

    goes_on  it was cut off before: what DrChrono was listed to hold may be old
    """

    runtime: Runtime
    inbox: Inbox
    asked: ScanRequest
    scan: Scan
    goes_on: bool = False

    @property
    def table(self) -> Table:
        """The mapping of what is gone through."""
        return self.runtime.mappings[self.asked.kind]

    def run_phase(self, checkpoint: Checkpoint) -> AsyncGenerator[Checkpoint]:
        """Run the phase of the checkpoint, and give the checkpoint behind each page.

        Raises  SyncError
        """
        phases = {
            Phase.DRCHRONO: self._drchrono,
            Phase.SALESFORCE: self._salesforce,
            Phase.DELETED: self._deleted,
            Phase.RELEASE: self._release,
        }
        return phases[checkpoint.phase](checkpoint)

    async def _drchrono(self, checkpoint: Checkpoint) -> AsyncGenerator[Checkpoint]:
        """Every row is as a delivery; where all were shown, those that were not are asked for."""
        is_complete = self.asked.since is None or self.table.is_one_way
        before = Resume(checkpoint.cursor, checkpoint.read.get(Side.DRCHRONO.value, 0), checkpoint.of)
        client = drchrono_of(self.runtime, self.asked.kind, self.asked.lane)
        assert client is not None
        pages = drchrono_pages(client, self.table, self.asked.since, before)
        unreadable = 0
        async with aclosing(read_ahead(pages)) as ahead:
            async for page in ahead:
                unreadable += page.unreadable
                found = await self._keep_charts(page.rows)
                if is_complete:
                    ids = [wire.record_id(row) for row in page.rows]
                    await self._mark_listed(Side.DRCHRONO, ids)
                checkpoint = checkpoint.advanced(Side.DRCHRONO, page.next_cursor, len(page.rows), found, page.of)
                yield checkpoint
        record_unreadable_rows(self.runtime, self.asked.kind, Side.DRCHRONO, unreadable)
        if is_complete:
            await self._point_unlisted(Side.DRCHRONO)

    async def _salesforce(self, checkpoint: Checkpoint) -> AsyncGenerator[Checkpoint]:
        assert self.runtime.salesforce is not None
        is_complete = self.asked.since is None
        client = self.runtime.salesforce.on(self.asked.lane)
        if is_complete and self.asked.kind is Kind.DOCUMENT:
            pages = file_pages(self.runtime, client, self.table, checkpoint.cursor)
        else:
            pages = salesforce_pages(client, self.table, self.asked.since, checkpoint.cursor)
        unreadable = 0
        async with aclosing(read_ahead(pages)) as ahead:
            async for page in ahead:
                unreadable += page.unreadable
                found = await self._note_contacts(page.rows)
                if is_complete:
                    await self._mark_living(page.rows)
                yield (checkpoint := checkpoint.advanced(Side.SALESFORCE, page.next_cursor, len(page.rows), found))
        record_unreadable_rows(self.runtime, self.asked.kind, Side.SALESFORCE, unreadable)
        if is_complete:
            await self._point_unlisted(Side.SALESFORCE)

    async def _deleted(self, checkpoint: Checkpoint) -> AsyncGenerator[Checkpoint]:
        """What Salesforce deleted for good shows in no query; it keeps a list of that for some days.

        Where that does not reach back, all that is there is gone through, and what is missing is asked for.
        """
        assert self.runtime.salesforce is not None
        client, kind, now = self.runtime.salesforce.on(self.asked.lane), self.asked.kind, self.runtime.now()
        if self.asked.since is not None and kind is not Kind.DOCUMENT:  # of versions no such list is kept
            since = self.asked.since - LATE
            ids = await client.gone(self.table.object, since, now) if now - since < DELETIONS_KNOWN_FOR else None
            if ids is None:
                async with aclosing(read_ahead(salesforce_pages(client, self.table, None, ""))) as ahead:
                    async for page in ahead:
                        await self._mark_living(page.rows)
                await self._point_unlisted(Side.SALESFORCE)
            else:
                agreed = await links.links_to_compare(self.runtime.database, kind, ids, Side.SALESFORCE)
                await scans.add_differing(
                    self.runtime.database, self.scan, Side.SALESFORCE, [one.id for one in agreed.values()]
                )
        yield checkpoint

    async def _release(self, checkpoint: Checkpoint) -> AsyncGenerator[Checkpoint]:
        why = await apply_brake(self.runtime, self.asked, self.scan)
        if self.goes_on:
            confirm_after = self.runtime.rules(self.asked.kind).confirm_after
            await scans.confirm_edited_in_salesforce(self.runtime.database, self.scan.name, confirm_after)
        await scans.release(self.runtime.database, self.scan.name, self.asked.lane)
        yield replace(checkpoint, stopped=why)

    async def _keep_charts(self, rows: Sequence[dict[str, Any]]) -> int:
        """Keep the rows that tell of something, and give how many those are."""
        kind, rules = self.asked.kind, self.runtime.rules(self.asked.kind)
        rows = await of_linked_patients(self.runtime, rows) if kind is Kind.DOCUMENT else rows
        agreed = await links.links_to_compare(self.runtime.database, kind, [wire.record_id(row) for row in rows])
        told = await with_failed(self.runtime, kind, rows, agreed, changed_rows(rules, rows, agreed))
        told = await with_other_files(self.runtime, rows, agreed, told) if kind is Kind.DOCUMENT else told
        pairs = {record_id: link for record_id, link in agreed.items() if link.is_pair}
        news = {record_id: wire.version(row) for record_id, row in told.items() if record_id not in pairs}
        for left_alone in await self._unloaded(Side.DRCHRONO, news):
            del told[left_alone]
        known = {record_id: pairs[record_id].id for record_id in told if record_id in pairs}
        await self._doubt(Side.DRCHRONO, {record_id: wire.version(told[record_id]) for record_id in known})
        lanes_of = {id_: None if id_ in known else self.asked.lane for id_ in told}
        kept = (listed_delivery(self.runtime, kind, row, self.scan.id, lanes_of[id_]) for id_, row in told.items())
        await asyncio.gather(*(self.inbox.keep(one) for one in kept))
        await scans.add_differing(self.runtime.database, self.scan, Side.DRCHRONO, list(known.values()))
        return len(told)

    async def _note_contacts(self, rows: Sequence[dict[str, Any]]) -> int:
        """Point out the records that tell of something, and note those that ask to be taken over; gives how many."""
        kind, rules = self.asked.kind, self.runtime.rules(self.asked.kind)
        batch = read_only_batch(self.runtime, kind, self.asked.lane)
        reader = await reader_of(batch)
        agreed = await links.links_to_compare(
            self.runtime.database, kind, [str(row["Id"]) for row in rows], Side.SALESFORCE
        )
        deleted = {str(row["Id"]) for row in rows if row.get("IsDeleted")}
        told = changed_contacts(rules, reader, rows, agreed)
        pairs = {id_: link for id_, link in agreed.items() if link.is_pair}
        moved = await self._moved(batch, reader, rows, pairs)
        known = [pairs[id_].id for id_ in sorted((told.keys() | deleted | moved) & pairs.keys())]
        at_rest = agreed.keys() - (told.keys() | deleted)
        others = [id_ for row in rows if (id_ := str(row["Id"])) not in pairs and id_ not in at_rest]
        await self._doubt(Side.SALESFORCE, {id_: stamp for id_, stamp in told.items() if id_ in pairs})

        await scans.add_differing(self.runtime.database, self.scan, Side.SALESFORCE, known)
        versions = {id_: told[id_] for id_ in told.keys() & set(others)}
        left_alone = await self._unloaded(Side.SALESFORCE, versions)
        left_alone |= await self._awaited(row for row in rows if str(row["Id"]) in versions)
        news = sorted(versions.keys() - left_alone)
        others = [id_ for id_ in others if id_ not in left_alone]
        return len(known) + await links.mark_seen(self.runtime.database, kind, others, news, self.asked.lane)

    async def _moved(
        self, batch: Batch, reader: SideReader, rows: Sequence[dict[str, Any]], pairs: Mapping[str, Link]
    ) -> set[str]:
        """Give the versions that are on another patient's record, or on none: what a File is on changes no stamp of it.

        Only where all there is is gone through: it takes a question for each two hundred.
        """
        if self.asked.kind is not Kind.DOCUMENT or self.asked.since is not None:
            return set()
        living = {id_: row for row in rows if (id_ := str(row["Id"])) in pairs and not row.get("IsDeleted")}
        seen = {pairs[id_].id: reader.salesforce(row) for id_, row in living.items()}
        placed = await with_placements(batch, {link.id: link for link in pairs.values()}, seen)
        rules = self.runtime.rules(self.asked.kind)
        return {
            id_
            for id_ in living
            if not isinstance(one := placed[pairs[id_].id], Snapshot) or rules.news(pairs[id_], one)
        }

    async def _awaited(self, rows: Iterable[dict[str, Any]]) -> set[str]:
        """Give the Ids of records new to us whose chart is due: it was just created from there, or looks for it."""
        charts = {str(row["Id"]): str(row.get(self.table.external_id) or "").strip() for row in rows}
        named = sorted(filter(None, charts.values()))
        due = await links.on_their_way(self.runtime.database, self.asked.kind, named, Side.DRCHRONO)
        return {id_ for id_, chart in charts.items() if chart in due}

    async def _unloaded(self, side: Side, versions: Mapping[str, str]) -> set[str]:
        """Give the records new to us that a comparison leaves alone, because nobody had their kind loaded yet."""
        if self.asked.lane is not Lane.COMPARE:
            return set()
        return await unloaded(self.runtime, self.asked.kind, side, versions)

    async def _doubt(self, side: Side, versions: Mapping[str, str]) -> None:
        """Have the feed of a side doubted for what linked records show that nobody has told of, before it is let go."""
        if self.asked.lane is Lane.COMPARE and missed_events.has_feed(self.table):
            await missed_events.record_missed_rows(self.runtime, self.asked.kind, side, versions)

    async def _mark_living(self, rows: Sequence[dict[str, Any]]) -> None:
        ids = [str(row["Id"]) for row in rows if not row.get("IsDeleted")]
        await self._mark_listed(Side.SALESFORCE, ids)

    async def _mark_listed(self, side: Side, ids: Sequence[str]) -> None:
        await scans.mark_listed(self.runtime.database, self.asked.kind, side, ids, self._mark(side))

    async def _point_unlisted(self, side: Side) -> None:
        """Point out what a complete list did not show: the record itself is asked for."""
        missing = await scans.unlisted(self.runtime.database, self.asked.kind, side, self._mark(side), self.scan.id)
        if side is Side.DRCHRONO:
            await scans.require_confirmation(self.runtime.database, missing)
        await scans.add_differing(self.runtime.database, self.scan, side, missing)

    def _mark(self, side: Side) -> str:
        return f"{self.scan.id[2:]}/{side[0]}"


async def apply_brake(runtime: Runtime, asked: ScanRequest, scan: Scan) -> str:
    """Pause the lane when what waits to be let go is too much to go on with unasked; gives why, empty when it is not.

    Raises  SyncError when Salesforce cannot be read; then nothing is let go
    """
    known = runtime.settings
    if await scans.waiting(runtime.database, scan.name) <= min(MOST_UNASKED, known.brake_deletes):
        return ""
    prospect = ChangeCount()
    async for due in scans.batches(runtime.database, asked.kind, scan.name):
        await preview_batch(read_only_batch(runtime, asked.kind, asked.lane, due), prospect)
    linked = await links.linked(runtime.database, asked.kind)
    why = brake(prospect, linked, known.brake_share, known.brake_deletes)
    if why:
        reason = reason_of(asked.kind, why)
        await lanes.set_paused(runtime.database, [asked.lane], reason)
        log.error("brake.pulled", kind=asked.kind.value, lane=asked.lane.value, cause=why, advice=advice(asked.lane))
    return why
