"""What a person at the front desk does to the calendar; what is left unsaid is filled in.

A person may book over somebody else; the API may not.
"""

from tests.standins.drchrono.appointment_fields import Known, checked
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.rules import MISSING
from tests.standins.drchrono.shapes import DOCTOR_ID
from tests.standins.drchrono.state import RefusedError, State

VISIT_MIN, BREAK_MIN = 30, 60


def known(state: State) -> Known:
    return Known(state.people.doctors, state.people.offices, state.patients.records.__contains__)


def who(state: State) -> str:
    return state.people.users[state.people.in_browser]["username"]


def _place(state: State, given: Record) -> Record:
    """Gives the doctor, office and room of what does not say them: the patient's doctor, a first office, its room."""
    patient = state.patients.records.get(given.get("patient"), {})
    doctor = given.get("doctor") or patient.get("doctor", DOCTOR_ID)
    doctors, offices = state.people.doctors, state.people.offices
    practice = doctors.get(doctor, doctors[DOCTOR_ID])["practice_group"]
    near = [office for office in offices.values() if doctors[office["doctor"]]["practice_group"] == practice]
    own = [office for office in near if office["doctor"] == doctor and not office["archived"]]
    office = given.get("office") or next((office["id"] for office in own or near), None)
    rooms = offices.get(office, {}).get("exam_rooms") or [{"index": 0}]
    return {"doctor": doctor, "office": office, "exam_room": rooms[0]["index"]}


def clean(state: State, given: Record, *, is_break: bool = False) -> Record:
    whole = {**_place(state, given), "duration": BREAK_MIN if is_break else VISIT_MIN, **given}
    fields, errors = checked(whole, known(state), partial=is_break)
    if "scheduled_time" not in whole:
        errors["scheduled_time"] = [MISSING]
    if errors:
        raise RefusedError(400, errors)
    return fields


def book(state: State, fields: Record, *, silent: bool) -> Record:
    record = state.appointments.add(fields, who(state))
    state.note_edit("create", record["id"], fields, thing="appointment")
    if not silent:
        state.announce("APPOINTMENT_CREATE", record)
    return record
