"""What people are told, given what is so and what they know: once when it has begun, and once when it is over."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.sync.notices import (
    MOST_ITEMS,
    NoticeCondition,
    NoticeEvent,
    NoticeItem,
    NoticeState,
    decide_notices,
    digest_day,
    in_order,
    shortened,
    title_of,
)
from tests.build import NOW

DOWN = NoticeCondition(NoticeEvent.OUTAGE, "drchrono", "DrChrono is down", "", "DrChrono answers again")
PAUSED = NoticeCondition(NoticeEvent.SAFETY_LIMIT, "compare", "Reconciliation is paused", "", "Reconciliation goes on")
LOADED = NoticeCondition(NoticeEvent.INITIAL_SYNC, "patient", "The initial sync of patients is done")
BROKEN = NoticeCondition(NoticeEvent.AUDIT, "chain", "The audit is not whole", "", "The audit is whole again")
NEW_YORK = ZoneInfo("America/New_York")


class Told:
    """Looks at moments of minutes after NOW, each with what is so then; keeps what was told."""

    def __init__(self):
        self.known, self.said = (), []

    def looks(self, minute, *found, **how):
        now = NOW + timedelta(minutes=minute)
        decision = decide_notices(self.known, found, now, **how)
        self.known = decision.known
        self.said += [(minute, one.state.value, one.what) for one in decision.items]
        return decision


@pytest.fixture
def told():
    return Told()


HISTORIES = {  # (minute, what is so then) -> what was told, and when
    "it lasts": ([(0, [DOWN]), (2, [DOWN]), (3, [DOWN]), (600, [DOWN])], [(2, "started", DOWN.what)]),
    "it passes before it is news": ([(0, [DOWN]), (1, []), (6, []), (7, [])], []),
    "it is over": (
        [(0, [DOWN]), (2, [DOWN]), (10, []), (14, []), (15, []), (16, [])],
        [(2, "started", DOWN.what), (15, "resolved", DOWN.over)],
    ),
    "it comes back before it is over": (
        [(0, [DOWN]), (2, [DOWN]), (10, []), (14, [DOWN]), (15, []), (19, [DOWN])],
        [(2, "started", DOWN.what)],
    ),
    "it comes and goes": ([(0, [DOWN]), (1, []), (2, [DOWN]), (3, [])], [(2, "started", DOWN.what)]),
    "it comes again once it was over": (
        [(0, [PAUSED]), (1, []), (6, []), (7, [PAUSED])],
        [(0, "started", PAUSED.what), (6, "resolved", PAUSED.over), (7, "started", PAUSED.what)],
    ),
    "it only happened": ([(0, [LOADED]), (1, [LOADED]), (9, []), (20, [])], [(0, "info", LOADED.what)]),
    "two at once": (
        [(0, [LOADED, PAUSED])],
        [(0, "started", PAUSED.what), (0, "info", LOADED.what)],
    ),
}


@pytest.mark.parametrize(("looks", "expected"), HISTORIES.values(), ids=HISTORIES)
def test_a_condition_is_told_once_when_it_has_begun_and_once_when_it_is_over(told, looks, expected):
    for minute, found in looks:
        told.looks(minute, *found)

    assert told.said == expected


@pytest.mark.parametrize("ends", [False, True], ids=["and goes on", "and is over by then"])
def test_what_may_not_be_told_now_is_told_later(told, ends):
    told.looks(0, DOWN, LOADED, may_tell=False)
    told.looks(5, DOWN, may_tell=False)
    told.looks(11, *([] if ends else [DOWN]), may_tell=False)

    decision = told.looks(30, *([] if ends else [DOWN]))

    state = NoticeState.RESOLVED if ends else NoticeState.STARTED
    assert {(one.state, one.event) for one in decision.items} == {
        (state, NoticeEvent.OUTAGE),
        (NoticeState.INFO, NoticeEvent.INITIAL_SYNC),
    }
    outage = next(one for one in decision.items if one.event is NoticeEvent.OUTAGE)
    assert outage.advice == ("Before that: DrChrono is down, for 11 minutes." if ends else "")
    assert not told.looks(31, *([] if ends else [DOWN])).items


def test_what_was_not_looked_into_has_not_changed(told):
    told.looks(0, BROKEN)
    for minute in (1, 10, 20):
        told.looks(minute, unseen={NoticeEvent.AUDIT})
    told.looks(30)
    for minute in (31, 40):
        told.looks(minute, unseen={NoticeEvent.AUDIT})

    assert told.said == [(0, "started", BROKEN.what), (40, "resolved", BROKEN.over)]


def test_a_notice_spells_out_what_is_most_pressing_and_sums_up_the_rest():
    failed = [NoticeItem(NoticeEvent.FAILURE, NoticeState.STARTED, f"cause {number:02}") for number in range(14)]
    over = NoticeItem(NoticeEvent.OUTAGE, NoticeState.RESOLVED, "it answers again")
    down = NoticeItem(NoticeEvent.OUTAGE, NoticeState.STARTED, "it is down")

    items = in_order([over, *failed, down])
    spelled, rest = shortened(items)

    assert [one.what for one in spelled] == ["it is down", *(f"cause {number:02}" for number in range(MOST_ITEMS - 1))]
    assert rest == "And 4 more: 3 of failure, 1 of outage."
    assert title_of(items) == "15 to look at, 1 resolved"
    assert [title_of([one]) for one in (down, over)] == ["it is down", "Resolved: it answers again"]


DIGESTS = {  # the clinic's clock -> the day whose digest is due at these moments of UTC, a winter's and both odd days
    "a winter's day": (time(8), {"2026-01-12T12:59": None, "2026-01-12T13:00": "2026-01-12", "2026-01-12T17:00": None}),
    "a time that the day leaves out": (time(2, 30), {"2026-03-08T07:29": None, "2026-03-08T07:30": "2026-03-08"}),
    "the day the clocks go ahead": (time(8), {"2026-03-08T11:59": None, "2026-03-08T12:00": "2026-03-08"}),
    "a time that comes twice": (
        time(1, 30),
        {"2026-11-01T05:29": None, "2026-11-01T05:30": "2026-11-01", "2026-11-01T06:30": "2026-11-01"},
    ),
    "just before midnight": (time(23, 30), {"2026-01-13T04:30": "2026-01-12", "2026-01-13T05:00": None}),
}


@pytest.mark.parametrize(("at", "moments"), DIGESTS.values(), ids=DIGESTS)
def test_a_digest_is_due_once_a_day_by_the_clinics_clock(at, moments):
    found = {moment: digest_day(at, NEW_YORK, datetime.fromisoformat(moment).replace(tzinfo=UTC)) for moment in moments}

    assert found == moments
