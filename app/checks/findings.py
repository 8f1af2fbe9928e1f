"""What a check found: one line per thing, with what to do about it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a thing is. A warning is no failure: it works, but not as one would think."""

    OK = "ok"
    WARNING = "warning"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. `says` what is so; `fix` what to do, None where nothing is."""

    name: str
    state: State
    says: str
    fix: str | None = None


def good(name: str, says: str) -> Finding:
    """Give a thing that is right."""
    return Finding(name, State.OK, says)


def warn(name: str, says: str, fix: str) -> Finding:
    """Give a thing that works with a limit a person should know."""
    return Finding(name, State.WARNING, says, fix)


def red(name: str, says: str, fix: str) -> Finding:
    """Give a thing that does not work."""
    return Finding(name, State.RED, says, fix)


def is_good(findings: Sequence[Finding]) -> bool:
    """Say whether nothing is red."""
    return all(finding.state is not State.RED for finding in findings)


def report(findings: Sequence[Finding]) -> dict[str, Any]:
    """Give all of it for a script."""
    return {"ok": is_good(findings), "checks": [asdict(finding) for finding in findings]}
