"""How a look ended that wrote to DrChrono: what it has yet to show, what is blamed on it, and when it is asked."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.errors import Gone, LeaseLost, OutcomeUnknown, Rejected, Unauthorized, Unavailable
from app.sync.model import Lane, Seen, Side
from app.vendors.salesforce.wire import RecordRefused
from tests.build import (
    DRCHRONO_ID,
    LATER_STAMP,
    NOW,
    SALESFORCE_ID,
    UNHEARD,
    a_body,
    a_contact,
    a_link,
    a_patient,
    a_snapshot,
    rules,
)
from workers.batch import Written

D, S = Side.DRCHRONO, Side.SALESFORCE
CALL = ("drchrono", "PATCH /api/patients/{id}")
EDIT = {"email": "new@example.com"}
PATCHED = Written(DRCHRONO_ID, created=False, fields=EDIT, without={})


def edited(drchrono=UNHEARD):
    """Salesforce's e-mail moved."""
    return Seen(drchrono, a_contact(**EDIT))


def agreed(link, base):
    """The fields a base was advanced in."""
    return {name for name in base.stamps if base.stamps[name] != link.base.stamps.get(name)}


def test_what_was_patched_is_agreed_and_unsettled_and_nothing_else_is(end):
    link = a_link()

    result = end(link, edited(), PATCHED, side=D)

    assert agreed(link, result.link.base) == {"email"}
    assert result.link.unconfirmed_fields == {"email"}
    assert (result.is_read, result.retry, result.link.seen_up_to) == (True, None, link.seen_up_to)


@pytest.mark.parametrize("shown", [a_snapshot(LATER_STAMP), a_body(LATER_STAMP)], ids=["asked", "delivered"])
def test_what_drchrono_shows_as_we_wrote_it_is_settled(end, shown):
    assert (
        end(a_link(unconfirmed_fields=frozenset({"city"})), Seen(shown, a_contact())).link.unconfirmed_fields
        == frozenset()
    )


def test_drchronos_own_word_settles_also_what_it_shows_otherwise(end):
    shown = a_snapshot(LATER_STAMP, city="Newtown")

    result = end(
        a_link(unconfirmed_fields=frozenset({"city"})),
        Seen(shown, a_contact()),
        Written(SALESFORCE_ID, created=False, fields={"city": "Newtown"}, without={}),
    )

    assert result.link.unconfirmed_fields == frozenset()


def test_silence_settles_nothing(end):
    assert end(a_link(unconfirmed_fields=frozenset({"city"})), edited(), PATCHED, side=D).link.unconfirmed_fields == {
        "city",
        "email",
    }


@pytest.mark.parametrize("shown", [a_snapshot(LATER_STAMP), a_body(LATER_STAMP)], ids=["asked", "delivered"])
def test_what_is_patched_once_more_is_unsettled_though_the_look_before_showed_the_last_patch(end, shown):
    result = end(a_link(unconfirmed_fields=frozenset({"email"})), edited(shown), PATCHED, side=D)

    assert result.link.unconfirmed_fields == {"email"}


@pytest.mark.parametrize(
    "error",
    [Unauthorized(*CALL), Unavailable(*CALL), OutcomeUnknown(*CALL), LeaseLost(), Gone(*CALL)],
    ids=lambda error: type(error).__name__,
)
def test_a_patch_that_did_not_end_well_agrees_on_nothing_and_keeps_what_was_read(end, error):
    link = a_link()

    result = end(link, edited(), error, side=D)

    assert (result.link.base, result.link.unconfirmed_fields) == (link.base, frozenset())
    assert (result.is_read, result.failure) == (False, None)
    assert result.retry is not None


@pytest.mark.parametrize("error", [Unauthorized(*CALL), Unavailable(*CALL)], ids=["credential", "away"])
def test_what_the_whole_practice_suffers_from_spends_no_attempt(end, error):
    assert end(a_link(), edited(), error, attempts=1, side=D).attempts == 1


def test_a_chart_that_is_not_found_is_asked_for_at_once(end):
    result = end(a_link(), edited(), Gone(*CALL), side=D)

    assert (result.retry.again_in, result.link.confirm_due_at, result.retry.lane) == (timedelta(0), NOW, Lane.CONFIRM)


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (Rejected(*CALL, status=403), "HTTP_403"),
        (RecordRefused("HTTP_400", ("email",)), "HTTP_400"),
        (RecordRefused("HTTP_400", ("non_field_errors",)), "HTTP_400"),
    ],
    ids=["whole", "a field", "no field in particular"],
)
def test_what_drchrono_refuses_for_good_is_drchronos_failure_and_agrees_on_nothing(end, outcome, cause):
    link = a_link()

    result = end(link, edited(), outcome, side=D)

    assert (result.failure.side, result.failure.cause, result.is_read) == (D, cause, True)
    assert (result.link.base, result.link.unconfirmed_fields) == (link.base, frozenset())


def test_fields_drchrono_refused_are_named_as_drchrono_does_and_the_rest_is_agreed(end):
    link = a_link()
    seen = Seen(UNHEARD, a_contact(**EDIT, city="Newtown"))
    written = Written(DRCHRONO_ID, created=False, fields={"city": "Newtown"}, without={"email": "HTTP_400"})

    result = end(link, seen, written, side=D)

    assert (result.failure.side, result.failure.fields) == (D, ("email",))
    assert agreed(link, result.link.base) == {"city"}
    assert result.link.unconfirmed_fields == {"city"}


def test_a_lone_contact_that_names_a_chart_learns_it_and_is_looked_at_again_at_once(end):
    link = replace(a_link({}), drchrono_id=None)

    result = end(link, Seen(UNHEARD, replace(a_contact(), key=DRCHRONO_ID)))

    assert (result.link.drchrono_id, result.link.salesforce_id) == (DRCHRONO_ID, SALESFORCE_ID)
    assert (result.is_read, result.retry.again_in) == (False, timedelta(0))
    assert result.link.base == link.base, "nothing is agreed before DrChrono was asked"


def test_a_contact_that_is_nobodys_uses_its_notice_up(end):
    result = end(replace(a_link({}), drchrono_id=None), Seen(UNHEARD, replace(a_contact(), key=None)))

    assert (result.is_read, result.retry, result.failure) == (True, None, None)
    assert result.link.drchrono_id is None


def test_a_question_asks_at_once_and_keeps_what_was_read(end):
    result = end(a_link(), Seen(UNHEARD, a_contact(first_name="Tess")))

    assert (result.retry.again_in, result.link.confirm_due_at, result.retry.lane) == (timedelta(0), NOW, Lane.CONFIRM)
    assert (result.is_read, result.attempts) == (False, 0)


def test_an_edit_that_was_never_patched_is_still_an_edit_at_the_next_look(end):
    link = a_link()

    after = replace(link, base=end(link, edited(), Unavailable(*CALL), side=D).link.base)

    assert rules().changed(after, {"email": EDIT["email"]}) == {"email"}
    assert rules().changed(after, a_patient()) == set()
