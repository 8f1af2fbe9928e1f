"""Limits: Salesforce is asked what is left of its day, before the first record needs to know.

Once at the start, unless it was told within the day; and while its calls are spent, every five minutes, for all
workers together. A failure is logged and tried again: until then the answers of calls say the same.
"""

from datetime import timedelta

from app.errors import StoreUnavailable, SyncError
from app.log import log
from app.runtime import Runtime
from app.store import schedules
from app.sync.model import Side

_NAME = "salesforce_limits"
_EVERY, _AFTER_A_FAILURE = timedelta(seconds=30), timedelta(minutes=10)


async def ask_limits_when_due(runtime: Runtime) -> None:
    """Ask Salesforce for its limits, when nothing is known of them and no other worker asks."""
    if runtime.salesforce is None or not await runtime.salesforce.budget.is_to_be_asked():
        return
    if not await schedules.try_claim(runtime.database, _NAME, _EVERY):
        return
    try:
        _, left = await runtime.salesforce.daily_calls()
    except StoreUnavailable:
        raise
    except SyncError as error:
        is_paused = (await runtime.salesforce.budget.stands()).paused_for_s > 0  # then it says itself when to ask again
        await schedules.again_in(runtime.database, _NAME, _EVERY if is_paused else _AFTER_A_FAILURE)
        log.warning("limits.not_told", side=Side.SALESFORCE.value, error=type(error).__name__, cause=str(error))
        return
    log.info("limits.told", side=Side.SALESFORCE.value, budget_left=left)
