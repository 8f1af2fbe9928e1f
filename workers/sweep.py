"""Rings again for what Redis forgot: whatever is due and unleased, every few seconds, straight at the drain.

So a wiped, empty or absent Redis, a lost ring, an expired lease and a retry whose time has come are all one case. It
looks sooner when something falls due sooner.
"""

import asyncio
from collections.abc import Callable, Iterable

from app.errors import StoreUnavailable
from app.log import log
from app.runtime import Runtime
from app.store import links
from app.sync.records import Kind, Lane

EVERY_S = 2.0


async def sweeping(run: Runtime, wake: Callable[[Iterable[tuple[Kind, Lane]]], None]) -> None:
    """Wake whoever works off a kind and lane of which something waits, for ever."""
    while True:
        next_s = None
        try:
            wake(await links.waiting(run.database))
            next_s = await links.next_due_in_s(run.database)
        except StoreUnavailable:
            log.warning("database.away", advice="work goes on by itself when it is back")
        await asyncio.sleep(min(EVERY_S, EVERY_S if next_s is None else max(next_s, 0.05)))
