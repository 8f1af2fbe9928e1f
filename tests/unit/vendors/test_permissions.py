"""What a connected user can do for us takes scope and permission; what DrChrono does not speak of is not missing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vendors.drchrono.oauth import SCOPES
from app.vendors.drchrono.permissions import permissions_of, sees_whole_practice

PERMISSIONS = json.loads((Path(__file__).parents[2] / "samples" / "drchrono" / "user_current.json").read_text())[
    "permissions"
]
ALL = " ".join(SCOPES)
PATIENTS, APPOINTMENTS, PEOPLE = "see and write patients", "see and write appointments", "see doctors and offices"


def without(*scopes):
    return {"scope": " ".join(scope for scope in SCOPES if scope not in scopes)}


def missing(pair, permissions):
    """What is not there: its name -> the scopes and permissions that are missing."""
    found = permissions_of(pair, permissions)
    return {one.what: (*one.missing_scopes, *one.missing_permissions) for one in found if not one.is_there}


@pytest.mark.parametrize("permissions", [PERMISSIONS, {}], ids=["as a live user has them", "not spoken of"])
@pytest.mark.parametrize("pair", [{"scope": ALL}, {}, {"scope": None}, {"scope": 7}], ids=repr)
def test_a_user_with_everything_or_of_whom_nothing_is_said_misses_nothing(pair, permissions):
    assert missing(pair, permissions) == {}


@pytest.mark.parametrize(
    ("scope", "what"),
    [
        ("patients:read", PATIENTS),
        ("patients:write", PATIENTS),
        ("calendar:read", APPOINTMENTS),
        ("calendar:write", APPOINTMENTS),
        ("clinical:read", APPOINTMENTS),
        ("clinical:write", APPOINTMENTS),
        ("user:read", PEOPLE),
    ],
)
def test_a_missing_scope_is_named_where_it_is_needed_and_nowhere_else(scope, what):
    assert missing(without(scope), PERMISSIONS) == {what: (scope,)}


def test_every_scope_we_ask_for_is_needed_for_something():
    needed = {scope for one in permissions_of({"scope": ""}, {}) for scope in one.missing_scopes}

    assert needed == set(SCOPES)


def test_a_scope_that_is_part_of_another_is_not_taken_for_it():
    assert missing({"scope": ALL.replace("patients:read", "patients:read:all")}, {}) == {PATIENTS: ("patients:read",)}


def test_scopes_nobody_asked_for_do_no_harm():
    assert missing({"scope": f"settings:read  {ALL}\tbilling:read"}, {}) == {}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("create_and_update_patients", (PATIENTS, "create_and_update_patients")),
        ("manage_patients", (PATIENTS, "create_and_update_patients")),
        ("access_scheduling", (APPOINTMENTS, "access_scheduling")),
        ("scheduling", (APPOINTMENTS, "access_scheduling")),
        ("access_clinical_notes", (APPOINTMENTS, "access_clinical_notes")),
        ("clinical_notes", (APPOINTMENTS, "access_clinical_notes")),
    ],
)
@pytest.mark.parametrize(
    "spelled", [str, str.upper, lambda name: name.replace("_", "-"), lambda name: name.replace("_", " ").title()],
    ids=["as it is", "loud", "with hyphens", "as words"],
)  # fmt: skip
def test_a_denied_permission_is_named_however_it_is_spelled(name, told, spelled):
    assert missing({"scope": ALL}, {spelled(name): False}) == {told[0]: (told[1],)}


def test_a_permission_granted_under_one_of_its_names_is_granted():
    assert missing({}, {"manage-patients": True, "create_and_update_patients": False}) == {}


@pytest.mark.parametrize("name", ["access_billing", "manage_permissions", "settings", ""])
def test_a_permission_we_do_not_need_may_be_denied(name):
    assert missing({"scope": ALL}, {**PERMISSIONS, name: False}) == {}


def test_what_is_missing_of_both_is_named_together():
    found = missing(without("patients:write", "user:read"), {"create_and_update_patients": False})

    assert found == {PATIENTS: ("patients:write", "create_and_update_patients"), PEOPLE: ("user:read",)}


@pytest.mark.parametrize(
    ("permissions", "is_seen"),
    [
        ({"share_patients": True}, True),
        ({"share_patients": False}, False),
        ({"Share Patients": False}, False),
        ({"share-patients": False}, False),
        ({"access_scheduling": False}, True),
        ({}, True),
    ],
    ids=repr,
)
def test_without_sharing_only_the_patients_of_the_users_own_doctor_are_seen(permissions, is_seen):
    assert sees_whole_practice(permissions) is is_seen


def test_patients_that_are_not_shared_are_no_missing_ability():
    assert missing({"scope": ALL}, {**PERMISSIONS, "share_patients": False}) == {}


@given(
    scope=st.none() | st.text() | st.lists(st.text(), max_size=2) | st.integers(),
    permissions=st.dictionaries(st.text(), st.booleans()),
)
def test_whatever_is_said_all_abilities_are_spoken_of_in_their_order(scope, permissions):
    assert [one.what for one in permissions_of({"scope": scope}, permissions)] == [PATIENTS, APPOINTMENTS, PEOPLE]
