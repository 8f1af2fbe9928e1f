"""DrChrono's users and pages: ids and claims in whatever type, and never a crash over an answer."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vendors.drchrono.wire import NotReadable, User, page, readable, record_id, user

SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"
CURRENT = json.loads((SAMPLES / "user_current.json").read_text())
PAGE = json.loads((SAMPLES / "patients_list_page.json").read_text())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = st.sampled_from(["id", "username", "practice_group", "doctor", "permissions"])


def changed(**fields):
    return user({**CURRENT, **fields})


def test_a_live_users_answer_says_who_consented():
    found = user(CURRENT)

    assert (found.id, found.username, found.practice) == ("610001", "fixture.provider", "510001")
    assert found.doctor_id == "310001"
    assert (found.permissions["share_patients"], found.permissions["access_billing"]) == (True, False)


@pytest.mark.parametrize("as_told", [int, str, lambda number: f" {number} "], ids=["number", "text", "with blanks"])
def test_ids_are_the_same_told_as_numbers_or_as_text(as_told):
    found = changed(id=as_told(610001), practice_group=as_told(510001), doctor=as_told(310001))

    assert (found.id, found.practice, found.doctor_id) == ("610001", "510001", "310001")


@pytest.mark.parametrize(
    ("told", "is_suspended"),
    [
        ({}, False),
        ({"is_active": True}, False),
        ({"is_active": "true", "is_suspended": "false"}, False),
        ({"is_active": False}, True),
        ({"is_active": None}, True),
        ({"is_account_suspended": True}, True),
        ({"is_suspended": "True"}, True),
    ],
    ids=str,
)
def test_a_user_is_suspended_where_the_record_says_so_in_any_way(told, is_suspended):
    assert changed(**told).is_suspended is is_suspended


@pytest.mark.parametrize("told", [(True, False), ("true", "false"), ("True", None)], ids=str)
def test_a_doctor_is_told_from_staff_by_claims_of_any_type(told):
    found = changed(is_doctor=told[0], is_staff=told[1])

    assert (found.is_doctor, found.is_staff) == (True, False)


@pytest.mark.parametrize("practice", [None, "", " ", True, 7.5, [], {}], ids=repr)
def test_a_user_of_no_practice_is_not_read(practice):
    with pytest.raises(NotReadable):
        changed(practice_group=practice)


@pytest.mark.parametrize("record", [None, [], "user", 7, {}, {"id": "1"}, {"practice_group": 1}], ids=repr)
def test_what_is_no_user_is_not_read(record):
    with pytest.raises(NotReadable):
        user(record)


@pytest.mark.parametrize("doctor", [None, "", " ", True, [], {"id": 7}], ids=repr)
def test_a_user_may_belong_to_no_doctor(doctor):
    assert changed(doctor=doctor).doctor_id is None


@pytest.mark.parametrize(
    ("told", "is_so"),
    [
        (True, True), ("true", True), ("True", True), (" TRUE ", True),
        (False, False), ("false", False), ("", False), (None, False), (1, False), ("1", False), ([True], False),
    ],
    ids=repr,
)  # fmt: skip
def test_a_claim_is_true_only_when_it_says_so(told, is_so):
    found = changed(permissions={"share_patients": told})

    assert found.permissions["share_patients"] is is_so


@pytest.mark.parametrize("permissions", [None, [], "all", 7], ids=repr)
def test_permissions_that_are_not_told_are_none(permissions):
    assert changed(permissions=permissions).permissions == {}


@pytest.mark.parametrize(
    ("told", "name"), [(None, ""), ("", ""), ("a" * 500, "a" * 150)], ids=["null", "empty", "long"]
)
def test_a_username_is_there_to_be_shown_and_cut(told, name):
    assert changed(username=told).username == name


@given(record=JSON | st.dictionaries(NAMES | st.text(), JSON))
def test_whatever_comes_is_a_user_or_not_readable(record):
    try:
        found = user(record)
    except NotReadable:
        return

    assert isinstance(found, User)
    assert found.id
    assert found.practice


def test_a_live_page_gives_its_records_and_where_the_next_one_is():
    body = PAGE.get("body", PAGE)

    records, onward = page(body)

    assert records == body["results"]
    assert onward == body["next"]


@pytest.mark.parametrize("name", ["results", "data"])
def test_records_are_found_under_either_name(name):
    assert page({name: [{"id": 1}]}) == ([{"id": 1}], None)


@pytest.mark.parametrize("onward", [None, "", 7, False, [], {}], ids=repr)
def test_a_page_without_an_address_is_the_last_one(onward):
    assert page({"results": [], "next": onward}) == ([], None)


@pytest.mark.parametrize(
    "document", [None, [], "page", {}, {"results": None}, {"results": {}}, {"detail": "no"}], ids=repr
)
def test_what_is_no_page_is_not_read(document):
    with pytest.raises(NotReadable):
        page(document)


@given(document=JSON | st.dictionaries(st.sampled_from(["results", "data", "next"]), JSON))
def test_whatever_comes_is_a_page_or_not_readable(document):
    try:
        records, onward = page(document)
    except NotReadable:
        return

    assert all(isinstance(record, dict) and record_id(record) for record in readable(records))
    assert onward is None or onward


def test_each_row_of_a_page_is_read_for_itself():
    odd = [None, 7, [], {}, {"id": True}, {"id": ""}, {"id": "x" * 65}, {"id": "1\x00"}, {"id": ".."}, {"id": [1]}]

    assert readable([odd[0], {"id": 1}, *odd[1:], {"id": "340000501"}]) == [{"id": 1}, {"id": "340000501"}]
