"""What the people and places of the two practices look like: users, doctors, offices.

Keys and their order are those of a live answer; every value is synthetic.
"""

from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.shapes import DOCTOR_ID

USER_ID = "610001"
PRACTICE_GROUP, OTHER_GROUP = 510001, 510901
OTHER_DOCTOR_ID = 310901


def doctor(doctor_id: int, last_name: str, practice_group: int, practice: str) -> Record:
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


def office(office_id: int, name: str, doctor_id: int) -> Record:
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


def user(user_id: str, username: str, doctor: Record, *, is_doctor: bool) -> Record:
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


PROVIDER = doctor(DOCTOR_ID, "Provider", PRACTICE_GROUP, "Synthetic Family Practice")
STRANGER = doctor(OTHER_DOCTOR_ID, "Stranger", OTHER_GROUP, "Synthetic Other Practice")
DOCTORS = (PROVIDER, STRANGER)
OFFICES = (
    office(410001, "Synthetic Main Office", DOCTOR_ID),
    office(410901, "Synthetic Other Office", OTHER_DOCTOR_ID),
)
USERS = (
    user("610001", "fixture.provider", PROVIDER, is_doctor=True),
    user("610002", "fixture.staff", PROVIDER, is_doctor=False),
    user("610901", "fixture.stranger", STRANGER, is_doctor=True),
)
