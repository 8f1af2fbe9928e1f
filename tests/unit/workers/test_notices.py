"""How a notice tells an error: by what this service knows of it, and by nothing that only a vendor does."""

from datetime import timedelta

import pytest

from app.store.notices import ToPeople
from app.sync.model import Kind
from app.sync.notices import NoticeEvent, decide_notices
from tests.build import NOW, SHIPPED
from workers.notices import by_cause, told_cause

CAUSES = {
    "cannot_be_empty": "cannot_be_empty",
    "REQUIRED_FIELD_MISSING": "REQUIRED_FIELD_MISSING",
    "HTTP_503": "HTTP_503",
    "HTTP_Canary": "other",
    "overlaps_310001": "clash",
    "ReadTimeout": "answer",
    "Jane.Canary:1951-02-03": "other",
}
TABLES = {Kind.PATIENT: SHIPPED}


@pytest.mark.parametrize(("cause", "told"), CAUSES.items())
def test_an_error_that_only_a_vendor_knows_is_told_by_its_class(cause, told):
    assert told_cause(cause) == told


def test_errors_that_only_an_id_tells_apart_are_one_condition():
    waiting = [ToPeople("drchrono", "appointment", f"overlaps_{number}", (), False, 2, 1) for number in range(3)]
    waiting.append(ToPeople("salesforce", "patient", "held", (), True, 5, 0))
    waiting.append(ToPeople("salesforce", "patient", "held", (), True, 5, 5, is_dismissed=True))

    (failing,), reviewed = (by_cause(event, waiting, TABLES) for event in (NoticeEvent.FAILURE, NoticeEvent.REVIEW))

    assert failing.what == "6 appointments failed: Another appointment is at that time in DrChrono"
    assert (failing.advice, failing.path) == ("It is the error clash (DrChrono).", "/attention")
    assert reviewed == []


def test_a_failure_that_grows_tenfold_is_told_again_and_one_that_begins_large_once():
    def look(number, known, minute):
        waiting = [ToPeople("drchrono", "patient", "cannot_be_empty", (), False, number, 0)]
        found = by_cause(NoticeEvent.FAILURE, waiting, TABLES)
        return decide_notices(known, found, NOW + timedelta(minutes=minute))

    told, known = [], ()
    for minute, number in enumerate([1, 1, 9, 120, 120, 120]):
        decision = look(number, known, minute)
        known = decision.known
        told.append([(one.state.value, one.what.partition(" ")[0]) for one in decision.items])
    large = look(120, look(120, (), 0).known, 1).items

    assert told == [[], [("started", "1")], [], [], [("info", "120")], []]
    assert [(one.state.value, one.what.partition(" ")[0]) for one in large] == [("started", "120")]


def test_fields_are_named_as_people_call_them_and_none_that_the_mapping_does_not_have():
    waiting = [
        ToPeople("salesforce", "patient", "required_by_salesforce", fields, False, 1, 0)
        for fields in (("MobilePhone",), ("Canary__c", "LastName"))
    ]

    (found,) = by_cause(NoticeEvent.FAILURE, waiting, TABLES)

    assert found.what == "2 patients failed: Salesforce needs a last name and a cell phone"
    assert found.advice.startswith("It is the error required_by_salesforce (Salesforce). How to fix: ")
