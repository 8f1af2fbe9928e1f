"""Who works at the practices the stand-in plays, and where: users, their doctors, the offices.

Two practices. Most tests know only the first, of a doctor and an assistant; the second is there to be kept out.
Keys and their order are those of a live answer; every value is synthetic.
"""

from copy import deepcopy
from typing import Any

from tests.standins.drchrono.shapes import DOCTOR_ID

USER_ID = "610001"
PRACTICE_GROUP, OTHER_GROUP = 510001, 510901
OTHER_DOCTOR_ID = 310901

Record = dict[str, Any]


def _doctor(doctor_id: int, last_name: str, practice_group: int, practice: str) -> Record:
    return {
        "id": doctor_id,
        "first_name": "Fixture",
        "last_name": last_name,
        "suffix": "MD",
        "job_title": "Provider/Staff (Private Practice)",
        "specialty": "Family Practitioner",
        "email": f"fixture.{last_name.lower()}@example.com",
        "office_phone": "(555) 010-0100",
        "cell_phone": "(555) 010-0101",
        "home_phone": "",
        "country": "US",
        "website": "https://practice.example.com",
        "npi_number": "0000000000",
        "group_npi_number": "",
        "practice_group": practice_group,
        "practice_group_name": practice,
        "profile_picture": None,
        "timezone": "US/Eastern",
        "is_account_suspended": False,
    }


def _office(office_id: int, name: str, doctor_id: int) -> Record:
    return {
        "id": office_id,
        "name": name,
        "doctor": doctor_id,
        "address": "1 Fixture Way",
        "city": "Testville",
        "state": "NY",
        "zip_code": "12345",
        "country": "US",
        "phone_number": "(555) 010-0110",
        "fax_number": "(555) 010-0111",
        "tax_id_number_professional": "",
        "start_time": "08:00:00",
        "end_time": "18:00:00",
        "online_scheduling": False,
        "online_timeslots": [],
        "exam_rooms": [
            {"index": 1, "name": "Exam 1", "online_scheduling": False},
            {"index": 2, "name": "Exam 2", "online_scheduling": False},
        ],
        "archived": False,
    }


def _user(user_id: str, username: str, doctor: Record, *, is_doctor: bool) -> Record:
    return {
        "id": user_id,
        "username": username,
        "is_doctor": is_doctor,
        "is_staff": not is_doctor,
        "doctor": doctor["id"],
        "practice_group": doctor["practice_group"],
        "permissions": {
            "share_patients": True,
            "access_scheduling": True,
            "create_and_update_patients": True,
            "access_clinical_notes": is_doctor,
            "settings": is_doctor,
            "manage_permissions": False,
            "access_billing": False,
        },
    }


_PROVIDER = _doctor(DOCTOR_ID, "Provider", PRACTICE_GROUP, "Synthetic Family Practice")
_STRANGER = _doctor(OTHER_DOCTOR_ID, "Stranger", OTHER_GROUP, "Synthetic Other Practice")
_DOCTORS = (_PROVIDER, _STRANGER)
_OFFICES = (
    _office(410001, "Synthetic Main Office", DOCTOR_ID),
    _office(410901, "Synthetic Other Office", OTHER_DOCTOR_ID),
)
_USERS = (
    _user("610001", "fixture.provider", _PROVIDER, is_doctor=True),
    _user("610002", "fixture.staff", _PROVIDER, is_doctor=False),
    _user("610901", "fixture.stranger", _STRANGER, is_doctor=True),
)


class People:
    """Everybody as they are now; `in_browser` is the id of the user who would press Allow."""

    def __init__(self) -> None:
        self.users = {user["id"]: deepcopy(user) for user in _USERS}
        self.doctors = {doctor["id"]: dict(doctor) for doctor in _DOCTORS}
        self.offices = {office["id"]: dict(office) for office in _OFFICES}
        self.in_browser = USER_ID

    def change_user(self, user_id: str, given: Record) -> Record:
        """Merges the fields, and the permissions one by one; raises ValueError for what no user has."""
        user = self.users[user_id]
        permissions = given.get("permissions", {})
        _refuse_unknown(given, user)
        _refuse_unknown(permissions, user["permissions"])
        user |= {**given, "id": user_id, "permissions": {**user["permissions"], **permissions}}
        return user

    def change_doctor(self, doctor_id: int, given: Record) -> Record:
        """Merges the fields; raises ValueError for what no doctor has."""
        _refuse_unknown(given, _PROVIDER)
        doctor = self.doctors[doctor_id]
        doctor |= {**given, "id": doctor_id}
        return doctor

    def add_doctor(self, given: Record) -> Record:
        """Hires a doctor, for the first practice unless told; raises ValueError for one who is here already."""
        _refuse_unknown(given, _PROVIDER)
        doctor_id = int(given.get("id") or max(self.doctors) + 1)
        if doctor_id in self.doctors:
            raise ValueError(f"doctor {doctor_id} is here already")
        self.doctors[doctor_id] = {**_PROVIDER, **given, "id": doctor_id}
        return self.doctors[doctor_id]


def _refuse_unknown(given: Record, known: Record) -> None:
    unknown = given.keys() - known.keys()
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
