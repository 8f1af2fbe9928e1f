"""Silence: when a feed is to be looked into, and what proves that it has stopped (pure).

A feed is all that a side delivers to us. That it is quiet proves nothing: a clinic has lunch. A change on the side that
nobody told of is a doubt, no more: it may still be on its way. A look finds it, or whoever takes it up for another
reason: a compare, or a pass over its record. If it still shows ten minutes later, or was taken up, that is proof, when
the feed was quiet by then for FEED_QUIET and those ten minutes; where it was quiet for FEED_QUIET only, five later. A
delivery ends the doubt it tells of, and those of changes made before its own. What else arrives within a quarter of an
hour may have been under way since before the feed stopped; later it ends all. From then on the side is looked at every
ten minutes, day and night, until it delivers; what is found is compared.

    well ──FEED_QUIET, in office hours──▶ a look ──changes──▶ doubted ──10 min, and quiet──▶ silent ──a delivery──▶ well
      └────────────────── a change is taken up that nobody told of ─────▲
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.sync.model import Side
from app.sync.office_hours import OfficeHours

SECOND_LOOK = timedelta(minutes=10)
SILENT_EVERY = timedelta(minutes=10)
UNDER_WAY = timedelta(minutes=15)  # for so long a delivery may be, and say nothing of the feed since
_TAKEN_UP = " taken_up"


@dataclass(frozen=True, slots=True)
class Feed:
    """What is known of a side's feed.

    heard_at      when it last delivered; None: never
    asked_at      when the side was last looked at because of it, or a doubt began; None: never
    doubted       the changes that nobody has told of yet; empty while nothing is suspected
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
class FeedVerdict:
    """What a look came to: what is kept of the feed, and how many changes are newly known that it has not told of."""

    doubted: frozenset[str] = frozenset()
    explained: frozenset[str] = frozenset()
    silent_since: datetime | None = None
    new: int = 0


@dataclass(frozen=True, slots=True)
class UnannouncedChange:
    """A change of a record, or what a delivery says of one; stamps of one kind tell which was made before which."""

    kind: str
    record_id: str
    version: str

    def __str__(self) -> str:
        """Give it as it is kept."""
        return f"{self.kind} {self.record_id} {self.version}"

    @property
    def record(self) -> tuple[str, str]:
        """Give what was changed: one that nobody told of may be changed again."""
        return self.kind, self.record_id

    @classmethod
    def kept(cls, text: str) -> "UnannouncedChange":
        """Give the change that was kept as this."""
        kind, _, rest = text.removesuffix(_TAKEN_UP).partition(" ")
        record_id, _, version = rest.rpartition(" ")
        return cls(kind, record_id, version)


def is_due(feed: Feed, hours: OfficeHours, quiet: timedelta, now: datetime) -> bool:
    """Say whether a feed is to be looked into now; one that never delivered is not: it was never set up."""
    if feed.heard_at is None:
        return False
    asked_at = feed.asked_at or feed.heard_at
    if feed.silent_since is not None:
        return now - asked_at >= SILENT_EVERY
    if feed.doubted:
        quiet_for = hours.open_for(feed.heard_at, now, quiet + SECOND_LOOK)
        wait = SECOND_LOOK if quiet_for >= quiet + SECOND_LOOK else UNDER_WAY
        return now - asked_at >= wait and quiet_for >= quiet
    return hours.is_open(now) and hours.open_for(asked_at, now, quiet) >= quiet


def judge(feed: Feed, shown: Collection[str]) -> FeedVerdict:
    """Say what changes that the side shows, and that nobody has told of, prove of its feed."""
    changes, known = frozenset(shown), feed.explained & frozenset(shown)
    if feed.silent_since is not None:
        return FeedVerdict(explained=changes, silent_since=feed.silent_since, new=len(changes - known))
    taken = {one for one in feed.doubted if one.endswith(_TAKEN_UP)}
    if taken or _records(changes - known) & _records(feed.doubted):
        return FeedVerdict(explained=changes, silent_since=feed.heard_at, new=len((changes - known) | taken))
    return FeedVerdict(doubted=changes - known, explained=known)


def still_doubted(feed: Feed, told: Iterable[UnannouncedChange], heard_at: datetime) -> frozenset[str]:
    """Give what is doubted of a feed still, after deliveries of which the last came at a moment."""
    if feed.asked_at is None or heard_at - feed.asked_at >= UNDER_WAY:
        return frozenset()
    return unannounced(feed.doubted, told)


def unannounced(changes: Iterable[str], told: Iterable[UnannouncedChange]) -> frozenset[str]:
    """Give the changes of which deliveries say nothing: they name other records, and none was made after it."""
    named, newest = set[tuple[str, str]](), dict[str, str]()
    for one in told:
        named.add(one.record)
        newest[one.kind] = max(newest.get(one.kind, ""), one.version)
    return frozenset(
        text
        for text in changes
        if (change := UnannouncedChange.kept(text))
        and change.record not in named
        and not (change.version and newest.get(change.kind, "") > change.version)
    )


def shown_again(feed: Feed, shown: Collection[str]) -> frozenset[str]:
    """Give what is doubted of a feed once a compare, which has it taken up, was shown these changes."""
    if not feed.doubted:
        return frozenset(shown) - feed.explained
    return _with_taken_up(feed.doubted, shown)


def taken_up(feed: Feed, changes: Collection[str], *, may_begin: bool) -> frozenset[str]:
    """Give what is doubted of a feed once a pass has taken up these changes.

    may_begin  whether they may be the first that are doubted; else only those of doubted records count
    """
    if feed.doubted or not may_begin:
        return _with_taken_up(feed.doubted, changes)
    return _with_taken_up(frozenset(changes) - feed.explained, changes)


def _with_taken_up(doubted: Collection[str], changes: Iterable[str]) -> frozenset[str]:
    records, plain = _records(changes), {text.removesuffix(_TAKEN_UP): text for text in doubted}
    return frozenset(
        f"{text}{_TAKEN_UP}" if UnannouncedChange.kept(text).record in records else as_it_is
        for text, as_it_is in plain.items()
    )


def _records(changes: Iterable[str]) -> set[tuple[str, str]]:
    return {UnannouncedChange.kept(text).record for text in changes}
