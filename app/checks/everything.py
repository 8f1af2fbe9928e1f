"""Every check, in the order a person would go about it: first our own house, then each vendor, then what came in."""

from collections.abc import AsyncIterator

from app import runtime
from app.checks import drchrono, here, salesforce
from app.checks.findings import Finding, State, good, red
from app.errors import StoreUnavailable
from app.settings.fields import Settings


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything and say how each thing is, as soon as it is known; nothing is changed by it.

    Raises  Misconfigured when the mapping file is wrong
    """
    async with runtime.opened(settings) as run:
        yield good("settings", "complete, every value of the right form")
        database = await here.database(run)
        yield database
        yield await here.redis(run)
        if database.state is State.OK:
            parts = [here.keys, drchrono.drchrono, salesforce.salesforce]
        else:
            yield red("drchrono", "not looked at: its token is in the database", "mend the database first")
            parts = [salesforce.salesforce]
        try:
            for part in parts:
                async for finding in part(run):
                    yield finding
            yield await here.webhook_address(run)
            if database.state is State.OK:
                async for finding in here.deliveries(run):
                    yield finding
        except StoreUnavailable:
            yield red("database", "went away while we looked", "check that it runs, its disk and DATABASE_URL")
