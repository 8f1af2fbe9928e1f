"""The patients of the practices the stand-in plays: an empty one, what verbose adds, and one who walks in.

Keys and their order are those of a live answer; every value is synthetic.
"""

from typing import Any

DOCTOR_ID = 310001
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
