"""A clinic with some life in it, on real processes: patients, visits, edits on both sides, failures, holds."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tests.browser.people import PEOPLE
from tests.harness.demo import work
from tests.harness.demo.people import DOZEN, name_of
from tests.harness.demo.people import PEOPLE as EVERYBODY
from tests.harness.demo.work import edit_both, enter_second_contact, enter_twins, leave_work, untold

VIEWER = "viewer-of-the-browser-tests"
MARIA = "maria-who-works-at-the-front-desk"


def settings(folder):
    """Give the settings of the demo's clinic, where a person decides about e-mails that both sides changed."""
    return {**work.settings(folder, {"maria": MARIA}), "VIEWER_TOKEN": VIEWER, "DRCHRONO_CALLS_PER_HOUR": "500"}


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


def set_up_as_the_demo_ends(here):
    """Have everybody registered, and what the demo leaves to try be there; gives the charts by name."""
    here.drchrono.put("/_control/settings", json={"calls_per_hour": 0})
    here.loads()
    named = {name_of(person): person for person in EVERYBODY}
    charts = {
        name: here.drchrono.post("/_control/patients", json=named[name]).json()["id"] for name in (*DOZEN, "Pia Plum")
    }
    here.wait_until(here.is_quiet, "the patients to be known", 60)
    edit_both(here, charts["Pia Plum"], {"address": "1 Desk Street"}, {"MailingStreet": "2 Crm Street"})
    leave_work(here, {name: charts[name] for name in DOZEN})
    return charts


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
