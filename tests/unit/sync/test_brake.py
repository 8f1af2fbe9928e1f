"""What comparing would change is counted before it is written, and what only a mistake would ask for is stopped."""

from dataclasses import replace

import pytest

from app.sync.brake import ChangeCount, brake, expected_plan
from app.sync.decide import decide
from app.sync.model import Deleted, NothingNew, Side
from tests.build import NOW, a_contact, a_link, a_patient, a_snapshot, rules, seen

D, S = Side.DRCHRONO, Side.SALESFORCE
LINKED, SHARE, DELETES = 1000, 0.2, 10


def counted(*views, link=None, by=None):
    """The prospect of looks at these views of a linked patient."""
    by, link = by or rules(), link or a_link()
    prospect = ChangeCount()
    for view in views:
        prospect.add(by.table, view, expected_plan(by, link, view, decide(by, link, view, NOW)))
    return prospect


def judged(prospect, linked=LINKED):
    return brake(prospect, linked, SHARE, DELETES)


def test_what_one_side_changed_counts_on_the_other():
    edited = seen(drchrono=a_snapshot(cell_phone=None, city="Springfield"))

    found = counted(edited, edited)

    assert found.records == 2
    assert found.fields == {(S, "cell_phone"): 2, (S, "city"): 2}
    assert found.blanks == {(S, "cell_phone"): 2}


def test_an_edit_in_salesforce_counts_though_drchrono_must_be_asked_first():
    found = counted(
        seen(drchrono=NothingNew.UNHEARD, salesforce=a_contact(last_name="Renamed", email="new@example.com"))
    )

    assert found.records == 1
    assert found.fields == {(D, "last_name"): 1, (D, "email"): 1}


def test_what_is_edited_where_nothing_may_be_counts_as_put_back():
    found = counted(seen(drchrono=NothingNew.UNHEARD, salesforce=a_contact(chart_id="EDITED")))

    assert found.fields == {(S, "chart_id"): 1}


def test_equal_sides_count_for_nothing():
    assert counted(seen()) == ChangeCount()


def test_a_contact_that_was_deleted_waits_for_a_person_and_is_no_small_matter():
    found = counted(seen(salesforce=Deleted()))

    assert (found.deletes, sum(found.holds.values()), found.records) == (1, 1, 0)


def test_a_contact_that_was_merged_is_no_deletion():
    assert counted(seen(salesforce=Deleted(master=a_contact()))).deletes == 0


@pytest.mark.parametrize(("count", "stops"), [(200, False), (201, True)])
def test_a_share_of_the_records_is_too_many(count, stops):
    assert bool(judged(ChangeCount(records=count))) is stops


@pytest.mark.parametrize(("count", "stops"), [(100, False), (101, True)])
def test_a_small_clinic_may_change_a_hundred(count, stops):
    assert bool(judged(ChangeCount(records=count), linked=150)) is stops


@pytest.mark.parametrize(("count", "stops"), [(100, False), (101, True)])
def test_a_field_is_not_emptied_in_bulk(count, stops):
    found = ChangeCount(records=count)
    found.blanks[S, "cell_phone"] = count

    assert ("cell_phone" in judged(found, linked=100_000)) is stops


@pytest.mark.parametrize(("count", "stops"), [(10, False), (11, True)])
def test_no_more_than_a_handful_is_deleted(count, stops):
    assert bool(judged(ChangeCount(deletes=count), linked=100_000)) is stops


def test_none_may_mean_none():
    assert brake(ChangeCount(deletes=1), 10, SHARE, 0)


def test_what_was_agreed_to_be_empty_is_not_emptied_again():
    link = a_link(agreed=a_patient(cell_phone=None))
    view = seen(drchrono=a_snapshot(cell_phone=None), salesforce=a_contact(cell_phone=None))

    assert counted(replace(view), link=link) == ChangeCount()
