"""Watch: give signs of life, so that what follows a darkness knows how long it was."""

import asyncio

from app.errors import StoreUnavailable
from app.log import log
from app.runtime import Runtime
from app.store import darkness
from workers import dark


async def signing(run: Runtime) -> None:
    """Give this worker's signs, for ever."""
    while True:
        try:
            await dark.signs(run)
        except StoreUnavailable:
            log.warning("sign.missed", advice="when the database is back, it is compared what was missed")
        await asyncio.sleep(darkness.EVERY.total_seconds())
