"""Clinic time: how people are told when something was or will be: how long ago, and what the clinic's clock showed.

Every instant is told by the clock of CLINIC_ZONE and written as CLINIC_LOCALE writes. Of the hour that a clock shows
twice the offset's name says which one it was. The names of units are English, as all texts are.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, get_datetime_format

from app.runtime import Runtime

_SPACES = str.maketrans("\u202f\u00a0\u2009", "   ")  # fine type that is neither searched for nor copied well
_UNITS = ((86400, "day", "days"), (3600, "h", "h"), (60, "min", "min"))
_LONG_AGO = timedelta(days=7)  # from then on the day alone says more
_ALIKE = timedelta(seconds=2)  # by less two clocks differ, or one that is read twice


@dataclass(frozen=True, slots=True)
class ClinicTime:
    """The clock and the calendar of a clinic, at a moment."""

    zone: tzinfo = UTC
    locale: Locale = field(default_factory=lambda: Locale("en", "US"))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def local(self, at: datetime) -> datetime:
        """Give what the clock shows at an instant."""
        return at.astimezone(self.zone)

    @property
    def today(self) -> date:
        """The day it is."""
        return self.local(self.now).date()

    def clock(self, at: datetime) -> str:
        """Give a time of day, to the minute: `10:27 AM`."""
        return f"{self._time(self.local(at))}{self._which(at)}"

    def hour(self, at: datetime) -> str:
        """Give a whole hour as short as it is written: `6 AM`; another time of day to the minute."""
        shown = self.local(at)
        is_whole, halves = shown.minute == 0, "a" in str(self.locale.time_formats["short"].pattern)
        if not is_whole or not halves:
            return self.clock(at)
        text = format_time(shown.replace(tzinfo=None), "h a", locale=self.locale)
        return f"{text.translate(_SPACES)}{self._which(at)}"

    def wall_clock(self, shown: str) -> str:
        """Give a time of day that some clock shows, written `2026-11-28T10:30:00`."""
        return self._time(datetime.fromisoformat(shown))

    def day_and_wall_clock(self, shown: str) -> str:
        """Give a day and time that some clock shows: `Mar 16, 9:30 AM`."""
        there = datetime.fromisoformat(shown)
        return self._joined(self.day(there.date()), self._time(there))

    def day(self, day: date) -> str:
        """Give a day: `Nov 28`, with its year where that is another one."""
        skeleton = "MMMd" if day.year == self.today.year else "yMMMd"
        try:
            text = format_skeleton(skeleton, day, locale=self.locale)
        except KeyError:  # a calendar that has no such form
            text = format_date(day, "medium", locale=self.locale)
        return text.translate(_SPACES)

    def in_figures(self, day: date) -> str:
        """Give a day in figures, as people write a date of birth: `6/15/1974`."""
        try:
            text = format_skeleton("yMd", day, locale=self.locale)
        except KeyError:  # a calendar that has no such form
            text = format_date(day, "short", locale=self.locale)
        return text.translate(_SPACES)

    def weekday(self, day: date) -> str:
        """Give a day with its name, short: `Sat, Nov 28`."""
        return f"{format_date(day, 'EEE', locale=self.locale)}, {self.day(day)}".translate(_SPACES)

    def whole_day(self, day: date) -> str:
        """Give a day in full: `Saturday, November 28, 2026`."""
        return format_date(day, "full", locale=self.locale).translate(_SPACES)

    def day_and_clock(self, at: datetime) -> str:
        """Give a time of day, with its day where that is not today: `Nov 27, 10:27 AM`."""
        day = self.local(at).date()
        return self.clock(at) if day == self.today else self._joined(self.day(day), self.clock(at))

    def span(self, since: datetime, until: datetime) -> str:
        """Give from when to when: `Nov 27, 9:00 AM to 11:30 AM`; the end's day too, where it is another one."""
        first, last = (self.local(at).date() for at in (since, until))
        if first == last:
            return f"{self.day_and_clock(since)} to {self.clock(until)}"
        both = (self._joined(self.day(day), self.clock(at)) for day, at in ((first, since), (last, until)))
        return " to ".join(both)

    def exact(self, at: datetime) -> str:
        """Give day, time to the second and offset: `Nov 28, 2026, 10:27:37 AM EST`."""
        shown = self.local(at)
        day = format_date(shown, "medium", locale=self.locale)
        return f"{self._joined(day, self._time(shown, 'medium'))} {shown.tzname()}".translate(_SPACES)

    def said(self, at: datetime) -> str:
        """Give how long ago, or in how long, and the clock: `5 min ago · 10:27 AM`; of long ago the clock alone."""
        gone = self.now - at
        if abs(gone) >= _LONG_AGO:
            return self.day_and_clock(at)
        ago = f"{age(gone.total_seconds())} ago" if gone > -_ALIKE else f"in {age(-gone.total_seconds())}"
        return f"{ago} · {self.day_and_clock(at)}"

    def _time(self, shown: datetime, width: str = "short") -> str:
        text = format_time(shown.replace(tzinfo=None), width, locale=self.locale)
        return text.translate(_SPACES)

    def _which(self, at: datetime) -> str:
        """Give the offset's name where the clock shows this hour twice."""
        shown = self.local(at)
        is_one = shown.replace(fold=0).utcoffset() == shown.replace(fold=1).utcoffset()
        return "" if is_one else f" {shown.tzname()}"

    def _joined(self, day: str, time: str) -> str:
        pattern = str(get_datetime_format("medium", locale=self.locale)).replace("'", "")
        return pattern.replace("{0}", time).replace("{1}", day).translate(_SPACES)


def clinic_time(runtime: Runtime) -> ClinicTime:
    """Give the clock and the calendar of this clinic, now."""
    settings = runtime.settings
    return ClinicTime(settings.zone, Locale.parse(settings.clinic_locale), runtime.now())


def age(seconds: float) -> str:
    """Give a span as a person says it: `4 s`, `12 min`, `3 h`, `2 days`."""
    for size, one, several in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {one if number == 1 else several}"
    return f"{max(seconds, 0):.0f} s"
