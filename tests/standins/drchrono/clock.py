"""The practice's wall clock, and how long one of its hours lasts here.

Stamps are naive, to the second, as DrChrono prints them. A test may set the clock, also backwards, and may
shorten the hour that paces redeliveries.
"""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

HOUR_S = 3600.0
# The zone of created_at and updated_at is undocumented; the vendor's own warehouse models point to Pacific.
ZONE = ZoneInfo("America/Los_Angeles")


class Clock:
    """Runs on from wherever it was set."""

    def __init__(self) -> None:
        self.hour_s = HOUR_S
        self._shift = timedelta()

    def now(self) -> datetime:
        return datetime.now(ZONE).replace(tzinfo=None) + self._shift

    def stamp(self) -> str:
        return self.now().isoformat(timespec="seconds")

    def set(self, change: dict[str, Any]) -> None:
        """Takes `hour_s` (seconds), `now` (naive ISO; null: the real time again) and `offset_s` (added to it)."""
        self.hour_s = float(change.get("hour_s", self.hour_s))
        if "now" in change:
            self._shift = timedelta()
            if change["now"] is not None:
                self._shift = datetime.fromisoformat(change["now"]).replace(tzinfo=None) - self.now()
        self._shift += timedelta(seconds=change.get("offset_s", 0))
