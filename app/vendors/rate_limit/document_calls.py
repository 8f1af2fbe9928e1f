"""Document calls: what moves documents has a share of DrChrono's hour, and no more of it, so that it holds up no edit.

Those that nobody waits for have the share of the settings, and count in the least urgent lane of the hour; those that
somebody waits for have another one, for a person may tick a folder full of scans at once. All processes together keep
to it, by a ledger like that of every call; a call is counted here first, then like any other. Within the share the
lanes leave each other what they leave of the hour: a first load, or the lists of many new patients, cannot keep a
comparison from finding what was filed today.
"""

from collections.abc import Sequence

from app.errors import Unavailable
from app.ports import HourStore, Ledger
from app.sync.failure_causes import HOUR_IS_SPENT
from app.sync.model import Lane
from app.vendors.drchrono.file_host import CALL as DOWNLOAD
from app.vendors.http import BeforeCall
from app.vendors.rate_limit import policy
from app.vendors.rate_limit.drchrono import promised_s
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

    async def room(self, lane: Lane) -> int:
        """Give how many of them a lane may make by now."""
        return policy.room(await self._calls.read(), self._allowance, lane)

    def on(self, lane: Lane) -> BeforeCall:
        """Give what returns where a lane may make a call, which is counted.

        Raises  Unavailable with when to come again: the share of this hour is spent for this lane
        """

        async def admit(call: str) -> None:
            if call == DOWNLOAD:  # a host of files serves it, which counts no call
                return
            ledger, is_counted = await self._calls.count(lane, lambda found: self._admit(found, lane))
            if not is_counted:
                wait_s = await promised_s(self._calls, ledger, self._allowance, lane)
                raise Unavailable(self._side, call, code=HOUR_IS_SPENT, retry_in_s=wait_s)

        return admit

    def _admit(self, ledger: Ledger, lane: Lane) -> tuple[Sequence[int], int, float]:
        has_room = policy.has_room(ledger, self._allowance, lane)
        return (policy.quota_hours(ledger.at) if has_room else ()), 0, 0.0
