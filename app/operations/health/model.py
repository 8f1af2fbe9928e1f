"""The words of a report: the state of a part, since when, and what to do; and what a check found of a thing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

SLOW_S = 4.0


class PartState(StrEnum):
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
class Observation:
    """What a look at a part found; `since`: since when it is so, where that is known better than by looking."""

    state: PartState = PartState.OK
    advice: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it is known to be, since when."""

    state: PartState
    advice: str | None
    since: datetime


# at one part, or at several that are found by the same reading, in the order of their names; None: not there to look at
Look = Callable[[], Awaitable[Sequence[Observation | None]]]


AWAY = Observation(PartState.UNKNOWN, "unknown while the database is away")


OK = Observation()


class CheckState(StrEnum):
    """How a thing is. A warning is no failure: it works, but not as one would think.

    NOT_YET  nothing is wrong, and nothing has been there to look at
    """

    OK = "ok"
    NOT_YET = "not_yet"
    WARNING = "warning"
    RED = "red"


MARKS = {
    CheckState.OK: "✓",
    CheckState.NOT_YET: "–",  # noqa: RUF001 - a dash
    CheckState.WARNING: "!",
    CheckState.RED: "✗",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. `says` what is so; `fix` what to do, None where nothing is; `part` what of the whole it is of."""

    name: str
    state: CheckState
    says: str
    fix: str | None = None
    part: str = ""


def good(name: str, says: str) -> Finding:
    """Give a thing that is right."""
    return Finding(name, CheckState.OK, says)


def not_yet(name: str, says: str) -> Finding:
    """Give a thing that nothing has been there of yet."""
    return Finding(name, CheckState.NOT_YET, says)


def warn(name: str, says: str, fix: str) -> Finding:
    """Give a thing that works with a limit a person should know."""
    return Finding(name, CheckState.WARNING, says, fix)


def red(name: str, says: str, fix: str) -> Finding:
    """Give a thing that does not work."""
    return Finding(name, CheckState.RED, says, fix)


def is_good(findings: Sequence[Finding]) -> bool:
    """Say whether nothing is red."""
    return all(finding.state is not CheckState.RED for finding in findings)


def report(findings: Sequence[Finding]) -> dict[str, Any]:
    """Give all of it for a script."""
    return {"ok": is_good(findings), "checks": [asdict(finding) for finding in findings]}
