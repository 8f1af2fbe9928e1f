"""Ranges of time, as a page's address says them: the last hour, day or week, or from one moment to another.

What is typed is the clinic's clock; an hour that it leaves out is moved forward by the gap, of one that it shows twice
the first counts. A range that cannot be shown is answered with a complaint beside its fields, and the last day instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from app.operations.activity import ENDS_BEFORE, KEPT_FOR, Activity, begin_of_step, problem_of, step_for
from app.operations.clinic_time import ClinicTime

PRESETS: Mapping[str, tuple[timedelta, str]] = {
    "1h": (timedelta(hours=1), "the last hour"),
    "24h": (timedelta(hours=24), "the last 24 hours"),
    "7d": (timedelta(days=7), "the last 7 days"),
}
ALL = "all"
_TYPED = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From one moment to another.

    name      of PRESETS, `all`, or empty where both ends were typed
    since     where charts begin; `until`: where they end
    is_open   what happens from now on belongs to it too
    typed     begin and end as they stand in the fields
    problem   what is wrong with what was asked for; then this is another range
    """

    name: str
    since: datetime
    until: datetime
    is_open: bool
    typed: tuple[str, str] = ("", "")
    problem: str = ""

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out by it."""
        return self.name == ALL

    @property
    def fields(self) -> dict[str, str]:
        """What leads here again, as the fields of a form or an address."""
        return {"range": self.name} if self.name else dict(zip(("from", "to"), self.typed, strict=True))

    def link(self, path: str, **more: str) -> str:
        """Give the address of a page that shows this range."""
        return f"{path}?{urlencode({**self.fields, **more})}"

    def words(self, clinic: ClinicTime, shown: Activity | None = None) -> str:
        """Say which it is, as it stands within a sentence; of all, how far charts go back.

        shown  what stands beside it: that goes from step to step, so it may begin earlier and end later
        """
        if self.is_all:
            return f"the last {KEPT_FOR // timedelta(days=1)} days"
        if self.name:
            return PRESETS[self.name][1]
        since, until = (shown.since, shown.until) if shown else (self.since, self.until)
        return clinic.span(since, min(until, self.until) if self.is_open else until)


def preset(name: str, clinic: ClinicTime) -> TimeRange:
    """Give a range that ends now; it begins with a step of its chart."""
    span = KEPT_FOR if name == ALL else PRESETS[name][0]
    since = begin_of_step(clinic.now - span, step_for(span), clinic.zone)
    return TimeRange(name, max(since, clinic.now - KEPT_FOR), clinic.now, is_open=True)


def read_range(
    given: Mapping[str, str], clinic: ClinicTime, default: str = "24h", *, allows_all: bool = False
) -> TimeRange:
    """Give the range that an address says, or the default, with what is wrong about what it says."""
    name, typed = given.get("range", ""), (given.get("from", "").strip()[:32], given.get("to", "").strip()[:32])
    if name in PRESETS or (allows_all and name == ALL):
        return preset(name, clinic)
    if not any(typed):
        return preset(default, clinic) if not name else _instead(default, clinic, typed, "There is no such range.")
    since, until = (_moment(text, clinic) for text in typed)
    if (typed[0] and since is None) or (typed[1] and until is None):
        return _instead(default, clinic, typed, "A begin and an end are written like 2026-11-28T09:30.")
    if since is None:
        return _instead(default, clinic, typed, "Choose a begin too.")
    if until is not None and until <= since:
        return _instead(default, clinic, typed, ENDS_BEFORE)
    is_open, until = until is None or until >= clinic.now, min(until or clinic.now, clinic.now)
    problem = problem_of(since, until, clinic.now)
    return TimeRange("", since, until, is_open, typed) if problem is None else _instead(default, clinic, typed, problem)


def _instead(default: str, clinic: ClinicTime, typed: tuple[str, str], problem: str) -> TimeRange:
    other = preset(default, clinic)
    return TimeRange(other.name, other.since, other.until, is_open=True, typed=typed, problem=problem)


def _moment(text: str, clinic: ClinicTime) -> datetime | None:
    for form in _TYPED:
        try:
            shown = datetime.strptime(text, form)  # noqa: DTZ007 - a wall clock's
            return shown.replace(tzinfo=clinic.zone).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
