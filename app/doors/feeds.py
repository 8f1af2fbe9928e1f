"""What is said of each side's feed: that it delivers, never did, or has stopped, since when, and what to do."""

from collections.abc import Mapping
from datetime import datetime

from app.settings.fields import Settings
from app.sync.records import Side
from app.sync.silence import Feed

NAMES: Mapping[Side, str] = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}
_SET_UP: Mapping[Side, str] = {
    Side.DRCHRONO: "register {}/webhooks/drchrono on its API management page and verify it there",
    Side.SALESFORCE: "send outbound messages to {}/webhooks/salesforce/outbound/ and one of SALESFORCE_OUTBOUND_TOKENS",
}
_SEE: Mapping[Side, str] = {
    Side.DRCHRONO: "see on its API management page that the webhook is still active and verified",
    Side.SALESFORCE: "see in its Setup, Outbound Messages, what it says of those that failed",
}


def said(feed: Feed, settings: Settings, *, is_paused: bool) -> tuple[str, str | None]:
    """Give the state of a feed, and advice; a feed that never delivered is well, and says what is to be done."""
    name = NAMES[feed.side]
    if feed.heard_at is None:
        return "ok", f"{name} has never called: {_SET_UP[feed.side].format(settings.public_url)}"
    if feed.silent_since is not None:
        changes = f"{feed.found} change{'' if feed.found == 1 else 's'} found by comparing"
        paused = "; the lane compare is paused, so nobody compares now" if is_paused else ""
        return "degraded", f"{name} stopped calling at {_shown(feed, settings)}; {changes}{paused}; {_SEE[feed.side]}"
    return "ok", None


def _shown(feed: Feed, settings: Settings) -> str:
    """Give when a feed was last heard, by the clinic's clock; with the day where that was not today."""
    zone = settings.hours.zone
    assert feed.silent_since is not None
    at, today = feed.silent_since.astimezone(zone), datetime.now(zone).date()
    return f"{at:%H:%M}{'' if at.date() == today else f' on {at:%Y-%m-%d}'} ({zone.key})"
