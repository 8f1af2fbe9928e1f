"""Both sides of a record side by side: what is equal, what differs and who moved, and what cannot be told."""

from datetime import timedelta

from app.sync.base import HashKeys, Rules
from app.sync.diff import Agreement, compare_fields
from app.sync.mappings import file
from app.sync.model import Absent, Base, Kind, Link, Side, Snapshot

RULES = Rules(file.load(None)[Kind.PATIENT], HashKeys.of((b"k" * 32,)), timedelta(seconds=1))
LINK = Link("L1", Kind.PATIENT, "1", "0031", Base())
AGREED = {"email": "old@example.com", "cell_phone": "(555) 010-0142", "city": None}
LINKED = Link("L1", Kind.PATIENT, "1", "0031", RULES.advanced(LINK, Base(), AGREED))


def seen(drchrono, salesforce, link=LINKED):
    snapshots = {Side.DRCHRONO: drchrono, Side.SALESFORCE: salesforce}
    return {one.name: one for one in compare_fields(RULES, link, snapshots)}


def test_values_that_mean_the_same_are_equal_however_they_are_written():
    found = seen(Snapshot("1", AGREED), Snapshot("0031", {**AGREED, "cell_phone": "555-010-0142"}))

    assert {found[name].agreement for name in AGREED} == {Agreement.EQUAL}
    assert {found[name].moved for name in AGREED} == {()}


def test_of_two_that_differ_it_is_told_who_moved():
    found = seen(
        Snapshot("1", {**AGREED, "city": "Here"}), Snapshot("0031", {**AGREED, "city": "There", "email": None})
    )

    assert (found["city"].agreement, found["city"].moved) == (Agreement.DIFFERS, (Side.DRCHRONO, Side.SALESFORCE))
    assert (found["email"].agreement, found["email"].moved) == (Agreement.DIFFERS, (Side.SALESFORCE,))


def test_what_they_never_agreed_on_nobody_has_moved():
    found = seen(Snapshot("1", {"city": "Here"}), Snapshot("0031", {"city": "There"}), LINK)

    assert (found["city"].agreement, found["city"].moved) == (Agreement.DIFFERS, ())


def test_what_was_not_read_cannot_be_told_and_every_field_is_there_all_the_same():
    found = seen(Absent.ABSENT, Snapshot("0031", {"city": "There"}, unreadable={"gender": "not_mapped"}))

    assert list(found) == list(RULES.table.rows)
    assert (found["city"].agreement, dict(found["city"].values)) == (Agreement.UNKNOWN, {Side.SALESFORCE: "There"})
    assert dict(found["gender"].unreadable) == {Side.SALESFORCE: "not_mapped"}
    assert found["chart_id"].is_one_way
