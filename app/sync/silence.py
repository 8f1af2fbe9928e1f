"""Silence: when a feed that has gone quiet is to be looked into, and what a look at the other side proves (pure).

A feed is all that a side delivers to us. That it is quiet proves nothing: a clinic has lunch. Changes on the side that
nobody told of prove it, but the first time they may still be on their way; so only what is there again ten minutes
later, while nothing at all was delivered, counts. From then on the side is looked at every ten minutes, day and night,
until it delivers again; what is found is compared at once.

    quiet ──FEED_QUIET, in office hours──▶ first look ──changes──▶ 10 min ──the same──▶ silent ──a delivery──▶ quiet
                                               └──nothing──▶ quiet
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.sync.office_hours import OfficeHours
from app.sync.records import Side

SECOND_LOOK = timedelta(minutes=10)
SILENT_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Feed:
    """What is known of a side's feed.

    heard_at      when it last delivered; None: never
    asked_at      when the side was last looked at because of it; None: never
    doubted       the changes the first look found; empty while nothing is suspected
    explained     changes that were found and have been compared: if they show again, it is not the feed's doing
    silent_since  since when it is known to be silent; None while it is not
    found         how many changes it has not told of since
    """

    side: Side
    heard_at: datetime | None = None
    asked_at: datetime | None = None
    doubted: frozenset[str] = frozenset()
    explained: frozenset[str] = frozenset()
    silent_since: datetime | None = None
    found: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look came to: what is kept of the feed, and how many changes are newly known that it has not told of."""

    doubted: frozenset[str] = frozenset()
    explained: frozenset[str] = frozenset()
    silent_since: datetime | None = None
    new: int = 0


def is_due(feed: Feed, hours: OfficeHours, quiet: timedelta, now: datetime) -> bool:
    """Say whether a feed is to be looked into now; one that never delivered is not: it was never set up."""
    if feed.heard_at is None:
        return False
    asked_at = feed.asked_at or feed.heard_at
    if feed.silent_since is not None:
        return now - asked_at >= SILENT_EVERY
    if feed.doubted:
        return now - asked_at >= SECOND_LOOK
    last = max(feed.heard_at, asked_at)
    return hours.is_open(now) and hours.open_for(last, now, quiet) >= quiet


def judge(feed: Feed, shown: Collection[str]) -> Verdict:
    """Say what changes that the side shows, and that nobody has told of, prove of its feed."""
    changes, known = frozenset(shown), feed.explained & frozenset(shown)
    if feed.silent_since is not None:
        return Verdict(explained=changes, silent_since=feed.silent_since, new=len(changes - known))
    if not feed.doubted:
        return Verdict(doubted=changes - known, explained=known)
    if changes & feed.doubted:
        return Verdict(explained=changes, silent_since=feed.heard_at, new=len(changes - known))
    return Verdict(doubted=changes - known, explained=known)
