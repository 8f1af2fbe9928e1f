"""Notices: what people have to be told, given what is so now and what they were told before. Pure.

A condition is something that is so for a while: records fail with an error, a system cannot be reached. It is told once
when it has begun and once when it is over. What passes at once is not told at all, and what comes and goes is one
condition. Where nothing more may be told in this hour, it waits and is told with the next notice, also where it is over
by then. A notice is one message about everything that has come up, with counts, errors, kinds and links in it, and
never a value of a record.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo


class NoticeEvent(StrEnum):
    """What can be told, the most pressing first; a clinic chooses by these names."""

    OUTAGE = "outage"
    SAFETY_LIMIT = "safety_limit"
    AUDIT = "audit"
    STALLED_FEED = "stalled_feed"
    FAILURE = "failure"
    REVIEW = "review"
    QUOTA = "quota"
    INITIAL_SYNC = "initial_sync"
    DIGEST = "digest"


class NoticeState(StrEnum):
    """Whether a thing has begun, is over, or only happened."""

    STARTED = "started"
    RESOLVED = "resolved"
    INFO = "info"


# for how long it must have been so: a vendor that was away for a moment, or what a retry has put right, is no news
SETTLES: Mapping[NoticeEvent, timedelta] = {
    NoticeEvent.OUTAGE: timedelta(minutes=2),
    NoticeEvent.FAILURE: timedelta(minutes=1),
    NoticeEvent.QUOTA: timedelta(minutes=10),
}
OVER_AFTER = timedelta(minutes=5)  # what comes back sooner was never over
DIGEST_WINDOW = timedelta(hours=4)  # a digest that could not be made in its morning is left to the next one
MOST_ITEMS = 12
_AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class NoticeCondition:
    """Something that is so now.

    about   what of its event it is: a side, a lane, an error of a kind; the two are its name
    what    a short sentence without its period;  advice  what to do, in whole sentences
    over    a short sentence for when it is over; empty where it only happened
    path    the page that shows it, below PUBLIC_URL
    """

    event: NoticeEvent
    about: str
    what: str
    advice: str = ""
    over: str = ""
    path: str = "/"

    @property
    def key(self) -> tuple[str, str]:
        """Its name."""
        return self.event.value, self.about


@dataclass(frozen=True, slots=True)
class KnownCondition:
    """A condition that was seen: since when it is so, when it was told, and since when it is not so any more."""

    condition: NoticeCondition
    since: datetime
    told_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """One thing that a notice tells."""

    event: NoticeEvent
    state: NoticeState
    what: str
    advice: str = ""
    path: str = "/"

    @property
    def headline(self) -> str:
        """What it tells, in a few words."""
        return f"Resolved: {self.what}" if self.state is NoticeState.RESOLVED else self.what

    def as_json(self) -> dict[str, str]:
        """Give it as it is stored."""
        return {
            "event": self.event.value,
            "state": self.state.value,
            "what": self.what,
            "advice": self.advice,
            "path": self.path,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """Give the item that was stored."""
        event, state = NoticeEvent(stored["event"]), NoticeState(stored["state"])
        return cls(event, state, stored["what"], stored["advice"], stored["path"])


@dataclass(frozen=True, slots=True)
class NoticeDecision:
    """What a look came to: what is known from now on, which conditions are forgotten, and what is told."""

    known: tuple[KnownCondition, ...]
    forgotten: tuple[tuple[str, str], ...]
    items: tuple[NoticeItem, ...]


def decide_notices(
    known: Collection[KnownCondition],
    found: Collection[NoticeCondition],
    now: datetime,
    *,
    unseen: Collection[NoticeEvent] = (),
    may_tell: bool = True,
) -> NoticeDecision:
    """Say what is to be told.

    known     every condition that was seen before;  found  what is so now
    unseen    events that were not looked into: of them nothing has changed
    may_tell  whether a notice may be made now; if not, what would be told stays to be told
    """
    before = {one.condition.key: one for one in known}
    still = [one.condition for one in known if one.condition.event in unseen and one.ended_at is None]
    present = {one.key: one for one in (*still, *found)}
    kept, forgotten, items = [], [], []
    for key, condition in present.items():
        seen = before.get(key) or KnownCondition(condition, now)
        seen = replace(seen, condition=condition, ended_at=None)
        if seen.told_at is None and may_tell and now - seen.since >= SETTLES.get(condition.event, _AT_ONCE):
            items.append(_begun(condition))
            seen = replace(seen, told_at=now)
        kept.append(seen)
    for key in before.keys() - present.keys():
        seen = replace(before[key], ended_at=before[key].ended_at or now)
        is_news = _is_news_of_an_end(seen)
        if now - _end(seen) < OVER_AFTER or (is_news and not may_tell):
            kept.append(seen)
            continue
        forgotten.append(key)
        if is_news:
            items.append(_over(seen))
    return NoticeDecision(tuple(kept), tuple(forgotten), in_order(items))


def _end(seen: KnownCondition) -> datetime:
    assert seen.ended_at is not None
    return seen.ended_at


def _is_news_of_an_end(seen: KnownCondition) -> bool:
    """Say whether people are told that it is over: where they knew of it, or would have had there been room."""
    if not seen.condition.over:
        return seen.told_at is None
    return seen.told_at is not None or _end(seen) - seen.since >= SETTLES.get(seen.condition.event, _AT_ONCE)


def _begun(condition: NoticeCondition) -> NoticeItem:
    state = NoticeState.STARTED if condition.over else NoticeState.INFO
    return NoticeItem(condition.event, state, condition.what, condition.advice, condition.path)


def _over(seen: KnownCondition) -> NoticeItem:
    condition = seen.condition
    if not condition.over:
        return _begun(condition)
    advice = "" if seen.told_at else f"Before that: {condition.what}, for {span_in_words(_end(seen) - seen.since)}."
    return NoticeItem(condition.event, NoticeState.RESOLVED, condition.over, advice, condition.path)


def span_in_words(span: timedelta) -> str:
    """Give a span of time as a person says it."""
    minutes = round(span.total_seconds() / 60)
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            number = minutes // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "less than a minute"


_STATES = (NoticeState.STARTED, NoticeState.INFO, NoticeState.RESOLVED)
_EVENTS = tuple(NoticeEvent)


def in_order(items: Collection[NoticeItem]) -> tuple[NoticeItem, ...]:
    """Give items as they are read: what has begun before what is over, the most pressing first, each thing once."""
    found = sorted(items, key=lambda one: (_STATES.index(one.state), _EVENTS.index(one.event), one.what))
    once: dict[str, NoticeItem] = {}
    for one in found:
        once.setdefault(one.headline, one)
    return tuple(once.values())


def title_of(items: Sequence[NoticeItem]) -> str:
    """Give a notice's title: what it tells where that is one thing, else how many of which sort."""
    if len(items) == 1:
        return items[0].headline
    counts = Counter(one.state for one in items)
    words = {NoticeState.STARTED: "to look at", NoticeState.INFO: "to know", NoticeState.RESOLVED: "resolved"}
    return ", ".join(f"{counts[state]} {words[state]}" for state in _STATES if counts[state])


def shortened(items: Sequence[NoticeItem]) -> tuple[Sequence[NoticeItem], str]:
    """Give the items that a notice spells out, and one sentence for the rest; empty where there is none."""
    if len(items) <= MOST_ITEMS:
        return items, ""
    rest = Counter(one.event for one in items[MOST_ITEMS:])
    named = ", ".join(f"{count} of {event.value.replace('_', ' ')}" for event, count in rest.items())
    return items[:MOST_ITEMS], f"And {len(items) - MOST_ITEMS} more: {named}."


def digest_day(at: time, zone: ZoneInfo, now: datetime) -> str | None:
    """Give the day whose digest is due, as its date; None where none is.

    at  by the clinic's clock; a time that the day leaves out counts from when the clock has passed it
    """
    day = now.astimezone(zone).date()
    due = datetime.combine(day, at, zone).astimezone(UTC)
    return day.isoformat() if due <= now < due + DIGEST_WINDOW else None
