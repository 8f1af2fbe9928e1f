"""A clinic with some life in it, on real processes: patients, edits on both sides, failures, holds, a paused lane."""

from tests.browser.people import PEOPLE

VIEWER = "viewer-of-the-browser-tests"
SETTINGS = {"VIEWER_TOKEN": VIEWER, "DRCHRONO_CALLS_PER_HOUR": "500"}


def set_up(here):
    """Have everything happen, and wait until it has settled; gives the ids of the patients."""
    here.drchrono.put("/_control/settings", json={"calls_per_hour": 0})
    ids = [here.drchrono.post("/_control/patients", json=one).json()["id"] for one in PEOPLE]
    here.wait_until(here.is_quiet, "the patients to be known", 60)
    _contacts_edited(here)
    _refused(here, ids)
    _held(here)
    here.wait_until(here.is_quiet, "the edits to arrive", 60)
    return ids


def _contacts_edited(here):
    for at, contact in enumerate(here.contacts()[:5]):
        here.edits_record("Contact", contact["Id"], Email=f"corrected{at}@example.com")


def _refused(here, ids):
    """Salesforce refuses some records until somebody mends them there."""
    for patient_id in ids[6:9]:
        rule = {
            "object": "Contact", "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["MobilePhone"],
            "external_id": str(patient_id), "next": 1000,
        }  # fmt: skip
        here.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
        here.drchrono.patch(f"/_control/patients/{patient_id}", json={"cell_phone": "(555) 010-0000"})


def _held(here):
    """Two Contacts of one name and birth date: which is the patient is for a person to say."""
    for _ in range(2):
        here.enters_record("Contact", FirstName="Twin", LastName="Example", Birthdate="1988-08-08")
    twin = {"first_name": "Twin", "last_name": "Example", "date_of_birth": "1988-08-08", "gender": "Female"}
    here.drchrono.post("/_control/patients", json=twin)
