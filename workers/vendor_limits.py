"""Limits: Salesforce is asked what is left of its day, and what its objects take, before a record needs to know.

What is left: once at the start, unless it was told within the day; and while its calls are spent, every five minutes,
for all workers together. A failure is logged and tried again: until then the answers of calls say the same.

What the org is like: when a worker starts and once a day, for all workers together, and kept for all of them. While it
cannot be asked, what it last said holds.
"""

from datetime import timedelta

from app.errors import StoreUnavailable, SyncError
from app.log import log
from app.runtime import Runtime, recall_org
from app.store import org_descriptions, schedules
from app.sync.model import Lane, Side
from app.vendors.salesforce.org_description import describe_org

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


_ORG, _ORG_AT_START, _DAILY = "salesforce_org", "salesforce_org_at_start", timedelta(days=1)


class OrgWatch:
    """Has the mapping of a worker fit what the org says of itself."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._is_new = runtime, True

    async def look(self) -> None:
        """Take what any process was told of the org; ask it where this worker is new, or nobody has for a day."""
        database, mappings = self._runtime.database, self._runtime.mappings
        if self._runtime.salesforce is None:
            return
        is_due = await schedules.try_claim(database, _ORG, _AFTER_A_FAILURE)
        if self._is_new:
            is_due = await schedules.try_claim(database, _ORG_AT_START, _AFTER_A_FAILURE) or is_due
            self._is_new = False
        if not is_due:
            await recall_org(database, mappings)
            return
        try:
            described = await describe_org(self._runtime.salesforce.on(Lane.COMPARE), mappings)
        except StoreUnavailable:
            raise
        except SyncError as error:
            log.warning("org.not_told", side=Side.SALESFORCE.value, error=type(error).__name__, cause=str(error))
            return
        await org_descriptions.keep(database, described)
        await schedules.again_in(database, _ORG, _DAILY)
        mappings.fit(described)
        log.info("org.told", side=Side.SALESFORCE.value, records=len(described))
