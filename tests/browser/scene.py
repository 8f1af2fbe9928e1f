"""A clinic with some life in it, on real processes: patients, visits, edits on both sides, failures, holds."""

from contextlib import contextmanager
from datetime import datetime
from importlib import resources
from zoneinfo import ZoneInfo

from tests.browser.people import PEOPLE

VIEWER = "viewer-of-the-browser-tests"
_OWNED, _HELD = (
    'owner = "salesforce", max_length = 80 }',
    'owner = "salesforce", max_length = 80, on_conflict = "hold" }',
)


def settings(folder):
    """Give the settings of a clinic where a person decides about e-mails that both sides changed."""
    shipped = (resources.files("app.sync") / "mappings" / "default.toml").read_text()
    lines = [line.replace(_OWNED, _HELD) if line.startswith("fields.email") else line for line in shipped.splitlines()]
    (folder / "mapping.toml").write_text("\n".join(lines))
    return {
        "VIEWER_TOKEN": VIEWER,
        "DRCHRONO_CALLS_PER_HOUR": "500",
        "MAPPING_FILE": str(folder / "mapping.toml"),
    }


def set_up(here):
    """Have everything happen, and wait until it has settled; gives the ids of the patients."""
    here.drchrono.put("/_control/settings", json={"calls_per_hour": 0})
    here.loads()
    ids = [here.drchrono.post("/_control/patients", json=one).json()["id"] for one in PEOPLE]
    here.wait_until(here.is_quiet, "the patients to be known", 60)
    _visits(here, ids)
    _contacts_edited(here)
    refuse(here, ids[6:9], "FIELD_CUSTOM_VALIDATION_EXCEPTION", "cell_phone", "MobilePhone", "(555) 010-0000")
    with untold(here):
        enter_twins(here, "Twin")
    enter_second_contact(here, ids[14], MobilePhone="(555) 010-0999")
    here.wait_until(here.is_quiet, "the edits to arrive", 60)
    edit_both(here, ids[10], {"email": "desk@example.com"}, {"Email": "crm@example.com"})  # which is held
    edit_both(here, ids[11], {"city": "Deskville"}, {"MailingCity": "Crmville"})
    return ids


def _visits(here, ids):
    """Today is a day like others, by the doctor's clock."""
    today = datetime.now(ZoneInfo("America/New_York")).date()
    for at, patient_id in enumerate(ids[:6]):
        booked = {"patient": patient_id, "scheduled_time": f"{today}T{9 + at:02}:30:00", "duration": 30}
        here.drchrono.post("/_control/appointments", json=booked | {"reason": "Check-up"}).raise_for_status()


def _contacts_edited(here):
    for at, contact in enumerate(here.contacts()[:5]):
        here.edits_record("Contact", contact["Id"], Email=f"corrected{at}@example.com")


def refuse(here, ids, code, theirs, field, value):
    """Have Salesforce refuse a field of some patients until somebody mends that there; and have each edited."""
    for patient_id in ids:
        rule = {
            "object": "Contact", "statusCode": code, "fields": [field], "external_id": str(patient_id), "next": 1000,
        }  # fmt: skip
        here.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
        here.drchrono.patch(f"/_control/patients/{patient_id}", json={theirs: value})


def enter_twins(here, name):
    """Two Contacts of one name and birth date, and a chart: which of them is the patient is for a person to say."""
    for _ in range(2):
        here.enters_record("Contact", FirstName=name, LastName="Example", Birthdate="1988-08-08")
    here.drchrono.post(
        "/_control/patients",
        json={"first_name": name, "last_name": "Example", "date_of_birth": "1988-08-08", "gender": "Female"},
    )


def enter_second_contact(here, patient_id, **fields):
    """A person enters a patient who has their Contact once more, and wants that one in DrChrono: it is held."""
    first = next(one for one in here.contacts() if one["DrChrono_Patient_Id__c"] == str(patient_id))
    again = {name: first[name] for name in ("FirstName", "LastName", "Birthdate", "DrChrono_Gender__c")}
    return here.enters_record("Contact", **again, Sync_To_DrChrono__c=True, **fields)


def edit_both(here, patient_id, theirs, ours):
    """Both sides change a patient before either has heard of the other."""
    with untold(here):
        contact = next(one for one in here.contacts() if one["DrChrono_Patient_Id__c"] == str(patient_id))
        here.drchrono.patch(f"/_control/patients/{patient_id}", json=theirs)
        here.edits_record("Contact", contact["Id"], **ours)
    here.wait_until(here.is_quiet, "both edits to arrive", 60)


@contextmanager
def untold(here):
    """Have neither vendor tell of what changes meanwhile; afterwards both do."""
    here.drchrono.put("/_control/delivery-policy", json={"hold": True})
    here.salesforce.put("/_control/outbound", json={"hold": True}).raise_for_status()
    yield
    here.drchrono.post("/_control/deliveries/release")
    here.drchrono.put("/_control/delivery-policy", json={"hold": False})
    here.salesforce.put("/_control/outbound", json={"hold": False}).raise_for_status()
