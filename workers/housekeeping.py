"""Housekeeping: what is finished and old goes, and the room it took is given back, a little at a time.

Once an hour for all workers together. After every batch it rests for as long as the batch took, so it takes half of
what it could and live work goes first. A run that was cut off is simply followed by the next.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta

from app.log import log
from app.runtime import Runtime
from app.store import activity, audit, identity_index, retention, schedules
from app.store.database import Database

EVERY = timedelta(hours=1)
_NAME = "housekeeping"
_SHORTEST_REST_S = 0.01


async def keep_house_when_due(runtime: Runtime) -> None:
    """Do it when it is time and no other worker has begun.

    Raises  StoreUnavailable
    """
    if await schedules.try_claim(runtime.database, _NAME, EVERY):
        await keep_house(runtime)


async def keep_house(runtime: Runtime) -> Counter[str]:
    """Let go of what is old by the settings, and say in one line what went."""
    began = time.monotonic()
    gone = await tidy(runtime.database, retention.ages(timedelta(days=runtime.settings.retention_days)))
    gone["audit"] = await audit.drop_old(runtime.database, timedelta(days=runtime.settings.audit_retention_days))
    said = ", ".join(f"{name} {count}" for name, count in gone.items() if count) or "nothing was old"
    log.info("house.kept", outcome=said, duration_ms=round((time.monotonic() - began) * 1000))
    # kept with the logs, apart from the database, it shows later whether the audit's end was cut off
    log.info("audit.anchored", outcome=str(await audit.head(runtime.database)))
    return gone


async def tidy(database: Database, kept_for: Mapping[str, timedelta]) -> Counter[str]:
    """Let go of what is old and give back its room; gives how much of each thing went.

    Raises  StoreUnavailable when the database fails; what went by then is gone
    """
    worked_since, gone = time.monotonic(), Counter[str]()
    async with aclosing(retention.batches(database, kept_for)) as batches:
        async for name, count in batches:
            gone[name] += count
            worked_since = await _rest(worked_since)
    async with aclosing(identity_index.forget_passed(database)) as passed:
        async for count in passed:
            gone["identities"] += count
            worked_since = await _rest(worked_since)
    gone["activity"] = await activity.drop_old(database)
    gone["leftovers"] = await retention.forget_leftovers(database)
    async with aclosing(retention.vacuum_steps(database)) as steps:
        async for given_back in steps:
            gone["bytes"] += given_back
            worked_since = await _rest(worked_since)
    return gone


async def _rest(worked_since: float) -> float:
    """Leave the database to others for as long as was worked, and give when work goes on."""
    await asyncio.sleep(max(time.monotonic() - worked_since, _SHORTEST_REST_S))
    return time.monotonic()
