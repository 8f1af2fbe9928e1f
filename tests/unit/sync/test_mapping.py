"""The mapping: the shipped file says what the design says, and keeps nothing it does not name."""

from hypothesis import given
from hypothesis import strategies as st

from app.sync.mappings import file
from app.sync.mappings.table import Direction, OnConflict
from app.sync.model import Kind, Side
from tests.build import a_chart, a_patient

TABLE = file.load()[Kind.PATIENT]
BOTH_WAYS = {
    "first_name": ("FirstName", Side.DRCHRONO),
    "last_name": ("LastName", Side.DRCHRONO),
    "date_of_birth": ("Birthdate", Side.DRCHRONO),
    "gender": ("DrChrono_Gender__c", Side.DRCHRONO),
    "email": ("Email", Side.SALESFORCE),
    "cell_phone": ("MobilePhone", Side.SALESFORCE),
    "home_phone": ("HomePhone", Side.SALESFORCE),
    "address": ("MailingStreet", Side.SALESFORCE),
    "city": ("MailingCity", Side.SALESFORCE),
    "state": ("MailingState", Side.SALESFORCE),
    "zip_code": ("MailingPostalCode", Side.SALESFORCE),
    "doctor": ("DrChrono_Doctor__r", Side.DRCHRONO),
}
TO_SALESFORCE = {"chart_id": "DrChrono_Chart_Id__c", "patient_status": "DrChrono_Status__c"}


def test_the_shipped_two_way_rows_are_those_of_the_design():
    rows = {
        row.names[Side.DRCHRONO]: (row.names[Side.SALESFORCE], row.owner)
        for row in TABLE.rows.values()
        if row.direction is Direction.BOTH
    }

    assert rows == BOTH_WAYS


def test_the_shipped_one_way_rows_are_those_of_the_design():
    rows = {
        row.names[Side.DRCHRONO]: row.names[Side.SALESFORCE]
        for row in TABLE.rows.values()
        if row.direction is Direction.TO_SALESFORCE
    }

    assert rows == TO_SALESFORCE


def test_shipped_conflicts_follow_the_owner():
    assert {row.on_conflict for row in TABLE.rows.values()} == {OnConflict.OWNER}


def test_name_birth_date_and_gender_are_the_shipped_identity():
    identity = {row.name for row in TABLE.rows.values() if row.is_identity}

    assert identity == {"first_name", "last_name", "date_of_birth", "gender"}


def test_the_shipped_patient_is_a_contact_known_by_its_external_id():
    assert (TABLE.path, TABLE.object, TABLE.external_id) == ("/api/patients", "Contact", "DrChrono_Patient_Id__c")


def test_the_shipped_file_fills_no_constant():
    assert TABLE.constants == {}


def test_a_chart_is_read_into_the_fields_of_the_table():
    snapshot = TABLE.read(Side.DRCHRONO, "1", a_chart(), version="v", confirmed=True)

    assert snapshot.fields == a_patient()


def test_what_a_side_did_not_send_is_not_taken_for_empty():
    snapshot = TABLE.read(Side.SALESFORCE, "003", {"Email": None}, version="", confirmed=True)

    assert snapshot.fields == {"email": None}


def test_a_value_without_a_counterpart_is_named_and_does_not_stop_the_others():
    raw = a_chart(gender="Unheard", date_of_birth="soon")

    snapshot = TABLE.read(Side.DRCHRONO, "1", raw, version="", confirmed=True)

    assert snapshot.unreadable == {"gender": "unknown_value", "date_of_birth": "not_a_date"}
    assert snapshot.fields.keys() == a_patient().keys() - snapshot.unreadable.keys()


def test_a_value_that_cannot_travel_is_named_and_does_not_stop_the_others():
    raw, refused = TABLE.write(Side.SALESFORCE, {"first_name": "x" * 41, "city": "Testville"})

    assert refused == {"first_name": "too_long"}
    assert raw == {"MailingCity": "Testville"}


@given(raw=st.dictionaries(st.text(), st.text()), beside=st.lists(st.sampled_from(["id", "updated_at"]), unique=True))
def test_nothing_outside_the_mapping_is_kept(raw, beside):
    named = {row.names[Side.DRCHRONO] for row in TABLE.rows.values()} | set(beside)

    kept = TABLE.keep({**raw, **a_chart()}, *beside)

    assert kept.keys() == named & a_chart().keys()


def test_what_is_kept_is_kept_as_it_came():
    assert TABLE.keep(a_chart(cell_phone=" (555) 010-0142 "))["cell_phone"] == " (555) 010-0142 "
