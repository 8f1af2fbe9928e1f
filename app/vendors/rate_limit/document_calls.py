"""Document calls: what moves documents that nobody waits for has a share of DrChrono's hour, and no more of it.

All processes together keep to it, by a ledger like that of every call. A call is counted here first, then like any
other, in the least urgent lane: so a folder full of scans holds up no edit.
"""

from app.errors import Unavailable
from app.ports import HourStore, Ledger
from app.sync.failure_causes import HOUR_IS_SPENT
from app.sync.model import Lane
from app.vendors.drchrono.file_host import CALL as DOWNLOAD
from app.vendors.rate_limit import policy
from app.vendors.rate_limit.policy import Allowance


class DocumentCallLimit:
    """The calls of an hour that documents may have."""

    def __init__(self, side: str, calls: HourStore, allowance: Allowance) -> None:
        self._side, self._calls, self._allowance = side, calls, allowance

    @property
    def per_hour(self) -> int:
        """How many they are."""
        return self._allowance.per_hour

    async def left(self) -> int:
        """Give how many of them this hour has left."""
        return policy.left(await self._calls.read(), self._allowance)

    async def admit(self, call: str) -> None:
        """Return where a call may be made; it is counted.

        Raises  Unavailable with when to come again: the share of this hour is spent
        """
        if call == DOWNLOAD:  # a host of files serves it, which counts no call
            return
        ledger, is_counted = await self._calls.count(Lane.BACKFILL, self._counted)
        if not is_counted:
            raise Unavailable(self._side, call, code=HOUR_IS_SPENT, retry_in_s=float(policy.resets_in_s(ledger)))

    def _counted(self, ledger: Ledger) -> tuple[tuple[int, ...], int, float]:
        has_room = policy.has_room(ledger, self._allowance, Lane.LIVE)  # all of it: it is nobody else's
        return (policy.quota_hours(ledger.at) if has_room else ()), 0, 0.0
