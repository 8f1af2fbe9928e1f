"""Walk: the legs of a scan, page by page; what is kept of a page, and which records it points out."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.runtime import Runtime
from app.store import links, scans
from app.store.inbox import LISTED, Delivery, Event, Inbox
from app.store.scans import Scan
from app.sync.mapping import Table
from app.sync.records import Lane, Side
from app.vendors.drchrono import wire
from workers import untold
from workers.course import Asked, Course, Leg
from workers.foresight import held_back, onlooker
from workers.from_salesforce import contact
from workers.news import drchrono_says_news, salesforce_says_news
from workers.pages import LATE, Before, of_drchrono, of_salesforce
from workers.visits import clock_of

_TOLD_OF = timedelta(days=14)  # Salesforce tells of its deletions for 15 days


@dataclass(frozen=True, slots=True)
class Walk:
    """One scan on its way; both sides are connected."""

    run: Runtime
    inbox: Inbox
    asked: Asked
    scan: Scan

    @property
    def table(self) -> Table:
        """The mapping of what is gone through."""
        return self.run.mappings[self.asked.kind]

    def along(self, course: Course) -> AsyncIterator[Course]:
        """Go along the leg the course is on, and give the course behind each page.

        Raises  SyncError
        """
        legs = {
            Leg.DRCHRONO: self._drchrono,
            Leg.SALESFORCE: self._salesforce,
            Leg.DELETED: self._deleted,
            Leg.RELEASE: self._release,
        }
        return legs[course.leg](course)

    async def _drchrono(self, course: Course) -> AsyncIterator[Course]:
        """Every row is as a delivery; where all were shown, those that were not are asked for."""
        assert self.run.drchrono is not None
        is_complete = self.asked.since is None or self.table.is_one_way
        before = Before(course.place, course.read.get(Side.DRCHRONO.value, 0), course.of)
        pages = of_drchrono(self.run.drchrono.on(self.asked.lane), self.table, self.asked.since, before)
        async for page in pages:
            found = await self._keep_charts(page.rows)
            if is_complete:
                ids = [wire.record_id(row) for row in page.rows]
                await scans.mark(self.run.database, self.asked.kind, Side.DRCHRONO, ids, self._mark(Side.DRCHRONO))
            yield (course := course.onward(Side.DRCHRONO, page.onward, len(page.rows), found, page.of))
        if is_complete:
            await self._point_unlisted(Side.DRCHRONO)

    async def _salesforce(self, course: Course) -> AsyncIterator[Course]:
        assert self.run.salesforce is not None
        is_complete = self.asked.since is None
        pages = of_salesforce(self.run.salesforce.on(self.asked.lane), self.table, self.asked.since, course.place)
        async for page in pages:
            found = await self._note_contacts(page.rows)
            if is_complete:
                await self._mark_living(page.rows)
            yield (course := course.onward(Side.SALESFORCE, page.onward, len(page.rows), found))
        if is_complete:
            await self._point_unlisted(Side.SALESFORCE)

    async def _deleted(self, course: Course) -> AsyncIterator[Course]:
        """What Salesforce deleted for good shows in no query; it keeps a list of that for some days.

        Where that does not reach back, all that is there is gone through, and what is missing is asked for.
        """
        assert self.run.salesforce is not None
        client, kind, now = self.run.salesforce.on(self.asked.lane), self.asked.kind, self.run.now()
        if self.asked.since is not None:
            since = self.asked.since - LATE
            ids = await client.gone(self.table.object, since, now) if now - since < _TOLD_OF else None
            if ids is None:
                async for page in of_salesforce(client, self.table, None, ""):
                    await self._mark_living(page.rows)
                await self._point_unlisted(Side.SALESFORCE)
            else:
                agreed = await links.agreed(self.run.database, kind, ids, Side.SALESFORCE)
                await scans.point(self.run.database, self.scan, Side.SALESFORCE, [one.id for one in agreed.values()])
        yield course

    async def _release(self, course: Course) -> AsyncIterator[Course]:
        why = await held_back(self.run, self.asked, self.scan)
        await scans.release(self.run.database, self.scan.name, self.asked.lane)
        yield replace(course, stopped=why)

    async def _keep_charts(self, rows: Sequence[dict[str, Any]]) -> int:
        """Keep the rows that tell of something, and give how many those are."""
        rules = self.run.rules(self.asked.kind)
        agreed = await links.agreed(self.run.database, self.asked.kind, [wire.record_id(row) for row in rows])
        told = [row for row in rows if drchrono_says_news(rules, row, agreed.get(wire.record_id(row)))]
        known = {wire.record_id(row): agreed[wire.record_id(row)].id for row in told if wire.record_id(row) in agreed}
        await self._doubt(
            Side.DRCHRONO, {id_: wire.version(row) for row in told if (id_ := wire.record_id(row)) in known}
        )
        kept = (self._delivery(row, None if wire.record_id(row) in known else self.asked.lane) for row in told)
        await asyncio.gather(*(self.inbox.keep(one) for one in kept))
        await scans.point(self.run.database, self.scan, Side.DRCHRONO, list(known.values()))
        return len(told)

    def _delivery(self, row: dict[str, Any], lane: Lane | None) -> Delivery:
        """Give a row as a delivery to ourselves, kept once a scan however often it is listed."""
        kind, record_id, version = self.asked.kind, wire.record_id(row), wire.version(row)
        parts = (LISTED, self.scan.id, kind, record_id, version)
        key = self.run.keys.digest(*(part.encode() for part in parts))
        sealed = self.run.vault.seal(self.table.keep(row, "id", "updated_at", *wire.BESIDE))
        events = (Event(Side.DRCHRONO, kind, record_id, version, lane),)
        return Delivery(Side.DRCHRONO, LISTED, None, key, sealed, "kept", events)

    async def _note_contacts(self, rows: Sequence[dict[str, Any]]) -> int:
        """Point out the records that tell of something, and note those that ask to be taken over; gives how many."""
        kind, rules = self.asked.kind, self.run.rules(self.asked.kind)
        work = onlooker(self.run, kind, self.asked.lane)
        clock = await clock_of(work)
        agreed = await links.agreed(self.run.database, kind, [str(row["Id"]) for row in rows], Side.SALESFORCE)
        deleted = {str(row["Id"]) for row in rows if row.get("IsDeleted")}
        living = [contact(work, clock, row) for row in rows if str(row["Id"]) not in deleted]
        told = {one.id for one in living if salesforce_says_news(rules, one, agreed.get(one.id))}
        known = [agreed[id_].id for id_ in sorted((told | deleted) & agreed.keys())]
        others = [str(row["Id"]) for row in rows if str(row["Id"]) not in agreed]
        await self._doubt(Side.SALESFORCE, {one.id: one.version for one in living if one.id in told & agreed.keys()})

        async def work_on(connection: AsyncConnection) -> int:
            again = await links.point_out(connection, kind, Side.SALESFORCE, others, self.asked.lane)
            return again + await links.note(connection, kind, sorted(told & set(others)), self.asked.lane)

        await scans.point(self.run.database, self.scan, Side.SALESFORCE, known)
        return len(known) + await self.run.database.transact(work_on)

    async def _doubt(self, side: Side, versions: Mapping[str, str]) -> None:
        """Have the feed of a side doubted for what linked records show that nobody has told of, before it is let go."""
        if self.asked.lane is Lane.COMPARE and not self.table.is_one_way:
            await untold.shown_by(self.run, self.asked.kind, side, versions)

    async def _mark_living(self, rows: Sequence[dict[str, Any]]) -> None:
        ids = [str(row["Id"]) for row in rows if not row.get("IsDeleted")]
        await scans.mark(self.run.database, self.asked.kind, Side.SALESFORCE, ids, self._mark(Side.SALESFORCE))

    async def _point_unlisted(self, side: Side) -> None:
        """Point out what a complete list did not show: the record itself is asked for."""
        missing = await scans.unlisted(self.run.database, self.asked.kind, self._mark(side), self.scan.id)
        if side is Side.DRCHRONO:
            await scans.doubt(self.run.database, missing)
        await scans.point(self.run.database, self.scan, side, missing)

    def _mark(self, side: Side) -> str:
        return f"{self.scan.id[2:]}/{side[0]}"
