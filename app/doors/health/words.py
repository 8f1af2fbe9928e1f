"""The words of a report: the state of a part, since when, and what to do; and how long a look at one may take."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SLOW_S = 4.0


class State(StrEnum):
    """How a part is.

    DEGRADED       it works, and somebody should look
    NOT_CONNECTED  nobody has set it up or joined it yet
    UNKNOWN        nobody can look now, or has looked lately
    """

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    NOT_CONNECTED = "not_connected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at a part found; `since`: since when it is so, where that is known better than by looking."""

    state: State = State.OK
    advice: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it is known to be, since when."""

    state: State
    advice: str | None
    since: datetime


Look = Callable[[], Awaitable[Found | None]]
AWAY = Found(State.UNKNOWN, "unknown while the database is away")
OK = Found()
