"""Scan: go through what both sides hold of a kind, and point out what may differ, as a delivery would.

What nobody has heard of is due at once. What is linked and differs is kept, and waits: only when both sides have been
gone through is it known what all of it would change; the brake looks at that (`foresight.py`), and then it is let go.
Every page is saved with its place, so a scan that was cut off goes on there, and a page read twice is kept once. Of two
processes that would go through the same, one does.

    drchrono ─▶ salesforce ─▶ deleted ─▶ the brake, then all is due
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import datetime

from app.errors import LeaseLost, StoreUnavailable
from app.log import log
from app.runtime import Runtime
from app.store import scans
from app.store.inbox import Inbox
from app.store.scans import Scan
from app.sync.records import Kind
from workers.course import Asked, Course, Leg
from workers.walk import Walk

Tell = Callable[[Kind, Course], Awaitable[None]]
_RENEWALS = 3  # in one lease


async def silent(_kind: Kind, _course: Course) -> None:
    """Tell nobody."""


async def scan(run: Runtime, inbox: Inbox, asked: Asked, tell: Tell = silent) -> Course:
    """Point out every record of a kind that differs, as far as either side tells; gives what it came to.

    Raises  SyncError, LeaseLost while another process does the same; the next scan of that name goes on where it stood
    """
    saved, goes_on = await scans.begun(run.database, asked.name)
    async with _held(run, saved):
        course = Course.saved(saved.at) if saved.at else _begun(asked, saved)
        if goes_on:
            log.info("scan.goes_on", kind=asked.kind.value, leg=course.leg, records=sum(course.read.values()))
        asked = replace(asked, since=datetime.fromisoformat(course.since) if course.since else None)
        walk = Walk(run, inbox, asked, saved)
        for leg in list(Leg)[list(Leg).index(course.leg) :]:
            if leg != course.leg:
                course = replace(course, leg=leg, place="", of=None)
                await scans.save(run.database, saved, asdict(course))
            async for here in walk.along(course):
                course = here
                await scans.save(run.database, saved, asdict(course))
                await tell(asked.kind, course)
        await scans.end(run.database, saved)
    return course


@asynccontextmanager
async def _held(run: Runtime, saved: Scan) -> AsyncIterator[None]:
    """Hold a scan while the block runs, however long a vendor takes, and let it go at the end."""
    task = asyncio.create_task(_renew(run, saved))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await scans.leave(run.database, saved)


async def _renew(run: Runtime, saved: Scan) -> None:
    while True:
        await asyncio.sleep(scans.HELD.total_seconds() / _RENEWALS)
        try:
            await scans.hold(run.database, saved)
        except LeaseLost:
            return  # the next page is not saved, and so it is told
        except StoreUnavailable:
            log.warning("scan.not_held")


def _begun(asked: Asked, saved: Scan) -> Course:
    return Course(saved.started_at.isoformat(), since=asked.since.isoformat() if asked.since else None)
