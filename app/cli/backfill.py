"""What `backfill` and `reconcile` do and show. They mark what differs; the workers apply it.

Both may be stopped at any time and go on where they stood. A first load is followed while workers live and the next
of it is near; where it has to wait for calls, the command says when it will be done. What keeps both sides from being
compared now is said so that a person knows what to do.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Console

from app.cli import progress
from app.errors import LeaseLost, StoreUnavailable, SyncError, Unauthorized, Unavailable, VendorError
from app.metrics.definitions import CREATED_TALLY, LINKED_TALLY, UPDATED_TALLY
from app.operations import queue
from app.operations.audit import note_command
from app.operations.backfill import states, summary
from app.ports import Action, Inbox
from app.runtime import Runtime, open_inbox, open_runtime
from app.settings.fields import Settings
from app.sync.brake import advice
from app.sync.failure_causes import DRCHRONO_QUOTA_CAUSES, SALESFORCE_QUOTA_CAUSES, fix
from app.sync.model import Kind, Lane, Side
from workers.compare.checkpoint import Checkpoint, Phase
from workers.compare.listing import EVER
from workers.compare.reconcile import ORDER, compare

_LOOK_S = 1.0


_PATIENCE_S = 60.0  # what is due later than that is not waited for, nor is a vendor that is away for longer


_COMPARES_END_S = 600.0  # a worker's compare is worth waiting for: it reads no more than what has changed lately


_WORDS = {
    Phase.DRCHRONO: "DrChrono",
    Phase.SALESFORCE: "Salesforce",
    Phase.DELETED: "Salesforce",
    Phase.RELEASE: "Salesforce",
}


async def run_backfill(settings: Settings, console: Console, kind: Kind | None, *, since_ever: bool) -> bool:
    """Compare a kind or all, since ever or since the last time, and follow it; False where it could not be done.

    Raises  SyncError
    """
    async with open_runtime(settings) as runtime:
        kinds = [one for one in ORDER if one in runtime.mappings and kind in (None, one)]
        lane = Lane.BACKFILL if since_ever else Lane.COMPARE
        if not is_connected(runtime, console) or not is_mapped(runtime, console, kind):
            return False
        await tell_if_paused(runtime, console, lane, kinds)
        await note_command(
            runtime, Action.BACKFILL if since_ever else Action.RECONCILE, ", ".join(f"{one}s" for one in kinds)
        )
        began, before = runtime.now(), await queue.counted_so_far(runtime)
        checkpoints = await _all_compared(runtime, console, kinds, lane)
        if checkpoints.keys() != set(kinds):
            return False
        await _follow(runtime, console, lane, kinds)
        await print_summary(runtime, console, kinds, before, began)
        if not since_ever and (left_alone := summary(await states(runtime))):
            console.print(left_alone, markup=False, highlight=False, soft_wrap=True)
    return True


async def _all_compared(
    runtime: Runtime, console: Console, kinds: Sequence[Kind], lane: Lane
) -> dict[Kind, Checkpoint]:
    """Compare kind after kind, and give what each came to; where one could not be, it and the rest are left out."""
    inbox = open_inbox(
        runtime, lambda group: runtime.wakeup.notify({one.kind for each in group for one in each.events})
    )
    checkpoints: dict[Kind, Checkpoint] = {}
    why = ""
    try:
        with progress.showing(console) as say:
            for one in kinds:
                checkpoints[one] = await _compared(runtime, inbox, one, lane, say, console)
    except (VendorError, LeaseLost) as error:
        why = f"{kinds[len(checkpoints)]}s were not compared to the end: {explain(error)}"
    finally:
        await inbox.close()
    for one, checkpoint in checkpoints.items():
        console.print(_came_to(one, checkpoint), markup=False, highlight=False, soft_wrap=True)
    if why:
        console.print(why, style="red", markup=False, highlight=False, soft_wrap=True)
        console.print("the same command goes on where it stood", highlight=False)
    return checkpoints


async def _compared(
    runtime: Runtime, inbox: Inbox, kind: Kind, lane: Lane, say: progress.Say, console: Console
) -> Checkpoint:
    """Compare a kind to the end, however often its calls run out on the way.

    Raises  SyncError: a vendor or the database stays away, or another process goes through the same and does not end
    """
    assert runtime.drchrono is not None
    budget, known, tried_at = (
        runtime.drchrono.grant.budget,
        await queue.linked_count(runtime, kind),
        time.monotonic(),
    )
    is_told = False

    async def tell(kind: Kind, checkpoint: Checkpoint) -> None:
        nonlocal tried_at
        tried_at = time.monotonic()
        is_drchrono = checkpoint.phase is Phase.DRCHRONO
        read = checkpoint.read.get(Side.DRCHRONO if is_drchrono else Side.SALESFORCE, 0)
        of = checkpoint.of or (max(known, read) if lane is Lane.BACKFILL and checkpoint.cursor else read)
        say(
            f"{kind}s of {_WORDS[checkpoint.phase]}",
            read,
            of,
            f"{await budget.left():,} calls left" if is_drchrono else "",
        )

    while True:
        try:
            return await compare(runtime, inbox, kind, EVER if lane is Lane.BACKFILL else None, lane, tell)
        except LeaseLost as error:
            ends_s = _COMPARES_END_S if lane is Lane.COMPARE else runtime.timings.scan_held.total_seconds() + 1
            wait_s = _LOOK_S
            if time.monotonic() - tried_at > ends_s:
                raise
            why = f"{kind}s: {explain(error)}; waiting for its end" if not is_told else ""
        except StoreUnavailable as error:
            wait_s, why = _LOOK_S, f"{kind}s wait: {error}"
            if time.monotonic() - tried_at > _PATIENCE_S:
                raise
        except Unavailable as error:
            wait_s = max(error.retry_in_s or _LOOK_S, _LOOK_S)
            if not has_no_calls(error) and time.monotonic() - tried_at > _PATIENCE_S:
                raise
            why = f"{kind}s wait: {explain(error)}"
        if why:
            console.print(why, markup=False, highlight=False, soft_wrap=True)
            is_told = True
        await asyncio.sleep(wait_s)


def _came_to(kind: Kind, checkpoint: Checkpoint) -> str:
    read = ", ".join(f"{count:,} of {NAMES[Side(side)]}" for side, count in checkpoint.read.items()) or "nothing"
    found = sum(checkpoint.found.values())
    stopped = f"; stopped by the safety limit: {checkpoint.stopped}" if checkpoint.stopped else ""
    return f"{kind}s: read {read}; {found:,} to be looked at{stopped}"


async def _follow(runtime: Runtime, console: Console, lane: Lane, kinds: Sequence[Kind]) -> None:
    """Show how the workers get on, until nothing is left, nobody works, or the rest has to wait."""
    with progress.showing(console) as say:
        most = 0
        while True:
            left = await queue.left_of_comparison(runtime, lane, kinds)
            most = max(most, left.records)
            say("applied by the workers", most - left.records, most)
            if not left.records:
                return
            is_far = left.next_in_s is None or left.next_in_s > _PATIENCE_S
            if left.is_paused or is_far or not await queue.has_workers(runtime):
                break
            await asyncio.sleep(_LOOK_S)
    for line in await _why(runtime, lane, left):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _why(runtime: Runtime, lane: Lane, left: queue.LeftOfComparison) -> list[str]:
    """Say why what is left is not followed to its end."""
    lines = [f"{left.records:,} are left to the workers"]
    if left.is_paused:
        lines.append(f"queue {lane} is paused ({left.is_paused}); {advice(lane)}")
    elif not await queue.has_workers(runtime):
        lines.append("no worker is alive: start `chronobridge work`")
    else:
        lines.append("they wait for calls or for an answer; `chronobridge queue` says when they will be done")
    return lines


async def print_summary(
    runtime: Runtime, console: Console, kinds: Sequence[Kind], before: Mapping[str, int], began: datetime
) -> None:
    """Say what was linked, created and updated since `before`, and what waits for people since `began`, by cause."""
    now = await queue.counted_so_far(runtime)
    for kind in kinds:
        counts = {done: now.get(name, 0) - before.get(name, 0) for name, done in _counted(kind).items()}
        line = ", ".join(f"{count:,} {done}" for done, count in counts.items() if count)
        console.print(f"{kind}s: {line or 'nothing had to be done'}", markup=False, highlight=False)
        for row in await queue.left_to_people(runtime, kind, began):
            what = "need review" if row.is_held else "failed"
            told = f"  {row.records:,} {what}: {row.cause}; {fix(row.cause)}"
            console.print(told, markup=False, highlight=False, soft_wrap=True)


def _counted(kind: Kind) -> dict[str, str]:
    """Give the names of the tallies of a kind that a person is told of, each with what was done."""
    return {
        LINKED_TALLY.of(kind): "linked to one that was there",
        CREATED_TALLY.of(Side.SALESFORCE, kind): "created in Salesforce",
        CREATED_TALLY.of(Side.DRCHRONO, kind): "created in DrChrono",
        UPDATED_TALLY.of(kind): "updated",
    }


NAMES: Mapping[Side, str] = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}


_NOT_CONNECTED = "NOT_CONNECTED"


def is_connected(runtime: Runtime, console: Console) -> bool:
    """Say whether both sides are connected, and if not, what to do."""
    if runtime.drchrono is None or runtime.salesforce is None:
        console.print("[red]both systems must be connected to be compared; run: chronobridge check")
        return False
    return True


def is_mapped(runtime: Runtime, console: Console, kind: Kind | None) -> bool:
    """Say whether a kind that was asked for is synced at all, and if not, what to do; None means every kind."""
    if kind is None or kind in runtime.mappings:
        return True
    says = f"{kind}s are not synced: the mapping has no [{kind}] table; `chronobridge mapping show` says what it has"
    console.print(says, style="red", markup=False, highlight=False, soft_wrap=True)
    return False


async def tell_if_paused(runtime: Runtime, console: Console, lane: Lane, kinds: list[Kind]) -> None:
    """Say that a lane is paused, why, and what to do: what is found will wait in it, and nothing of it is written."""
    left = await queue.left_of_comparison(runtime, lane, kinds)
    if left.is_paused:
        console.print(f"queue {lane} is paused: {left.is_paused}", style="red", markup=False, soft_wrap=True)
        waiting = f"{left.records:,} records are pending in it, and so will be what is found now; {advice(lane)}"
        console.print(waiting, markup=False, highlight=False, soft_wrap=True)


def has_no_calls(error: SyncError) -> bool:
    """Say whether it is calls that are lacking, and not the vendor that is away."""
    return isinstance(error, Unavailable) and error.cause in (*DRCHRONO_QUOTA_CAUSES, *SALESFORCE_QUOTA_CAUSES)


def explain(error: SyncError) -> str:
    """Say what an error means for whoever compares, and what to do."""
    match error:
        case LeaseLost():
            return "another comparing of it is under way, here or in a worker, and does the same"
        case Unauthorized() if error.cause == _NOT_CONNECTED and error.side == Side.DRCHRONO:
            return "DrChrono is not connected; run: chronobridge connect drchrono"
        case Unauthorized():
            return f"{NAMES[Side(error.side)]} refuses our credential ({error.cause}); run: chronobridge check"
        case Unavailable() if has_no_calls(error):
            return f"{NAMES[Side(error.side)]} has no calls left for it ({error.cause}){_from(error)}"
        case Unavailable():
            return f"{NAMES[Side(error.side)]} does not answer ({error.cause}){_from(error)}"
    return f"{error}; `chronobridge check` says what is wrong"


def _from(error: Unavailable) -> str:
    if error.retry_in_s is None:
        return ""
    return f": again from {datetime.now(UTC) + timedelta(seconds=error.retry_in_s):%H:%M:%S} UTC"
