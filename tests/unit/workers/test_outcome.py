"""How a look ended: the base advances only where both sides agree, and what is not settled is looked at again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.errors import Unavailable
from app.sync.decide import decide
from app.sync.mappings.table import OnConflict
from app.sync.model import Lane, NeedsConfirmation, Seen, Side, Snapshot
from app.sync.plan import SettledWrites
from app.vendors.salesforce.wire import RecordRefused
from tests.build import (
    ABSENT,
    LATER_STAMP,
    NOW,
    SALESFORCE_ID,
    a_contact,
    a_link,
    a_lone_ref,
    a_patient,
    a_row,
    a_snapshot,
    an_own_write,
    rules,
    seen,
)
from workers.batch import Written

D, S = Side.DRCHRONO, Side.SALESFORCE
SOON = NOW + timedelta(minutes=5)
LIMIT = 3
CALL = ("salesforce", "PATCH composite/sobjects")


def written(created=False, without=None, **fields):
    return Written(SALESFORCE_ID, created, fields, without or {})


def agreed(link, base):
    """The fields a base was advanced in."""
    return {name for name in base.stamps if base.stamps[name] != link.base.stamps.get(name)}


NEWS = seen(a_snapshot(LATER_STAMP, city="Newtown", state="NJ"))


def test_an_echo_uses_its_delivery_up_and_asks_for_nothing(end):
    result = end(a_link(), seen(a_snapshot(LATER_STAMP)), attempts=2)

    assert (result.is_read, result.retry, result.failure, result.attempts) == (True, None, None, 0)
    assert result.link.seen_up_to == LATER_STAMP


def test_a_base_advances_to_what_was_written(end):
    link = a_link()

    result = end(link, NEWS, written(city="Newtown", state="NJ"))

    assert agreed(link, result.link.base) == {"city", "state"}
    assert rules().moved(replace(link, base=result.link.base), "city", "Newtown") is False


def test_a_field_that_was_refused_keeps_its_base_while_the_others_advance(end):
    link = a_link()

    result = end(link, NEWS, written(state="NJ", without={"city": "STRING_TOO_LONG"}))

    assert agreed(link, result.link.base) == {"state"}
    assert (result.failure.cause, result.failure.is_held) == ("STRING_TOO_LONG", False)


def test_a_field_that_cannot_travel_keeps_its_base_and_makes_a_failure(end):
    link = a_link()

    result = end(link, seen(a_snapshot(LATER_STAMP, city="x" * 41, state="NJ")), written(state="NJ"))

    assert agreed(link, result.link.base) == {"state"}
    assert result.failure.cause == "too_long"


def test_a_failure_names_the_fields_as_salesforce_does(end):
    result = end(a_link(), seen(a_snapshot(LATER_STAMP, city="x" * 41, zip_code="x" * 21)))

    assert result.failure.fields == ("MailingCity", "MailingPostalCode")


def test_a_conflict_that_waits_keeps_its_base_and_is_held(end):
    by = rules(a_row(on_conflict=OnConflict.HOLD))
    link = a_link({"note": "a"}, by)

    result = end(link, Seen(Snapshot("1", {"note": "b"}), Snapshot("2", {"note": "c"})), by=by)

    assert result.link.base == link.base
    assert (result.failure.cause, result.failure.is_held) == ("held", True)


def test_a_create_links_and_agrees_also_on_what_is_empty(end):
    result = end(a_lone_ref(), seen(salesforce=ABSENT), written(created=True, city="Testville"))

    assert result.link.salesforce_id == SALESFORCE_ID
    assert result.link.base.stamps.keys() == {"city", "home_phone"}


def test_an_upsert_that_met_a_record_does_not_claim_that_its_other_fields_are_empty(end):
    result = end(a_lone_ref(), seen(salesforce=ABSENT), written(created=False, city="Testville"))

    assert result.link.base.stamps.keys() == {"city"}


def test_a_contact_that_is_found_is_linked_also_when_nothing_is_written(end):
    result = end(a_lone_ref(), seen())

    assert result.link.salesforce_id == SALESFORCE_ID
    assert result.link.base.stamps.keys() == a_patient().keys()


@pytest.mark.parametrize(
    ("what", "cause", "side"),
    [(seen(ABSENT), "gone_in_drchrono", D), (seen(salesforce=ABSENT), "gone_in_salesforce", S)],
    ids=["chart", "contact"],
)
def test_a_record_that_is_gone_is_held_and_keeps_its_base(end, what, cause, side):
    link = a_link()

    result = end(link, what)

    assert (result.failure.cause, result.failure.side, result.failure.is_held) == (cause, side, True)
    assert result.link.base == link.base


def test_a_doubt_keeps_the_delivery_and_promises_a_question(end):
    result = end(a_link(), seen(NeedsConfirmation("not_newer")))

    assert (result.is_read, result.retry.lane, result.last_error) == (False, Lane.CONFIRM, "not_newer")
    assert (result.retry.again_in, result.link.confirm_due_at) == (timedelta(seconds=5), NOW + timedelta(seconds=5))


def test_an_unsettled_write_is_waited_for_without_promising_a_question(end):
    link = a_link()
    link = replace(link, own_writes=(an_own_write(link, rules(), {}, {}, SOON, call="delete"),))

    result = end(link, seen())

    assert (result.is_read, result.retry.again_in, result.link.confirm_due_at) == (False, timedelta(minutes=5), None)


def with_unsettled(link, before, now, settle_at=SOON):
    return replace(link, own_writes=(an_own_write(link, rules(), {"email": before}, {"email": now}, settle_at),))


@pytest.mark.parametrize(
    ("shown", "settled"),
    [
        ("b@example.com", SettledWrites(landed=("01JWRITE",))),
        ("a@example.com", SettledWrites(lost=("01JWRITE",))),
    ],
    ids=["landed", "lost"],
)
def test_what_became_of_an_unsettled_write_is_journalled(end, shown, settled):
    link = with_unsettled(a_link(a_patient(email="a@example.com")), "a@example.com", "b@example.com", NOW)

    result = end(link, seen(a_snapshot(LATER_STAMP, email="b@example.com"), a_contact(email=shown)))

    assert result.settled == settled


@pytest.mark.parametrize(
    ("drchrono", "outcome"),
    [
        (a_snapshot(LATER_STAMP, email="c@example.com"), RecordRefused("UNABLE_TO_LOCK_ROW")),
        (a_snapshot(LATER_STAMP, email="c@example.com"), Unavailable(*CALL)),
        (NeedsConfirmation("not_newer"), None),
    ],
    ids=["locked", "away", "doubted"],
)
def test_an_edit_after_a_write_that_landed_unseen_survives_a_failed_attempt(end, drchrono, outcome):
    """DrChrono a -> b; our write of b times out but lands; b -> c, and the attempt that would carry c fails."""
    link = with_unsettled(a_link(a_patient(email="a@example.com")), "a@example.com", "b@example.com")
    contact = a_contact(email="b@example.com")
    result = end(link, Seen(drchrono, contact), outcome)

    again = replace(link, base=result.link.base, own_writes=())
    plan = decide(rules(), again, Seen(a_snapshot(LATER_STAMP, email="c@example.com"), contact), NOW)

    assert plan.writes == {S: {"email": "c@example.com"}}


def test_an_answered_question_is_no_longer_promised(end):
    assert end(a_link(confirm_due_at=NOW), seen(a_snapshot(LATER_STAMP))).link.confirm_due_at is None
