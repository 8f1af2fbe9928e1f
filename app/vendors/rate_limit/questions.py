"""Questions: the calls that a person's click or search makes of a vendor have a small budget of their own.

Nobody works by them, so whoever clicks much, or a script that does, takes nothing from edits that wait to travel. All
processes together share it, by the same ledger that counts every call; and each session has so many a minute. A
question is counted here first and then like any other call.
"""

from contextvars import ContextVar

from app.errors import Unavailable
from app.ports import HourStore, Ledger
from app.sync.failure_causes import ASKED_TOO_OFTEN, HOUR_IS_SPENT
from app.sync.model import Lane
from app.vendors.rate_limit import policy
from app.vendors.rate_limit.bucket import TokenBuckets
from app.vendors.rate_limit.policy import Allowance

A_MINUTE = 60
# whose session a request is; empty where none is
asker: ContextVar[str] = ContextVar("asker", default="")


class QuestionLimit:
    """The questions that may be put to a side."""

    def __init__(self, side: str, calls: HourStore, allowance: Allowance, a_minute: int = A_MINUTE) -> None:
        self._side, self._calls, self._allowance = side, calls, allowance
        self._sessions = TokenBuckets(a_minute)

    async def admit(self, call: str) -> None:
        """Return where a question may be put; it is counted.

        Raises  Unavailable with when to come again: this session asks too often, or the hour's questions are spent
        """
        if (who := asker.get()) and (wait_s := self._sessions.take(who)):
            raise Unavailable(self._side, call, code=ASKED_TOO_OFTEN, retry_in_s=wait_s)
        ledger, is_counted = await self._calls.count(Lane.CONFIRM, self._counted)
        if not is_counted:
            raise Unavailable(self._side, call, code=HOUR_IS_SPENT, retry_in_s=float(policy.resets_in_s(ledger)))

    def _counted(self, ledger: Ledger) -> tuple[tuple[int, ...], int, float]:
        has_room = policy.has_room(ledger, self._allowance, Lane.LIVE)  # all of it: it is nobody else's
        return (policy.quota_hours(ledger.at) if has_room else ()), 0, 0.0
