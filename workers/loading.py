"""Loading: what `backfill` and `reconcile` do and show. They point out what differs; the workers apply it.

Both may be stopped at any time and go on where they stood. A first load is followed while workers live and the next
of it is near; where it has to wait for calls, it is told when it will be done.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console

from app import progress, runtime
from app.errors import Unavailable
from app.runtime import Runtime
from app.settings import Settings
from app.store import comparisons, heartbeat, links, tallies
from app.store.inbox import Inbox
from app.sync.records import Kind, Lane, Side
from app.sync.retry import fix
from workers.course import Course, Leg
from workers.pages import EVER
from workers.reconcile import ORDER, compare

_LOOK_S = 1.0
_PATIENCE_S = 60.0  # what is due later than that is not waited for
NAMES = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}
_WORDS = {Leg.DRCHRONO: "DrChrono", Leg.SALESFORCE: "Salesforce", Leg.DELETED: "Salesforce", Leg.RELEASE: "Salesforce"}


async def loaded(settings: Settings, console: Console, kind: Kind | None, *, since_ever: bool) -> bool:
    """Compare a kind or all, since ever or since the last time, and follow it; False where a side is not connected.

    Raises  SyncError
    """
    async with runtime.opened(settings) as run:
        if not is_connected(run, console):
            return False
        kinds = [one for one in ORDER if one in run.mappings and kind in (None, one)]
        lane = Lane.BACKFILL if since_ever else Lane.COMPARE
        began, before = run.now(), await tallies.read(run.database)
        inbox = runtime.inbox(run, lambda group: run.bell.ring({one.kind for each in group for one in each.events}))
        try:
            with progress.shown(console) as say:
                courses = [await _compared(run, inbox, one, lane, say, console) for one in kinds]
        finally:
            await inbox.close()
        for one, course in zip(kinds, courses, strict=True):
            console.print(_came_to(one, course), markup=False, highlight=False, soft_wrap=True)
        await _follow(run, console, lane, kinds)
        await summed_up(run, console, kinds, before, began)
    return True


def is_connected(run: Runtime, console: Console) -> bool:
    """Say whether both sides are connected, and if not, what to do."""
    if run.drchrono is None or run.salesforce is None:
        console.print("[red]both sides must be connected to be compared; run: chronobridge check")
        return False
    return True


async def _compared(run: Runtime, inbox: Inbox, kind: Kind, lane: Lane, say: progress.Say, console: Console) -> Course:
    """Compare a kind to the end, however often its calls run out on the way."""
    assert run.drchrono is not None
    budget, known = run.drchrono.grant.budget, await links.linked(run.database, kind)
    left = await budget.left()

    def tell(kind: Kind, course: Course) -> None:
        read = course.read.get(Side.DRCHRONO if course.leg is Leg.DRCHRONO else Side.SALESFORCE, 0)
        of = course.of or max(known, read)
        say(f"{kind}s of {_WORDS[course.leg]}", read, of, f"{left} DrChrono calls left this hour")

    while True:
        try:
            return await compare(run, inbox, kind, EVER if lane is Lane.BACKFILL else None, lane, tell)
        except Unavailable as error:
            wait_s = max(error.retry_in_s or _LOOK_S, _LOOK_S)
            until = datetime.now(UTC) + timedelta(seconds=wait_s)
            console.print(f"{NAMES[Side(error.side)]} has to wait ({error.cause}): goes on at {until:%H:%M:%S} UTC")
            await asyncio.sleep(wait_s)


def _came_to(kind: Kind, course: Course) -> str:
    read = ", ".join(f"{count:,} of {NAMES[Side(side)]}" for side, count in course.read.items()) or "nothing"
    found = sum(course.found.values())
    stopped = f"; held back by the brake: {course.stopped}" if course.stopped else ""
    return f"{kind}s: read {read}; {found:,} new or different{stopped}"


async def _follow(run: Runtime, console: Console, lane: Lane, kinds: Sequence[Kind]) -> None:
    """Show how the workers get on, until nothing is left, nobody works, or the rest has to wait."""
    with progress.shown(console) as say:
        most = 0
        while True:
            left = await comparisons.left(run.database, lane, kinds)
            most = max(most, left.records)
            say("applied by the workers", most - left.records, most)
            if not left.records:
                return
            is_far = left.next_in_s is None or left.next_in_s > _PATIENCE_S
            if left.is_paused or is_far or not await heartbeat.alive(run.database):
                break
            await asyncio.sleep(_LOOK_S)
    for line in await _why(run, lane, left):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _why(run: Runtime, lane: Lane, left: comparisons.Left) -> list[str]:
    """Say why what is left is not followed to its end."""
    lines = [f"{left.records:,} are left to the workers"]
    if left.is_paused:
        lines.append(f"the lane {lane} is paused ({left.is_paused}); look with --dry-run, then resume it")
    elif not await heartbeat.alive(run.database):
        lines.append("no worker is alive: start `chronobridge work`")
    else:
        lines.append("they wait for calls or for an answer; `chronobridge queue` says when they will be done")
    return lines


async def summed_up(
    run: Runtime, console: Console, kinds: Sequence[Kind], before: dict[str, int], began: datetime
) -> None:
    """Say what was linked, created and updated since `before`, and what waits for people since `began`, by cause."""
    now = await tallies.read(run.database)
    for kind in kinds:
        counts = {what: now.get(f"{what}_{kind}", 0) - before.get(f"{what}_{kind}", 0) for what in _COUNTED}
        line = ", ".join(f"{count:,} {_COUNTED[what]}" for what, count in counts.items() if count)
        console.print(f"{kind}s: {line or 'nothing had to be done'}", markup=False, highlight=False)
        for row in await comparisons.left_to_people(run.database, kind, began):
            what = "held" if row.is_held else "refused"
            told = f"  {row.records:,} {what}: {row.cause}; {fix(row.cause)}"
            console.print(told, markup=False, highlight=False, soft_wrap=True)


_COUNTED = {
    "linked": "linked to one that was there",
    "created_salesforce": "created in Salesforce",
    "created_drchrono": "created in DrChrono",
    "updated": "updated",
}
