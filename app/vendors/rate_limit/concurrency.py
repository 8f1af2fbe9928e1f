"""How many calls of a process may be under way at a vendor at once; one that we gave up on still is.

Salesforce lets an org have 25 calls of 20 s and more at once. Of ours only those can grow so long whose answer we did
not wait for, and those for as long as the vendor goes on with a request. Such a call keeps its place until then. So
places times processes is the most there can ever be, whatever hangs; a process that was killed forgets its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import Unavailable

TOO_MANY = "too_many_long_calls"
MOST_AT_ONCE, GOES_ON_S = 6, 600.0
_LOOK_AGAIN_S = 5.0


class ConcurrencySlots:
    """The places of a process.

    goes_on_s  how long the vendor may go on with a call that nobody waits for any more
    """

    def __init__(self, most: int = MOST_AT_ONCE, goes_on_s: float = GOES_ON_S) -> None:
        self.most, self._goes_on_s = most, goes_on_s
        self._free = asyncio.Semaphore(most)
        self._kept: set[asyncio.TimerHandle] = set()

    @asynccontextmanager
    async def one(self, side: str, call: str, deadline: float) -> AsyncIterator["ConcurrencySlot"]:
        """Give a place for a call, waiting for it until the loop's time is `deadline`.

        Raises  Unavailable when none comes free: nothing was sent
        """
        await self._taken(side, call, deadline)
        place = ConcurrencySlot()
        try:
            yield place
        except asyncio.CancelledError:
            place.is_given_up = True
            raise
        finally:
            if place.is_given_up:
                self._keep()
            else:
                self._free.release()

    def close(self) -> None:
        """Forget what is still under way."""
        for handle in self._kept:
            handle.cancel()
        self._kept.clear()

    async def _taken(self, side: str, call: str, deadline: float) -> None:
        if len(self._kept) < self.most:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._free.acquire()
            except TimeoutError:
                pass
            else:
                return
        wait_s = min((handle.when() for handle in self._kept), default=0.0) - asyncio.get_running_loop().time()
        raise Unavailable(side, call, code=TOO_MANY, retry_in_s=max(wait_s, _LOOK_AGAIN_S))

    def _keep(self) -> None:
        def over() -> None:
            self._kept.discard(handle)
            self._free.release()

        handle = asyncio.get_running_loop().call_later(self._goes_on_s, over)
        self._kept.add(handle)


class ConcurrencySlot:
    """One call's place; `is_given_up`: nobody waits for its answer any more."""

    is_given_up = False
