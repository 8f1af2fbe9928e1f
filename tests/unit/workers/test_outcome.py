"""How a look ended: the base advances only where both sides agree, and what is not settled is looked at again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.errors import LeaseLost, OutcomeUnknown, Rejected, Unauthorized, Unavailable, Unreadable
from app.queue import Bell
from app.runtime import Runtime
from app.store.database import Database
from app.store.links import Body, Due, Taken
from app.store.secrets import Vault
from app.sync.decide import decide
from app.sync.mapping import OnConflict
from app.sync.records import Action, Doubt, Kind, Lane, Plan, Seen, Side, Sight
from app.sync.rules import Rules
from app.vendors.salesforce.wire import RecordRefused
from tests.build import (
    ABSENT,
    KEY,
    KEYS,
    LATER_STAMP,
    NOW,
    SALESFORCE_ID,
    SHIPPED,
    STAMP,
    a_contact,
    a_link,
    a_lone_ref,
    a_patient,
    a_row,
    a_sight,
    an_own_write,
    rules,
    seen,
)
from workers.outcome import ended
from workers.passes import Looked, Pass, Written

D, S = Side.DRCHRONO, Side.SALESFORCE
SOON = NOW + timedelta(minutes=5)
LIMIT = 3
CALL = ("salesforce", "PATCH composite/sobjects")


@pytest.fixture
def run(said, tmp_path):
    """A runtime whose parts are real and of which none is opened."""
    settings = said(ATTEMPT_LIMIT=LIMIT)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/never.db")
    bell = Bell(None, lambda: None)
    return Runtime(settings, database, Vault((KEY.encode(),)), KEYS, {Kind.PATIENT: SHIPPED}, bell, None, None)


@pytest.fixture
def end(run):
    """Gives what is saved of a look: decided here unless it failed, and written with this outcome."""

    def ending(link, what, outcome=None, attempts=0, by: Rules | None = None):
        by = by or rules()
        due = Due(link, 1, 1, attempts, (Body("01JDELIVERY", 0, "sealed", LATER_STAMP, NOW),))
        work = Pass(run, by, Taken(Kind.PATIENT, "token", NOW, (due,)))
        plan = decide(by, link, what, NOW) if isinstance(what, Seen) else None
        return ended(work, Looked(due, what), plan, outcome)

    return ending


def written(created=False, without=None, **fields):
    return Written(SALESFORCE_ID, created, fields, without or {})


def agreed(link, base, by=None):
    """The fields a base was advanced in."""
    return {name for name in base.stamps if base.stamps[name] != link.base.stamps.get(name)}


NEWS = seen(a_sight(LATER_STAMP, city="Newtown", state="NJ"))


def test_an_echo_uses_its_delivery_up_and_asks_for_nothing(end):
    result = end(a_link(), seen(a_sight(LATER_STAMP)), attempts=2)

    assert (result.is_read, result.again_in, result.failure, result.attempts) == (True, None, None, 0)
    assert result.floor == LATER_STAMP


def test_a_base_advances_to_what_was_written(end):
    link = a_link()

    result = end(link, NEWS, written(city="Newtown", state="NJ"))

    assert agreed(link, result.base) == {"city", "state"}
    assert rules().moved(replace(link, base=result.base), "city", "Newtown") is False


def test_a_field_that_was_refused_keeps_its_base_while_the_others_advance(end):
    link = a_link()

    result = end(link, NEWS, written(state="NJ", without={"city": "STRING_TOO_LONG"}))

    assert agreed(link, result.base) == {"state"}
    assert (result.failure.cause, result.failure.is_held) == ("STRING_TOO_LONG", False)


def test_a_field_that_cannot_travel_keeps_its_base_and_makes_a_failure(end):
    link = a_link()

    result = end(link, seen(a_sight(LATER_STAMP, city="x" * 41, state="NJ")), written(state="NJ"))

    assert agreed(link, result.base) == {"state"}
    assert result.failure.cause == "too_long"


def test_a_failure_names_the_fields_as_salesforce_does(end):
    result = end(a_link(), seen(a_sight(LATER_STAMP, city="x" * 41, zip_code="x" * 21)))

    assert result.failure.fields == ("MailingCity", "MailingPostalCode")


def test_a_conflict_that_waits_keeps_its_base_and_is_held(end):
    by = rules(a_row(on_conflict=OnConflict.HOLD))
    link = a_link({"note": "a"}, by)

    result = end(link, Seen(Sight("1", {"note": "b"}), Sight("2", {"note": "c"})), by=by)

    assert result.base == link.base
    assert (result.failure.cause, result.failure.is_held) == ("held", True)


def test_a_create_links_and_agrees_also_on_what_is_empty(end):
    result = end(a_lone_ref(), seen(salesforce=ABSENT), written(created=True, city="Testville"))

    assert result.salesforce_id == SALESFORCE_ID
    assert result.base.stamps.keys() == {"city", "home_phone"}


def test_an_upsert_that_met_a_record_does_not_claim_that_its_other_fields_are_empty(end):
    result = end(a_lone_ref(), seen(salesforce=ABSENT), written(created=False, city="Testville"))

    assert result.base.stamps.keys() == {"city"}


def test_a_contact_that_is_found_is_linked_also_when_nothing_is_written(end):
    result = end(a_lone_ref(), seen())

    assert result.salesforce_id == SALESFORCE_ID
    assert result.base.stamps.keys() == a_patient().keys()


@pytest.mark.parametrize(
    ("what", "cause", "side"),
    [(seen(ABSENT), "gone_in_drchrono", D), (seen(salesforce=ABSENT), "gone_in_salesforce", S)],
    ids=["chart", "contact"],
)
def test_a_record_that_is_gone_is_held_and_keeps_its_base(end, what, cause, side):
    link = a_link()

    result = end(link, what)

    assert (result.failure.cause, result.failure.side, result.failure.is_held) == (cause, side, True)
    assert result.base == link.base


def test_a_doubt_keeps_the_delivery_and_promises_a_question(end):
    result = end(a_link(), seen(Doubt("not_newer")))

    assert (result.is_read, result.lane, result.last_error) == (False, Lane.CONFIRM, "not_newer")
    assert (result.again_in, result.confirm_at) == (timedelta(seconds=5), NOW + timedelta(seconds=5))


def test_an_unsettled_write_is_waited_for_without_promising_a_question(end):
    link = a_link()
    link = replace(link, own_writes=(an_own_write(link, rules(), {}, {"city": "Newtown"}, SOON),))

    result = end(link, seen())

    assert (result.is_read, result.again_in, result.confirm_at) == (False, timedelta(minutes=5), None)


def with_unsettled(link, before, now, settle_at=SOON):
    return replace(link, own_writes=(an_own_write(link, rules(), {"email": before}, {"email": now}, settle_at),))


@pytest.mark.parametrize(
    ("shown", "state"), [("b@example.com", "confirmed"), ("a@example.com", "refused")], ids=["landed", "lost"]
)
def test_what_became_of_an_unsettled_write_is_journalled(end, shown, state):
    link = with_unsettled(a_link(a_patient(email="a@example.com")), "a@example.com", "b@example.com", NOW)

    result = end(link, seen(a_sight(LATER_STAMP, email="b@example.com"), a_contact(email=shown)))

    assert result.settled == {"01JWRITE": state}


@pytest.mark.parametrize(
    ("drchrono", "outcome"),
    [
        (a_sight(LATER_STAMP, email="c@example.com"), RecordRefused("UNABLE_TO_LOCK_ROW")),
        (a_sight(LATER_STAMP, email="c@example.com"), Unavailable(*CALL)),
        (Doubt("not_newer"), None),
    ],
    ids=["locked", "away", "doubted"],
)
def test_an_edit_after_a_write_that_landed_unseen_survives_a_failed_attempt(end, drchrono, outcome):
    """DrChrono a -> b; our write of b times out but lands; b -> c, and the attempt that would carry c fails."""
    link = with_unsettled(a_link(a_patient(email="a@example.com")), "a@example.com", "b@example.com")
    contact = a_contact(email="b@example.com")
    result = end(link, Seen(drchrono, contact), outcome)

    again = replace(link, base=result.base, own_writes=())
    plan = decide(rules(), again, Seen(a_sight(LATER_STAMP, email="c@example.com"), contact), NOW)

    assert plan.writes == {S: {"email": "c@example.com"}}


@pytest.mark.parametrize("error", [Unauthorized(*CALL), Unavailable(*CALL)], ids=["credential", "away"])
@pytest.mark.parametrize("when", ["look", "write"])
def test_what_the_whole_side_suffers_from_spends_nothing_and_loses_nothing(end, error, when):
    link = a_link()

    result = end(link, error, attempts=1) if when == "look" else end(link, NEWS, error, attempts=1)

    assert (result.attempts, result.is_read, result.failure) == (1, False, None)
    assert result.again_in > timedelta(0)


def test_a_lost_lease_is_left_to_its_successor_at_once(end):
    assert end(a_link(), NEWS, LeaseLost()).again_in == timedelta(0)


def test_an_unknown_outcome_spends_an_attempt_and_keeps_the_delivery(end):
    result = end(a_link(), NEWS, OutcomeUnknown(*CALL), attempts=1)

    assert (result.attempts, result.is_read, result.lane) == (2, False, Lane.RETRY)


@pytest.mark.parametrize(
    "outcome",
    [OutcomeUnknown(*CALL, code="ReadTimeout"), RecordRefused("UNABLE_TO_LOCK_ROW")],
    ids=["unknown", "locked"],
)
def test_the_last_attempt_makes_a_failure(end, outcome):
    result = end(a_link(), NEWS, outcome, attempts=LIMIT - 1)

    assert result.failure is not None
    assert (result.is_read, result.again_in) == (True, None)


def test_a_lasting_refusal_names_its_cause_and_fields_and_uses_the_delivery_up(end):
    result = end(a_link(), NEWS, RecordRefused("REQUIRED_FIELD_MISSING", ("LastName",)))

    assert (result.failure.cause, result.failure.fields) == ("REQUIRED_FIELD_MISSING", ("LastName",))
    assert (result.is_read, result.floor) == (True, LATER_STAMP)


@pytest.mark.parametrize("outcome", [RecordRefused("REQUIRED_FIELD_MISSING"), Unavailable(*CALL)], ids=["ever", "now"])
def test_what_was_not_written_does_not_advance_and_what_agrees_does(end, outcome):
    link = a_link({name: value for name, value in a_patient().items() if name != "zip_code"})

    result = end(link, NEWS, outcome)

    assert agreed(link, result.base) == {"zip_code"}


def test_a_refused_question_is_asked_again_and_blames_no_record(end):
    result = end(a_link(), Rejected("salesforce", "GET query", code="INVALID_FIELD"), attempts=1)

    assert (result.failure, result.is_read, result.attempts) == (None, False, 1)
    assert (result.again_in, result.last_error) == (timedelta(minutes=1), "INVALID_FIELD")


def test_a_question_refused_for_one_chart_alone_becomes_a_failure(end):
    result = end(a_link(), Rejected("drchrono", "GET /api/patients/{id}", status=403), attempts=LIMIT)

    assert result.failure is not None


def test_an_answer_that_cannot_be_read_makes_a_failure_of_its_side(end):
    result = end(a_link(), Unreadable("drchrono", "GET", code="NOT_JSON"))

    assert (result.failure.side, result.failure.cause) == (D, "NOT_JSON")


def test_a_question_that_got_no_answer_stays_promised(end):
    link = a_link(confirm_at=NOW)

    assert end(link, Unavailable("drchrono", "GET")).confirm_at == NOW


def test_an_answered_question_is_no_longer_promised(end):
    assert end(a_link(confirm_at=NOW), seen(a_sight(LATER_STAMP))).confirm_at is None


def test_a_look_that_failed_keeps_everything_as_it_was(end):
    link = a_link(confirm_at=SOON)

    result = end(link, Unavailable(*CALL))

    assert (result.base, result.floor, result.salesforce_id, result.confirm_at) == (
        link.base,
        STAMP,
        SALESFORCE_ID,
        SOON,
    )


def test_the_plan_of_an_edit_is_what_these_tests_write():
    assert (
        decide(rules(), a_link(), NEWS, NOW).writes
        == Plan(Action.WRITE, {S: {"city": "Newtown", "state": "NJ"}}).writes
    )
