"""What is seen: both sides in one normal form, calls that landed, faults that struck, patients' data found."""

import pytest

from app.sync.mappings import file
from app.sync.model import Kind, Side
from tests.harness.verify.faults import Fault, counted, struck
from tests.harness.verify.normal import World, one_way, owners
from tests.harness.verify.search import places
from tests.unit.verify.build import call

MAPPINGS = file.load()
DOCTOR = {"id": 310001, "timezone": "US/Eastern", "first_name": "F", "last_name": "P"}
PATIENT = {
    "id": 7,
    "first_name": "Ada",
    "cell_phone": "(555) 010-0142",
    "date_of_birth": "1931-01-18",
    "doctor": 310001,
}
VISIT = {"id": "9", "patient": 7, "doctor": 310001, "scheduled_time": "2027-01-05T10:00:00", "duration": 15}
HELD = {
    Kind.DOCTOR: {"a02": {"Id": "a02", "DrChrono_Id__c": "310001", "Time_Zone__c": "US/Eastern"}},
    Kind.PATIENT: {
        "003": {
            "Id": "003", "DrChrono_Patient_Id__c": "7", "Sync_To_DrChrono__c": False, "FirstName": "Ada",
            "MobilePhone": "555-010-0142", "Birthdate": "1931-01-18", "DrChrono_Doctor__c": "a02",
        },
        "003x": {"Id": "003x", "DrChrono_Patient_Id__c": None, "Sync_To_DrChrono__c": False, "FirstName": "Eve"},
    },
    Kind.APPOINTMENT: {
        "a01": {
            "Id": "a01", "DrChrono_Id__c": "9", "Patient__c": "003", "Doctor__c": "a02", "Duration_Minutes__c": 15.0,
            "Start__c": "2027-01-05T15:00:00.000+0000", "Local_Start__c": None, "Time_Zone__c": "US/Eastern",
        }
    },
    Kind.OFFICE: {},
}  # fmt: skip


@pytest.fixture
def world():
    drchrono = {
        Kind.DOCTOR: {"310001": DOCTOR}, Kind.OFFICE: {}, Kind.PATIENT: {"7": PATIENT}, Kind.APPOINTMENT: {"9": VISIT},
    }  # fmt: skip
    return World(MAPPINGS, drchrono, HELD)


def test_what_means_the_same_on_both_sides_is_equal(world):
    held = {(one.side, one.kind, one.key): one for one in world.records()}
    names = {Kind.PATIENT: ("first_name", "cell_phone", "doctor"), Kind.APPOINTMENT: ("patient", "scheduled_time")}

    for kind, key in ((Kind.PATIENT, "7"), (Kind.APPOINTMENT, "9")):
        left, right = (held[side, kind, key] for side in Side)
        assert left.who == right.who != ""
        assert [left.fields[name] for name in names[kind]] == [right.fields[name] for name in names[kind]]


def test_a_contact_that_nobody_ticked_is_not_wanted(world):
    assert [one.id for one in world.records() if not one.is_wanted] == ["003x"]


def test_owners_tell_who_wins_and_leave_out_what_is_read_from_what_comes_back():
    known = owners(MAPPINGS)

    assert known[Kind.PATIENT]["city"] is Side.SALESFORCE
    assert known[Kind.PATIENT]["chart_id"] is None
    assert "local_start" not in known[Kind.APPOINTMENT]
    assert one_way(MAPPINGS[Kind.APPOINTMENT]) == {"Local_Start__c", "Time_Zone__c", "Deleted__c"}


@pytest.mark.parametrize(
    ("one", "has_landed"),
    [
        (call(status=204), True),
        (call(status=429), False),
        (call(status=None, fault="drop_before"), False),
        (call(status=None, fault="drop_after_commit", unheard=204), True),
        (call(status=None, fault="timeout_after_commit", unheard=401), False),
        (call(status=204, fault="slow"), True),
    ],
)
def test_a_call_has_landed_when_the_vendor_did_it_heard_of_or_not(one, has_landed):
    assert one.has_landed is has_landed


def test_faults_are_counted_where_they_struck_and_for_the_promises_they_test():
    counts = struck([call(), call(status=429, fault="error"), call(status=503, fault="error"), call(fault="slow")])

    assert counts == {Fault.TOO_MANY: 1, Fault.REFUSED: 1, Fault.SLOW: 1}
    assert counted(counts | {Fault.LOST: 5}, 10) == 5


def test_patients_data_is_found_wherever_it_lies(tmp_path):
    (tmp_path / "serve.log").write_text("Qazerty said hello\nborn 1931-01-18, (201) 555-0007")
    (tmp_path / "chronobridge.db").write_bytes(b"\x00gAAAA\xffqazerty3@example.com\x00")

    said = {
        "/metrics": "chronobridge_due_records 3",
        "the addresses we called": "/api/patients?date_of_birth=1931-01-18",
    }
    found = places(tmp_path, said, "Qazerty")

    assert found == {
        "/metrics": 0, "the addresses we called": 0, "serve.log": 3, "the database's files": 1, "Valkey's files": 0,
    }  # fmt: skip
