"""Office hours: when a clinic is open, by the wall clock of its zone, and for how long it was in a stretch of time.

Written `Mon-Fri 08:00-12:00, Mon-Thu 13:00-18:00 America/New_York`: spans by comma, days and a time each, one zone at
the end; `never` for none. A day whose clock is put on or back has the hours its clock shows. Pure; a year is as quick
as it is long, so whoever asks says how much is enough.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.sync.mappings.local_time import known_zone

NEVER = "never"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SPAN = re.compile(r"([A-Za-z]+)(?:\s*-\s*([A-Za-z]+))?\s+(\d{1,2}:\d\d)\s*-\s*(\d{1,2}:\d\d)", re.ASCII)
_MIDNIGHT = "24:00"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From a time to another on some days of the week, Monday 0; `ends` 00:00: at the end of that day."""

    days: frozenset[int]
    begins: time
    ends: time


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When a clinic is open; without spans it never is."""

    spans: tuple[Span, ...]
    zone: ZoneInfo

    def is_open(self, at: datetime) -> bool:
        """Say whether it is open at a moment."""
        return any(begins <= at < ends for begins, ends in self._of_day(at.astimezone(self.zone).date()))

    def open_for(self, begin: datetime, end: datetime, enough: timedelta) -> timedelta:
        """Give for how long it was open between two moments, counted from the later back until it is enough."""
        total, day = timedelta(0), end.astimezone(self.zone).date()
        first = begin.astimezone(self.zone).date()
        while day >= first and total < enough:
            for begins, ends in self._of_day(day):
                total += max(min(ends, end) - max(begins, begin), timedelta(0))
            day -= _DAY
        return total

    def _of_day(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        for span in self.spans:
            if day.weekday() in span.days:
                last = day + _DAY if span.ends == time(0) else day
                yield self._moment(day, span.begins), self._moment(last, span.ends)

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)


def parse(text: str) -> OfficeHours:
    """Give the office hours a text says.

    Raises  ValueError that says what is wrong in which part, and how it is put right
    """
    if text.strip().casefold() == NEVER:
        return OfficeHours((), ZoneInfo("UTC"))
    before, _, name = text.strip().rpartition(" ")
    zone = known_zone(name)
    if zone is None:
        raise ValueError(f"{name[:40]!r} is no time zone; end it with one such as America/New_York")
    spans = tuple(_span(part.strip()) for part in before.split(","))
    for number, span in enumerate(spans):
        for other in spans[:number]:
            if span.days & other.days and _begin(span) < _end(other) and _begin(other) < _end(span):
                raise ValueError("two spans overlap; name each hour of a day once")
    return OfficeHours(spans, zone)


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no span; write it like Mon-Fri 08:00-18:00")
    first, last = (_day(name or found[1]) for name in (found[1], found[2]))
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    span = Span(days, _time(found[3]), time(0) if found[4] == _MIDNIGHT else _time(found[4]))
    if _begin(span) >= _end(span):
        raise ValueError(f"{text[:40]!r} ends before it begins; write a night as two spans, the first until 24:00")
    return span


def _day(name: str) -> int:
    try:
        return _DAYS.index(name.capitalize())
    except ValueError:
        raise ValueError(f"{name[:20]!r} is no day; write {', '.join(_DAYS)}") from None


def _time(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a wall clock's
    except ValueError:
        raise ValueError(f"{text} is no time of day; write it like 08:00") from None


def _begin(span: Span) -> int:
    return span.begins.hour * 60 + span.begins.minute


def _end(span: Span) -> int:
    return span.ends.hour * 60 + span.ends.minute or 24 * 60
