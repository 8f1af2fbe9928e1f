"""Activity: what was received, applied and failed over time, and how long it took, in steps for a chart.

A range is whole steps, so what a chart shows adds up to the figure beside it. Steps begin where the clinic's day does,
and are equally long: where its clock is put on or back, those behind begin an hour later or earlier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import TypeVar

from app.metrics.definitions import END_TO_END
from app.runtime import Runtime
from app.store import activity, schedules
from app.store.activity import Measure
from app.store.record_history import Happened
from app.sync.model import Side

K = TypeVar("K")
KEPT_FOR, SLOT = activity.KEPT_FOR, activity.SLOT
MOST_STEPS = 1_000
_FEW = 60  # steps that a chart shows well
_STEPS = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 15, 30, 60, 120, 180, 360, 720))
ENDS_BEFORE = "The range ends before it begins. Choose an end that is later than the begin."
_EVERY = timedelta(minutes=1)
_MOST_OF_THEM = 0.95


@dataclass(frozen=True, slots=True)
class ActivityStep:
    """What happened from `begin` on, for the length of a step.

    received  by who delivered; what it came to is in `outcomes`
    applied   writes by who has taken them
    latency   bucket of END_TO_END -> how many deliveries took so long until they were applied
    """

    begin: datetime
    received: Mapping[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    outcomes: Mapping[str, int] = field(default_factory=dict)
    applied: Mapping[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    failed: int = 0
    needs_review: int = 0
    latency: Mapping[int, int] = field(default_factory=dict)

    @property
    def p95_s(self) -> float | None:
        """In how many seconds 95 of 100 deliveries were applied; None where none was."""
        return quantile(self.latency, _MOST_OF_THEM)


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened between two moments, step by step."""

    since: datetime
    until: datetime
    step: timedelta
    steps: Sequence[ActivityStep]

    @property
    def total(self) -> ActivityStep:
        """All steps as one."""
        return ActivityStep(
            self.since,
            {side: sum(one.received[side] for one in self.steps) for side in Side},
            _sum([one.outcomes for one in self.steps]),
            {side: sum(one.applied[side] for one in self.steps) for side in Side},
            sum(one.failed for one in self.steps),
            sum(one.needs_review for one in self.steps),
            _sum([one.latency for one in self.steps]),
        )


def step_for(span: timedelta) -> timedelta:
    """Give the step in which a span is shown."""
    return next((step for step in _STEPS if span <= step * _FEW), _STEPS[-1])


def begin_of_step(at: datetime, step: timedelta, zone: tzinfo) -> datetime:
    """Give when the step of the clinic's day begins that an instant is in."""
    shown = at.astimezone(zone)
    midnight = shown.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(at.tzinfo)
    return activity.slot_of(at - (at - midnight) % step)


def problem_of(since: datetime, until: datetime, now: datetime, step: timedelta | None = None) -> str | None:
    """Say what is wrong with a range, and what to do about it; None where it can be shown."""
    days = KEPT_FOR // timedelta(days=1)
    if since >= now:
        return "The range has not begun yet. Choose a begin in the past."
    if since < now - KEPT_FOR - SLOT:
        return f"Activity is kept for {days} days. Choose a later begin."
    if until <= since:
        return ENDS_BEFORE
    if step is not None and (not SLOT <= step <= KEPT_FOR or step % SLOT):
        return f"A step is {SLOT // timedelta(minutes=1)} minutes or several times that, and {days} days at most."
    if step is not None and (until - since) / step > MOST_STEPS:
        return f"That would be more than {MOST_STEPS:,} steps. Choose a longer step or a shorter range."
    return None


async def activity_of(runtime: Runtime, since: datetime, until: datetime, step: timedelta | None = None) -> Activity:
    """Give what happened from the step that the first moment is in to the one that the last is in, both whole.

    Raises  StoreUnavailable
    """
    step = step or step_for(until - since)
    first = begin_of_step(since, step, runtime.settings.zone)
    number = max(-((first - until) // step), 1)
    found: list[dict[str, dict[str, int]]] = [{} for _ in range(number)]
    for one in await activity.counts(runtime.database, first, first + number * step, step):
        for name, key in _places(one.measure, one.side, one.part):
            counts = found[one.step].setdefault(name, {})
            counts[key] = counts.get(key, 0) + one.count
    steps = tuple(_step(first + at * step, counts) for at, counts in enumerate(found))
    return Activity(first, first + number * step, step, steps)


def _places(measure: Measure, side: Side, part: str) -> Sequence[tuple[str, str]]:
    match measure:
        case Measure.RECEIVED:
            return ("received", side), ("outcomes", part)
        case Measure.APPLIED:
            return (("applied", side),)
        case Measure.ENDED:
            return (("ended", part),)
        case Measure.LATENCY:
            return (("latency", part),)


def _step(begin: datetime, counts: Mapping[str, Mapping[str, int]]) -> ActivityStep:
    def by_side(name: str) -> dict[Side, int]:
        return {side: counts.get(name, {}).get(side, 0) for side in Side}

    ended, latency = counts.get("ended", {}), counts.get("latency", {})
    return ActivityStep(
        begin,
        by_side("received"),
        counts.get("outcomes", {}),
        by_side("applied"),
        ended.get(Happened.FAILED, 0),
        ended.get(Happened.HELD, 0),
        {int(bucket): count for bucket, count in latency.items()},
    )


def _sum(counts: Sequence[Mapping[K, int]]) -> dict[K, int]:
    found: dict[K, int] = {}
    for one in counts:
        for key, count in one.items():
            found[key] = found.get(key, 0) + count
    return found


def quantile(buckets: Mapping[int, int], share: float) -> float | None:
    """Give the value that a share of all stays within, as the buckets of END_TO_END tell it; None where there is none.

    Within a bucket the values count as spread evenly; of what is beyond the last bound, that bound is given.
    """
    wanted, bounds = share * sum(buckets.values()), END_TO_END.buckets
    if wanted <= 0:
        return None
    passed = 0
    for at in sorted(buckets):
        if passed + buckets[at] >= wanted and at < len(bounds):
            below = bounds[at - 1] if at else 0.0
            return below + (bounds[at] - below) * (wanted - passed) / buckets[at]
        passed += buckets[at]
    return float(bounds[-1])


async def sum_up_when_due(runtime: Runtime) -> None:
    """Sum up what was received and applied in the slots that are over, once for all web processes together.

    Raises  StoreUnavailable
    """
    if await schedules.try_claim(runtime.database, "activity", _EVERY):
        await activity.sum_up(runtime.database)
