"""A visit's time: DrChrono writes the wall clock of its doctor, Salesforce an instant.

The tidy value is the wall clock's, as DrChrono writes it. Salesforce holds the instant, and beside it the wall clock
and the zone it was made from; while those three agree the way back is exact, also in the hour that a spring change
leaves out. Where they do not, somebody moved the instant, and the wall clock is read off it.

Source  DrChrono fact sheet, Time: `scheduled_time` is the wall clock of the appointment's doctor
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.sync.clock import Flag, known_zone, to_local, to_utc
from app.sync.codec import Codec, Options, Unfit, tidy
from app.sync.records import Side


@dataclass(frozen=True, slots=True)
class Instant:
    """What Salesforce holds of a time: the instant, the wall clock and zone beside it, and the zone that counts now."""

    start: Any
    local: Any
    zone: Any
    zone_now: str


@dataclass(frozen=True, slots=True)
class Wall:
    """A wall clock on its way to Salesforce, and the zone it is to be read in."""

    local: str | None
    zone: str


def _read(side: Side, raw: Any, _options: Options) -> str | None:
    if side is Side.DRCHRONO:
        return _local(raw)
    if not isinstance(raw, Instant) or raw.start is None:
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


def _utc(local: str, zone: ZoneInfo) -> tuple[datetime, Flag | None]:
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
    text = tidy(raw)
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
    if not isinstance(value, Wall):
        assert side is Side.DRCHRONO
        return str(value) if value is not None else None
    if value.local is None:
        return None
    zone = known_zone(value.zone)
    if zone is None:
        raise Unfit("unknown_time_zone")
    return _utc(value.local, zone)[0].strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def flag(local: str | None, zone: str) -> Flag | None:
    """Say what a change of clocks did to a wall clock, if anything; one that cannot travel was not touched by any."""
    known = known_zone(zone)
    try:
        return _utc(local, known)[1] if local and known else None
    except Unfit:
        return None


LOCAL_TIME = Codec("local_time", 1, _read, _write, lambda value: value, frozenset({"local", "zone"}))
