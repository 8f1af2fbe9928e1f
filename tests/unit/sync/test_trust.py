"""Belief: a delivered body is taken for the present only while nothing speaks against it; else a GET decides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest

from app.sync.model import Base, NeedsConfirmation, NothingNew, Side, Snapshot
from app.sync.trust import raise_seen_up_to, trusted_snapshot
from tests.build import (
    ABSENT,
    LATER_STAMP,
    STAMP,
    a_body,
    a_contact,
    a_link,
    a_lone_ref,
    a_patient,
    a_row,
    a_snapshot,
    an_own_write,
    rules,
)

RULES = rules()
EARLIER, NEWER, NEWEST = "2026-01-12T08:00:00", "2026-01-12T08:30:00", "2026-01-12T08:45:00"


def believed(*bodies, link=None, salesforce=None):
    """What is believed, or the reason why nothing is."""
    answer = trusted_snapshot(RULES, link or a_link(), bodies, salesforce or a_contact())
    return answer.reason if isinstance(answer, NeedsConfirmation) else answer


def test_without_a_delivery_there_is_nothing_to_believe():
    assert believed() is NothingNew.UNHEARD


def test_a_newer_body_is_believed():
    news = a_body(NEWER, city="Newtown")

    assert believed(news) == news


def test_of_deliveries_in_order_the_last_is_believed():
    last = a_body(NEWEST, city="Newertown")

    assert believed(a_body(NEWER, city="Newtown"), last) == last


def test_an_echo_is_believed_although_it_is_not_newer():
    echo = a_body(STAMP)

    assert believed(echo) == echo


@pytest.mark.parametrize("version", [EARLIER, STAMP, ""], ids=["older", "at the floor", "no stamp"])
def test_a_body_that_differs_without_being_newer_is_doubted(version):
    assert believed(a_body(version, city="Oldtown")) == "not_newer"


def test_a_body_with_a_value_nobody_can_read_is_doubted_unless_it_is_newer():
    odd = replace(a_body(NEWER), unreadable={"doctor": "not_an_id"})

    assert believed(odd) == odd
    assert believed(replace(odd, version=STAMP)) == "not_newer"


def test_a_body_that_shows_the_agreed_state_of_a_failed_link_is_doubted_when_older_than_what_failed():
    assert believed(a_body(EARLIER), link=a_link(is_failed=True)) == "not_newer"


def test_a_body_at_the_floor_shows_a_failed_link_mended():
    body = a_body(STAMP)

    assert believed(body, link=a_link(is_failed=True)) == body


def test_a_redelivery_of_the_newest_body_is_no_news():
    one, again = a_body(NEWER, city="Newtown"), a_body(NEWER, city="Newtown")

    assert believed(one, again) == one


def test_a_redelivery_of_an_earlier_body_does_not_become_the_newest():
    first, last = a_body(NEWER, city="Newtown"), a_body(NEWEST, city="Newertown")

    assert believed(first, last, first) == last


def test_two_bodies_of_one_stamp_that_differ_are_doubted():
    assert believed(a_body(NEWER, city="Newtown"), a_body(NEWER, city="Newertown")) == "deliveries_disagree"


def test_a_shuffled_delivery_is_never_believed_over_a_newer_one():
    stamps = (NEWER, NEWEST, "2026-01-12T09:00:00")
    bodies = [a_body(stamp, city=stamp) for stamp in stamps]

    for order in permutations(bodies):
        answer = believed(*order)

        assert answer == (bodies[-1] if order[-1] is bodies[-1] else "deliveries_disagree")


def test_what_is_believed_is_never_older_than_another_delivery():
    bodies = [a_body(version, city=city) for version in ("", EARLIER, NEWER) for city in ("Newtown", "Testville")]

    for some in product(bodies, repeat=3):
        answer = believed(*some)

        assert isinstance(answer, str) or answer.version == max(body.version for body in some)


@pytest.mark.parametrize(
    "identity",
    [{"first_name": "Tessa"}, {"last_name": "Other"}, {"date_of_birth": "1990-01-01"}, {"gender": "Male"}],
    ids=lambda fields: next(iter(fields)),
)
def test_another_identity_on_a_linked_record_is_confirmed_first(identity):
    assert believed(a_body(NEWER, **identity)) == "identity_changed"


def test_the_identity_of_a_record_that_is_not_linked_is_believed():
    news = a_body(NEWER, last_name="Other")

    assert believed(news, link=a_lone_ref(), salesforce=ABSENT) == news


def test_linking_to_a_contact_that_differs_is_confirmed_first():
    assert believed(a_body(NEWER), link=a_lone_ref(), salesforce=a_contact(city="Oldtown")) == "existing_contact"


def test_a_contact_of_our_own_making_is_no_strangers():
    made = a_contact(city="Oldtown")
    link = a_lone_ref(own_writes=(an_own_write(a_lone_ref(), RULES, {}, made.fields),))
    news = a_body(NEWER)

    assert believed(news, link=link, salesforce=made) == news


def test_a_contact_written_in_another_way_does_not_differ():
    news = a_body(NEWER)

    assert believed(news, link=a_lone_ref(), salesforce=a_contact(cell_phone="5550100142")) == news


def test_a_first_sight_is_believed():
    news = a_body(STAMP)

    assert believed(news, link=a_lone_ref(), salesforce=ABSENT) == news


def test_a_first_sight_without_a_stamp_is_doubted():
    assert believed(a_body(""), link=a_lone_ref(), salesforce=ABSENT) == "not_newer"


def test_a_field_without_a_readable_base_counts_as_changed():
    assert believed(a_body(STAMP), link=a_link(base=Base())) == "not_newer"


@pytest.mark.parametrize("confirmed", [True, False], ids=["asked", "delivered"])
def test_a_newer_sight_raises_the_floor(confirmed):
    assert raise_seen_up_to(STAMP, Snapshot("1", {}, LATER_STAMP, confirmed)) == LATER_STAMP


@pytest.mark.parametrize("version", ["", EARLIER])
def test_a_delivery_never_lowers_the_floor(version):
    assert raise_seen_up_to(STAMP, a_body(version)) == STAMP


@pytest.mark.parametrize("minutes", [1, 59, 60, 120])
def test_a_stamp_from_after_the_clock_went_back_leaves_the_floor_up(minutes):
    before = datetime.fromisoformat("2026-11-01T01:59:30")
    after = (before - timedelta(minutes=minutes)).isoformat()

    assert raise_seen_up_to(before.isoformat(), a_snapshot(after)) == before.isoformat()


FIRST_TIME, SECOND_TIME = "2026-11-01T01:58:00", "2026-11-01T01:21:00"  # of the hour that is told twice


def test_stamps_of_the_hour_that_autumn_tells_twice_say_nothing_of_the_order_of_deliveries():
    created, deleted = a_body(FIRST_TIME), a_body(SECOND_TIME, city="Newtown")

    answers = [believed(*bodies, link=a_lone_ref()) for bodies in ((created, deleted), (deleted, created))]

    assert answers == ["deliveries_disagree"] * 2


def test_a_stamp_of_the_hour_that_autumn_tells_twice_does_not_pass_another_of_it():
    stale, hour_later = a_body(FIRST_TIME, city="Oldtown"), a_body("2026-11-01T02:00:00", city="Newtown")

    assert believed(stale, link=a_link(seen_up_to=SECOND_TIME)) == "not_newer"
    assert believed(hour_later, link=a_link(seen_up_to=FIRST_TIME)) == hour_later


@pytest.mark.parametrize("day", ["2026-11-02", "2026-11-08", "2026-10-25", "2027-11-01", "2026-03-08"])
def test_the_same_hour_of_any_other_day_is_told_once(day):
    newer = a_body(f"{day}T01:40:00", city="Newtown")

    assert believed(newer, link=a_link(seen_up_to=f"{day}T01:05:00")) == newer


def test_a_body_from_before_the_clock_went_back_does_not_pass_a_confirmed_look():
    floor = raise_seen_up_to("2026-11-01T01:59:30", a_snapshot("2026-11-01T01:05:00"))
    stale = a_body("2026-11-01T01:40:00", city="Oldtown")

    assert believed(stale, link=a_link(seen_up_to=floor)) == "not_newer"


@pytest.mark.parametrize(
    "floor", ["2026-01-12T10:15:31", "9999-12-31T23:59:59", "9999-99-99T99:99:99"], ids=["2 h", "never", "no instant"]
)
def test_a_floor_that_no_change_of_clocks_explains_is_brought_down_by_a_confirmed_look(floor):
    assert raise_seen_up_to(floor, a_snapshot(STAMP)) == STAMP


def test_an_answer_without_a_stamp_leaves_the_floor():
    assert raise_seen_up_to(STAMP, a_snapshot("")) == STAMP


def test_a_link_to_a_row_with_no_identity_is_believed_whatever_changed():
    by = rules(a_row("note", owner=Side.SALESFORCE))
    news = Snapshot("1", {"note": "b"}, NEWER, confirmed=False)

    assert trusted_snapshot(by, a_link({"note": "a"}, by), [news], Snapshot("2", {"note": "a"})) == news


def test_a_field_the_delivery_does_not_carry_speaks_against_nothing():
    fields = {name: value for name, value in a_patient(city="Newtown").items() if name != "last_name"}
    news = Snapshot("1", fields, NEWER, confirmed=False)

    assert believed(news) == news


PATCHED = a_link(unconfirmed_fields=frozenset({"city"}))


@pytest.mark.parametrize("version", [NEWER, STAMP, EARLIER, ""], ids=["newer", "at the floor", "older", "no stamp"])
def test_a_body_that_shows_what_we_wrote_is_believed_whatever_its_stamp(version):
    echo = a_body(version)

    assert believed(echo, link=PATCHED) == echo


@pytest.mark.parametrize("version", [NEWER, STAMP, EARLIER, ""], ids=["newer", "at the floor", "older", "no stamp"])
@pytest.mark.parametrize("more", [{}, {"last_name": "Other"}, {"state": "NJ"}], ids=["alone", "identity", "another"])
def test_a_body_that_contradicts_what_we_wrote_is_doubted_whatever_its_stamp(version, more):
    assert believed(a_body(version, city="Oldtown", **more), link=PATCHED) == "contradicts_our_write"


def test_a_newer_body_that_shows_what_we_wrote_beside_an_edit_of_another_field_is_believed():
    news = a_body(NEWER, state="NJ")

    assert believed(news, link=PATCHED) == news


def test_a_body_that_does_not_speak_of_what_we_wrote_does_not_contradict_it():
    fields = {name: value for name, value in a_patient(state="NJ").items() if name != "city"}
    news = Snapshot("1", fields, NEWER, confirmed=False)

    assert believed(news, link=PATCHED) == news


def test_the_newest_body_alone_contradicts():
    shown = a_body(NEWEST)

    assert believed(a_body(NEWER, city="Oldtown"), shown, link=PATCHED) == shown


@pytest.mark.parametrize(
    "link",
    [
        a_link(base=Base()),
        a_lone_ref(),
        a_link(confirm_due_at=datetime(2026, 1, 12, tzinfo=UTC)),
        replace(a_link(), drchrono_id=None),
    ],
    ids=["no base", "lone chart", "promised", "lone Contact"],
)
def test_silence_is_no_word_where_nothing_was_agreed_or_a_question_was_promised(link):
    assert believed(link=link) == "nothing_delivered"
