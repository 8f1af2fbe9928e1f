"""What the demo leaves for a newcomer to try: failures of two causes, decisions, doubles, and a day of appointments.

Each is there because somebody did something ordinary on one side, so it is mended there as it would be in a clinic.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.harness.cluster import Town

ZONE = "America/New_York"  # of the clinic and its doctor
VISITS = ("09:00", "09:45", "10:30", "11:15", "13:00", "13:45", "14:30", "15:15")
FAILED, HELD = 7, 3
DOCUMENTS_OF = "Ada Abel"
_RULE = {
    "object": "Contact",
    "field": "MobilePhone",
    "like": r"(\D*\d){10,}\D*",
    "message": "A mobile phone needs its area code.",
}
_MAPPING = """extends = "default"

[patient]
fields.email = { on_conflict = "hold" }

{documents}
"""


def settings(folder: Path, operators: Mapping[str, str]) -> dict[str, str]:
    """Give the settings of a clinic with these operators, each with a secret, who decide which e-mail is kept.

    Its staff sign in with DrChrono too, and documents are shared. The mapping is written into the folder.
    """
    mapping = folder / "mapping.toml"
    mapping.write_text(_MAPPING.replace("{documents}", _table_of_documents()))
    return {
        "MAPPING_FILE": str(mapping),
        "OPERATORS": ",".join(f"{name}:{secret}" for name, secret in operators.items()),
        "OFFICE_HOURS": f"Mon-Sun 08:00-21:00 {ZONE}",
        "DRCHRONO_SIGN_IN_CLIENT_ID": "standin-sign-in",
        "DRCHRONO_SIGN_IN_CLIENT_SECRET": "standin-sign-in-secret",
        "DRCHRONO_ROLES": "doctor=viewer,staff=operator",
    }


def _table_of_documents() -> str:
    """Give the shipped table of documents, uncommented as a clinic would do it."""
    shipped = resources.files("app.sync.mappings").joinpath("default.toml").read_text()
    lines = shipped[shipped.index("# [document]") :].splitlines()
    return "\n".join(line.removeprefix("#").strip() for line in lines)


@dataclass(frozen=True, slots=True)
class Try:
    """Something to try, and at which address."""

    text: str
    address: str


def to_try(console: str) -> list[Try]:
    """Give what there is to try in the console, which stands at this address."""
    return [
        Try("Find “Olsen, Omar”, born 6/15/1974, and see why he waits.", f"{console}/patients"),
        Try("Mend what failed (a phone needs its area code), and retry it.", f"{console}/attention?state=failed"),
        Try(
            "Decide: which e-mail to keep, which of two twins it is, whom to merge.",
            f"{console}/attention?state=needs_review",
        ),
        Try("See a patient's documents, and why one did not travel: find “Abel, Ada”.", f"{console}/patients"),
        Try("Undo what a rule decided, and see who did what.", f"{console}/conflicts"),
        Try(
            "Sign out, and in again with DrChrono as fixture.staff (an operator) or fixture.provider (who only reads).",
            f"{console}/login",
        ),
    ]


def leave_work(here: Town, charts: Mapping[str, int]) -> None:
    """Leave it, among the dozen patients, given by name.

    Raises  RuntimeError when what then waits for a person is not what was to be left
    """
    before = here.queue()
    day = datetime.now(ZoneInfo(ZONE)).date()
    for begins, patient_id in zip(VISITS, charts.values(), strict=False):
        visit = {"patient": patient_id, "scheduled_time": f"{day}T{begins}:00", "duration": 30, "reason": "Check-up"}
        here.drchrono.post("/_control/appointments", json=visit).raise_for_status()
    here.salesforce.put("/_control/settings", json={"validation_rules": [_RULE]}).raise_for_status()
    for at, name in enumerate(("Omar Olsen", "Ben Brook", "Dana Drew", "Fay Frost")):
        here.drchrono.patch(f"/_control/patients/{charts[name]}", json={"cell_phone": f"010-014{at}"})
    for name in ("Gus Grove", "Hana Hale"):
        here.edits_record("Contact", contact_of(here, charts[name])["Id"], FirstName=None)
    with untold(here):
        enter_twins(here, "Tina")
    enter_second_contact(here, charts["Ivo Irving"], MobilePhone="(555) 010-0999")
    edit_both(here, charts["Kai Keats"], {"email": "kai@desk.example.com"}, {"Email": "kai@crm.example.com"})
    fax = {"description": "Fax", "date": str(day), "metatags": '["Share with CRM"]', "name": "fax.gif"}
    content = base64.b64encode(b"GIF89a of a fax").decode()
    filed = {**fax, "patient": charts[DOCUMENTS_OF], "file": content}
    here.drchrono.post("/_control/documents", json=filed).raise_for_status()
    here.web.post(f"/api/v1/records/drchrono/patient/{charts[DOCUMENTS_OF]}/recheck").raise_for_status()
    here.wait_until(lambda: here.queue()["failed"] == before["failed"] + FAILED, "the fax to be refused", 60)
    waits = here.queue()
    found = waits["failed"] - before["failed"], waits["held"] - before["held"]
    if found != (FAILED, HELD):
        raise RuntimeError(f"{found[0]} failures and {found[1]} decisions wait for a person, not {FAILED} and {HELD}")


def contact_of(here: Town, patient_id: int) -> dict[str, Any]:
    """Give the Contact of a chart."""
    return next(one for one in here.records("Contact") if one["DrChrono_Patient_Id__c"] == str(patient_id))


def enter_twins(here: Town, name: str) -> None:
    """Enter two Contacts of one name and birth date, and a chart: a person has to say which of them the patient is."""
    for _ in range(2):
        here.enters_record("Contact", FirstName=name, LastName="Example", Birthdate="1988-08-08")
    here.drchrono.post(
        "/_control/patients",
        json={"first_name": name, "last_name": "Example", "date_of_birth": "1988-08-08", "gender": "Female"},
    )


def enter_second_contact(here: Town, patient_id: int, **fields: Any) -> str:
    """Enter somebody who has a Contact once more, and want that one in DrChrono: it is held; gives its Id."""
    first = contact_of(here, patient_id)
    again = {name: first[name] for name in ("FirstName", "LastName", "Birthdate", "DrChrono_Gender__c")}
    return here.enters_record("Contact", **again, Sync_To_DrChrono__c=True, **fields)


def edit_both(here: Town, patient_id: int, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Change a patient on both sides before either has heard of the other, and wait until both edits have arrived."""
    with untold(here):
        here.drchrono.patch(f"/_control/patients/{patient_id}", json=theirs)
        here.edits_record("Contact", contact_of(here, patient_id)["Id"], **ours)
    here.wait_until(here.is_quiet, "both edits to arrive", 60)


@contextmanager
def untold(here: Town) -> Iterator[None]:
    """Have neither vendor tell of what changes meanwhile; afterwards both do."""
    here.drchrono.put("/_control/delivery-policy", json={"hold": True})
    here.salesforce.put("/_control/outbound", json={"hold": True}).raise_for_status()
    yield
    here.drchrono.post("/_control/deliveries/release")
    here.drchrono.put("/_control/delivery-policy", json={"hold": False})
    here.salesforce.put("/_control/outbound", json={"hold": False}).raise_for_status()
