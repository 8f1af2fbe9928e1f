"""The objects of the practice the stand-in plays: one doctor, one office, two users, and an empty patient.

Keys and their order are those of a live answer; every value is synthetic.
"""

from typing import Any

DOCTOR_ID = 310001
OFFICE_ID = 410001
USER_ID = "610001"
PRACTICE_GROUP = 510001
FIRST_PATIENT_ID = 220000101

BLANK_PATIENT: dict[str, Any] = {
    "id": None,
    "chart_id": "",
    "doctor": None,
    "first_name": "",
    "middle_name": "",
    "last_name": "",
    "nick_name": "",
    "pronouns": "",
    "gender": "",
    "gender_identity_code": "",
    "gender_identity_description": "",
    "date_of_birth": None,
    "date_of_death": None,
    "social_security_number": "",
    "patient_status": "A",
    "race": "blank",
    "race_subcategories": [],
    "ethnicity": "blank",
    "preferred_language": "blank",
    "preferred_language_code": "",
    "preferred_language_description": "",
    "email": "",
    "cell_phone": "",
    "home_phone": "",
    "office_phone": "",
    "disable_sms_messages": False,
    "address": "",
    "city": "",
    "state": "",
    "zip_code": "",
    "emergency_contact_name": "",
    "emergency_contact_phone": "",
    "emergency_contact_relation": "",
    "responsible_party_name": "",
    "responsible_party_relation": "",
    "responsible_party_phone": "",
    "responsible_party_email": "",
    "employer": "",
    "employer_address": "",
    "employer_city": "",
    "employer_state": "",
    "employer_zip_code": "",
    "primary_care_physician": "",
    "referring_source": "",
    "copay": "0.00",
    "patient_payment_profile": "",
    "default_pharmacy": "",
    "preferred_pharmacies": [],
    "patient_photo": None,
    "patient_photo_date": None,
    "medication_history_consent": "",
    "date_of_first_appointment": None,
    "date_of_last_appointment": None,
    "offices": [],
    "created_at": "",
    "updated_at": "",
}

# What `verbose=true` adds. Absent means "not asked", so these never travel in a plain answer.
VERBOSE_PATIENT: dict[str, Any] = {
    "custom_demographics": [],
    "patient_flags": [],
    "patient_flags_attached": [],
    "primary_insurance": {},
    "secondary_insurance": {},
    "tertiary_insurance": {},
    "auto_accident_insurance": {},
    "workers_comp_insurance": {},
    "referring_doctor": {},
}

# What the front desk leaves unsaid when it creates a patient by the control door.
WALK_IN: dict[str, Any] = {
    "doctor": DOCTOR_ID,
    "first_name": "Testa",
    "last_name": "Fixture",
    "gender": "Female",
    "date_of_birth": "1987-04-09",
    "race": "declined",
    "ethnicity": "declined",
    "preferred_language": "eng",
    "copay": "20.00",
    "patient_payment_profile": "Cash",
}

DOCTORS: dict[int, dict[str, Any]] = {
    DOCTOR_ID: {
        "id": DOCTOR_ID,
        "first_name": "Fixture",
        "last_name": "Provider",
        "suffix": "MD",
        "job_title": "Provider/Staff (Private Practice)",
        "specialty": "Family Practitioner",
        "email": "fixture.provider@example.com",
        "office_phone": "(555) 010-0100",
        "cell_phone": "(555) 010-0101",
        "home_phone": "",
        "country": "US",
        "website": "https://practice.example.com",
        "npi_number": "0000000000",
        "group_npi_number": "",
        "practice_group": PRACTICE_GROUP,
        "practice_group_name": "Synthetic Family Practice",
        "profile_picture": None,
        "timezone": "US/Eastern",
        "is_account_suspended": False,
    }
}

OFFICES: dict[int, dict[str, Any]] = {
    OFFICE_ID: {
        "id": OFFICE_ID,
        "name": "Synthetic Main Office",
        "doctor": DOCTOR_ID,
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
}


def _user(user_id: str, username: str, *, is_doctor: bool) -> dict[str, Any]:
    return {
        "id": user_id,
        "username": username,
        "is_doctor": is_doctor,
        "is_staff": not is_doctor,
        "doctor": DOCTOR_ID,
        "practice_group": PRACTICE_GROUP,
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


USERS: dict[int, dict[str, Any]] = {
    610001: _user("610001", "fixture.provider", is_doctor=True),
    610002: _user("610002", "fixture.staff", is_doctor=False),
}
