"""Wall clocks: DrChrono's local times without a zone, carried to UTC and back by the zone's name.

On two days a year a wall clock shows an hour twice, or leaves one out. Neither is an error and neither passes in
silence: the answer carries a flag. Both functions keep what the clock shows: a time that goes out and comes back
is equal, but for a flagged missing hour, which comes back moved by the gap. Fractions of a second go out and do not
come back. Source: DrChrono's times have no zone (`scheduled_time`), names look like `US/Eastern`.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

_NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", re.ASCII)
_NOWHERE = {"Factory"}  # what a machine nobody has set up would say


class Flag(StrEnum):
    """Why a wall time is not one instant."""

    REPEATED_HOUR = "repeated_hour"
    MISSING_HOUR = "missing_hour"


def known_zone(name: str) -> ZoneInfo | None:
    """Give the zone of that exact name; None when there is none, whatever the text.

    Only names of the tzdata package count, so every machine knows the same ones: not its `localtime`, no `right/…`
    with leap seconds, no path, no other spelling that a file system would forgive.
    """
    return ZoneInfo(name) if name in _names() else None


def to_utc(local: str, zone: ZoneInfo) -> tuple[datetime, Flag | None]:
    """Give the instant a wall clock in the zone shows this time, and the flag of an hour that is not one hour.

    local   `2026-11-25T10:30:00`, with or without a fraction of a second
    Gives   of a repeated hour its first; a missing hour moved forward by the gap
    Raises  ValueError: another shape, an offset included, no such day or time, or out of the calendar's years
    """
    if not _NAIVE.fullmatch(local):
        raise ValueError("not a local time of the form YYYY-MM-DDTHH:MM:SS")
    shown = _parsed(local).replace(tzinfo=zone)
    try:
        return shown.astimezone(UTC), _flag(shown)
    except OverflowError:
        raise ValueError("outside the years 1 to 9999") from None


def to_local(moment: datetime, zone: ZoneInfo) -> str:
    """Give what a wall clock in the zone shows at an aware moment, as `YYYY-MM-DDTHH:MM:SS`.

    Raises  ValueError: a moment without a zone of its own, or out of the calendar's years
    """
    if moment.utcoffset() is None:
        raise ValueError("a moment without a zone is no moment")
    try:
        return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")
    except OverflowError:
        raise ValueError("outside the years 1 to 9999") from None


@cache
def _names() -> frozenset[str]:
    listed = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii")
    return frozenset(listed.split()) - _NOWHERE


def _parsed(local: str) -> datetime:
    try:
        return datetime.fromisoformat(local)
    except ValueError:  # its own message quotes the time, and a visit's time is a patient's
        raise ValueError("no such day or time") from None


def _flag(shown: datetime) -> Flag | None:
    """Compare the offsets before and after: a clock put back shows the hour twice, one put forward leaves it out."""
    before, after = shown.replace(fold=0).utcoffset(), shown.replace(fold=1).utcoffset()
    if before is None or after is None or before == after:
        return None
    return Flag.REPEATED_HOUR if before > after else Flag.MISSING_HOUR
