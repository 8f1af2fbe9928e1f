"""Local time: a visit's wall clock at DrChrono and its instant at Salesforce, by the name of the zone.

On two days a year a wall clock shows an hour twice, or leaves one out. Neither is an error and neither passes in
silence: the answer carries a flag. Both ways keep what the clock shows: a time that goes out and comes back is equal,
but for a flagged missing hour, which comes back moved by the gap. Fractions of a second go out and do not come back.

The tidy value is the wall clock's, as DrChrono writes it. Salesforce holds the instant, and beside it the wall clock
and the zone it was made from; while those three agree the way back is exact, also in the hour that a spring change
leaves out. Where they do not, somebody moved the instant, and the wall clock is read off it.

Source  DrChrono fact sheet, Time: `scheduled_time` is the wall clock of the appointment's doctor, without a zone
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from app.sync.mappings.codecs import FIRST_YEAR, LAST_YEAR, Codec, Options, Unfit, whole
from app.sync.model import Side

_NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", re.ASCII)
_NOWHERE = {"Factory"}  # what a machine nobody has set up would say


class ClockFlag(StrEnum):
    """Why a wall time is not one instant."""

    REPEATED_HOUR = "repeated_hour"
    MISSING_HOUR = "missing_hour"


def known_zone(name: str) -> ZoneInfo | None:
    """Give the zone of that exact name; None when there is none, whatever the text.

    Only names of the tzdata package count, so every machine knows the same ones: not its `localtime`, no `right/…`
    with leap seconds, no path, no other spelling that a file system would forgive.
    """
    return ZoneInfo(name) if name in _names() else None


def to_utc(local: str, zone: ZoneInfo) -> tuple[datetime, ClockFlag | None]:
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


def _flag(shown: datetime) -> ClockFlag | None:
    """Compare the offsets before and after: a clock put back shows the hour twice, one put forward leaves it out."""
    before, after = shown.replace(fold=0).utcoffset(), shown.replace(fold=1).utcoffset()
    if before is None or after is None or before == after:
        return None
    return ClockFlag.REPEATED_HOUR if before > after else ClockFlag.MISSING_HOUR


@dataclass(frozen=True, slots=True)
class UtcTime:
    """What Salesforce holds of a time: the instant, the wall clock and zone beside it, and the zone that counts now."""

    start: Any
    local: Any
    zone: Any
    zone_now: str


@dataclass(frozen=True, slots=True)
class WallTime:
    """A wall clock on its way to Salesforce, and the zone it is to be read in."""

    local: str | None
    zone: str


def _read(side: Side, raw: Any, _options: Options) -> str | None:
    if side is Side.DRCHRONO:
        return _local(raw)
    if not isinstance(raw, UtcTime) or raw.start is None:
        return None
    start = _instant(raw.start)
    made_in = known_zone(str(raw.zone or ""))
    try:
        local = _local(raw.local)
    except Unfit:
        local = None
    if local is not None and made_in is not None and _utc(local, made_in)[0] == start:
        return local
    zone = known_zone(raw.zone_now)
    if zone is None:
        raise Unfit("unknown_time_zone")
    try:
        return to_local(start, zone)
    except ValueError:
        raise Unfit("not_an_instant") from None


def _utc(local: str, zone: ZoneInfo) -> tuple[datetime, ClockFlag | None]:
    try:
        return to_utc(local, zone)
    except ValueError:  # at the end of the calendar
        raise Unfit("not_a_local_time") from None


def _instant(raw: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(raw))
    except ValueError:
        raise Unfit("not_an_instant") from None
    if found.tzinfo is None:
        raise Unfit("not_an_instant")
    return found


def _local(raw: Any) -> str | None:
    text = whole(raw, "not_a_local_time")
    if text is None:
        return None
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise Unfit("not_a_local_time") from None
    if wall.tzinfo is not None or "T" not in text:
        raise Unfit("not_a_local_time")
    return wall.replace(microsecond=0).isoformat()


def _write(side: Side, value: Any, _options: Options) -> str | None:
    if not isinstance(value, WallTime):
        assert side is Side.DRCHRONO
        return str(value) if value is not None else None
    if value.local is None:
        return None
    zone = known_zone(value.zone)
    if zone is None:
        raise Unfit("unknown_time_zone")
    start = _utc(value.local, zone)[0].replace(tzinfo=None, microsecond=0)
    if not FIRST_YEAR <= start.year <= LAST_YEAR:
        raise Unfit("date_out_of_range")
    return f"{start.isoformat(timespec='milliseconds')}+0000"


def flag(local: str | None, zone: str) -> ClockFlag | None:
    """Say what a change of clocks did to a wall clock, if anything; one that cannot travel was not touched by any."""
    known = known_zone(zone)
    try:
        return _utc(local, known)[1] if local and known else None
    except Unfit:
        return None


LOCAL_TIME = Codec("local_time", 1, _read, _write, lambda value: value, frozenset({"local", "zone"}))
