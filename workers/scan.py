"""Scan: go through what both sides hold of a kind, and point out what may differ, as a delivery would.

What nobody has heard of is due at once. What is linked and differs is kept, and waits: only when both sides have been
gone through is it known what all of it would change; the brake looks at that (`foresight.py`), and then it is let go.
Every page is saved with its place, so a scan that was cut off goes on there, and a page read twice is kept once.

    drchrono ─▶ salesforce ─▶ deleted ─▶ the brake, then all is due
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime

from app.log import log
from app.runtime import Runtime
from app.store import scans
from app.store.inbox import Inbox
from app.store.scans import Scan
from app.sync.records import Kind
from workers.course import Asked, Course, Leg
from workers.walk import Walk

Tell = Callable[[Kind, Course], None]


async def scan(run: Runtime, inbox: Inbox, asked: Asked, tell: Tell = lambda _kind, _course: None) -> Course:
    """Point out every record of a kind that differs, as far as either side tells; gives what it came to.

    Raises  SyncError; from what was saved until then the next scan of that name goes on
    """
    saved, goes_on = await scans.begun(run.database, asked.name)
    course = Course(**saved.at) if saved.at else _begun(asked, saved)
    if goes_on:
        log.info("scan.goes_on", kind=asked.kind.value, leg=course.leg, records=sum(course.read.values()))
    asked = replace(asked, since=datetime.fromisoformat(course.since) if course.since else None)
    walk = Walk(run, inbox, asked, saved)
    for leg in list(Leg)[list(Leg).index(Leg(course.leg)) :]:
        if leg != course.leg:
            course = replace(course, leg=leg, place="", of=None)
            await scans.save(run.database, saved, asdict(course))
        async for here in walk.along(course):
            course = here
            await scans.save(run.database, saved, asdict(course))
            tell(asked.kind, course)
    await scans.end(run.database, saved)
    return course


def _begun(asked: Asked, saved: Scan) -> Course:
    return Course(saved.started_at.isoformat(), since=asked.since.isoformat() if asked.since else None)
