"""Asking a side for what a person wants to see: behind live edits, and with honest words when it says nothing.

Whoever looks at a page waits behind the edits that wait to travel, and takes little from them: such calls have a small
budget of their own.
"""

from dataclasses import dataclass

from app.errors import SyncError, Undecryptable, VendorError
from app.runtime import Runtime
from app.sync.failure_causes import ASKED_TOO_OFTEN, DRCHRONO_QUOTA_CAUSES, SALESFORCE_QUOTA_CAUSES, cause_of, fix
from app.sync.model import Lane, Side
from app.vendors.drchrono.client import DrChrono
from app.vendors.salesforce.client import Salesforce

LANE = Lane.CONFIRM
NOT_CONNECTED = "not_connected"
FAILS = (VendorError, Undecryptable)
_NAMES = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A side did not say what it holds; `cause` is a stable name."""

    side: Side
    cause: str

    @property
    def text(self) -> str:
        """What a person is told of it."""
        name = _NAMES[self.side]
        if self.cause == NOT_CONNECTED:
            return f"{name} is not connected, so it was not asked."
        if self.cause == ASKED_TOO_OFTEN:
            return f"{name} was not asked: too many questions came from this session. Wait a minute."
        if self.cause in (*DRCHRONO_QUOTA_CAUSES, *SALESFORCE_QUOTA_CAUSES):
            return f"{name} was not asked: the calls left are kept for edits that wait to travel."
        return f"{name} did not answer ({self.cause}). {fix(self.cause)}"


def unanswered(side: Side, error: SyncError) -> Unanswered:
    """Give why a side said nothing."""
    return Unanswered(side, cause_of(error)[0])


def salesforce_of(runtime: Runtime) -> Salesforce | None:
    """Give the org, called behind live edits; None when it is not connected."""
    return runtime.salesforce and runtime.salesforce.on(LANE, runtime.questions[Side.SALESFORCE].admit)


def drchrono_of(runtime: Runtime) -> DrChrono | None:
    """Give the practice, called behind live edits; None when it is not connected."""
    return runtime.drchrono and runtime.drchrono.on(LANE, runtime.questions[Side.DRCHRONO].admit)
