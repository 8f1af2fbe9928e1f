"""What each vendor still lets us call, by our own count and its last word: spent, nearly spent, or to be left alone."""

from app.doors.feeds import NAMES
from app.doors.health.words import OK, Found, State
from app.runtime import Runtime
from app.sync.records import Lane, Side
from app.vendors.daily import Standing as Day
from app.vendors.hourly import Standing as Hour

_NEARLY = 0.9


async def left(run: Runtime, side: Side) -> Found | None:
    """Look at the budget of a side; None where it is not connected.

    Raises  StoreUnavailable
    """
    if side is Side.DRCHRONO:
        return None if run.drchrono is None else _hour(await run.drchrono.grant.budget.stands({}))
    return None if run.salesforce is None else _day(await run.salesforce.budget.stands())


def _hour(stands: Hour) -> Found:
    if stands.paused_for_s > 0:
        return _paused(Side.DRCHRONO, stands.paused_for_s)
    minutes = f"in {stands.resets_in_s / 60:.0f} minutes"
    if stands.left <= 0:
        return Found(State.DEGRADED, f"the hour's {stands.per_hour:,} calls are spent; edits wait, and go on {minutes}")
    if stands.left < stands.per_hour * (1 - _NEARLY):
        by = max(Lane, key=lambda lane: stands.made.get(lane, 0))
        spent = f"{stands.left:,} of the hour's {stands.per_hour:,} calls are left, most went to the lane {by}"
        return Found(State.DEGRADED, f"{spent}; a new hour begins {minutes}")
    return OK


def _day(stands: Day) -> Found:
    if stands.paused_for_s > 0:
        return _paused(Side.SALESFORCE, stands.paused_for_s)
    if not stands.most:
        return OK  # Salesforce has not said yet what its day allows
    used, ours = f"{stands.used:,} of the day's {stands.most:,} calls are used", int(stands.most * stands.share)
    if stands.used >= ours:
        return Found(State.DEGRADED, f"{used}, ours and those of others: only live edits go on")
    if stands.used >= ours * _NEARLY:
        return Found(State.DEGRADED, f"{used}; from {ours:,} on only live edits go on (SALESFORCE_DAILY_CALL_SHARE)")
    return OK


def _paused(side: Side, span_s: float) -> Found:
    return Found(State.DEGRADED, f"{NAMES[side]} is left alone for {span_s:.0f} s more, then calls go on by themselves")
