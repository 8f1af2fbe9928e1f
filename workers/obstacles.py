"""Obstacles: what keeps both sides from being compared now, said so that a person knows what to do."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from rich.console import Console

from app.errors import LeaseLost, SyncError, Unauthorized, Unavailable
from app.runtime import Runtime
from app.store import comparisons
from app.sync.records import Kind, Lane, Side
from app.sync.retry import DRCHRONO_LACKS, SALESFORCE_LACKS

NAMES: Mapping[Side, str] = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}
_NOT_CONNECTED = "NOT_CONNECTED"


def is_connected(run: Runtime, console: Console) -> bool:
    """Say whether both sides are connected, and if not, what to do."""
    if run.drchrono is None or run.salesforce is None:
        console.print("[red]both sides must be connected to be compared; run: chronobridge check")
        return False
    return True


async def tell_if_paused(run: Runtime, console: Console, lane: Lane, kinds: list[Kind]) -> None:
    """Say that a lane is paused, why, and what to do: what is found will wait in it, and nothing of it is written."""
    left = await comparisons.left(run.database, lane, kinds)
    if left.is_paused:
        console.print(f"the lane {lane} is paused: {left.is_paused}", style="red", markup=False, soft_wrap=True)
        waiting = f"{left.records:,} records wait in it, and so will what is found now; {advice(lane)}"
        console.print(waiting, markup=False, highlight=False, soft_wrap=True)


def advice(lane: Lane) -> str:
    """Say what to do about a lane that the brake has paused."""
    command = "backfill" if lane is Lane.BACKFILL else "reconcile"
    return f"look with `chronobridge {command} --dry-run`; POST /api/v1/lanes/{lane}/resume lets it go on"


def has_no_calls(error: SyncError) -> bool:
    """Say whether it is calls that are lacking, and not the vendor that is away."""
    return isinstance(error, Unavailable) and error.cause in (*DRCHRONO_LACKS, *SALESFORCE_LACKS)


def told(error: SyncError) -> str:
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
