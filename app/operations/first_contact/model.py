"""First contact: what nobody could try before there were real accounts, as values.

A trial is one open question about a vendor: what the service assumes, and what takes a difference in. A step tries some
of them out at once, by calls that are counted like any. Nothing of a patient is in what a trial comes to: statuses,
shapes, names of fields, stamps and times, and no value.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from app.runtime import Runtime
from app.sync.model import Kind, Side

if TYPE_CHECKING:
    from app.operations.first_contact.context import TrialContext

REPORT_THIS = "report this"
BY_ITSELF = "the service takes either by itself"


class Verdict(StrEnum):
    """What became of a trial."""

    AS_ASSUMED = "as assumed"
    DIFFERS = "differs"
    NOT_TRIED = "not tried"
    CANNOT_TELL = "cannot be told"

    @property
    def is_settled(self) -> bool:
        """Whether nothing would be gained by another try."""
        return self in (Verdict.AS_ASSUMED, Verdict.DIFFERS)


class Means(StrEnum):
    """How a step sees what it wants to know."""

    READ = "reads"
    WRITE = "writes"
    DELIVERY = "waits for a delivery"
    PERSON = "asks whoever can look"
    NEVER = "is never tried"


@dataclass(frozen=True, slots=True)
class Trial:
    """One open question.

    assumes   what the service goes by; where that is a setting or a constant, it is read, never said again
    takes_in  what to set where it is otherwise, or what does without
    """

    id: str
    question: str
    assumes: str | Callable[[Runtime], str]
    takes_in: str = REPORT_THIS


@dataclass(frozen=True, slots=True)
class TrialStep:
    """Trials that are tried together.

    does         what it does, for whoever is asked whether it may
    calls        so many at most
    is_patients  it needs a test patient
    of           it is of a kind that a mapping need not have
    """

    id: str
    side: Side
    means: Means
    does: str
    trials: tuple[Trial, ...]
    calls: int = 0
    try_out: "Callable[[TrialContext], Awaitable[None]] | None" = None
    is_patients: bool = False
    of: Kind | None = None

    @property
    def is_asked(self) -> bool:
        """Whether a person's word is needed before it begins."""
        return self.means in (Means.WRITE, Means.DELIVERY, Means.PERSON)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What became of a trial.

    seen    in words
    shapes  names of fields, types, statuses, counts and seconds
    """

    verdict: Verdict
    seen: str
    shapes: Mapping[str, Any] = field(default_factory=dict)


class Operator(Protocol):
    """Whoever runs the first contact, at a terminal."""

    async def allows(self, step: TrialStep) -> bool:
        """Say whether a step may begin."""

    async def is_done(self, what: str) -> bool:
        """Say, once it is so, that what was asked for has been done; False where nobody will."""

    async def says(self, question: str) -> bool | None:
        """Say whether something is so; None where nobody can tell."""

    def count_down(self, what: str, left_s: float) -> None:
        """Show what is waited for, and how long at most."""

    def tell(self, line: str) -> None:
        """Show a line."""

    def show(self, trial: Trial, result: TrialResult) -> None:
        """Show what became of a trial."""


def seen_as(value: Any) -> str:
    """Give the type of a value, and how much of it there is; nothing of what it says."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return f"text of {len(value)}"
        case list():
            return f"list of {len(value)}"
        case dict():
            return f"object of {len(value)}"
    return type(value).__name__


def shape_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Give the fields of a record with their types."""
    return {str(name): seen_as(value) for name, value in sorted(record.items())}
