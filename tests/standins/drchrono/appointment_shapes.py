"""The appointments of the practices the stand-in plays: an empty one, and what verbose adds.

Keys and their order are those of a live answer; every value is synthetic.
"""

from typing import Any

FIRST_APPOINTMENT_ID = 340000501

BLANK_APPOINTMENT: dict[str, Any] = {
    "id": None,
    "doctor": None,
    "office": None,
    "exam_room": 0,
    "patient": None,
    "scheduled_time": "",
    "duration": 0,
    "status": "",
    "custom_status": "",
    "reason": "",
    "notes": "",
    "color": "#4f81bd",
    "profile": None,
    "appt_is_break": False,
    "is_walk_in": False,
    "allow_overlapping": False,
    "is_telehealth": False,
    "is_virtual_base": False,
    "cloned_from": None,
    "recurring_appointment": False,
    "base_recurring_appointment": None,
    "recurrence_instance_key": None,
    "recur_start_date": None,
    "recur_end_date": None,
    "recurring_days": [],
    "recurs_every": None,
    "billing_status": "",
    "billing_provider": None,
    "billing_notes": [],
    "supervising_provider": None,
    "payment_profile": "",
    "icd9_codes": [],
    "icd10_codes": [],
    "ins1_status": "",
    "ins2_status": "",
    "primary_insurer_name": "",
    "primary_insurer_payer_id": "",
    "primary_insurance_id_number": "",
    "secondary_insurer_name": "",
    "secondary_insurer_payer_id": "",
    "secondary_insurance_id_number": "",
    "first_billed_date": None,
    "last_billed_date": None,
    "first_edi_date": None,
    "last_edi_date": None,
    "resubmit_claim_original_id": None,
    "created_by": "",
    "deleted_flag": False,
    "created_at": "",
    "updated_at": "",
}

# What `verbose=true` adds. Absent means "not asked", so these never travel in a plain answer.
VERBOSE_APPOINTMENT: dict[str, Any] = {
    "extended_updated_at": "",
    "reminders": [],
    "custom_fields": [],
    "custom_vitals": [],
    "vitals": {},
    "clinical_note": None,
    "status_transitions": [],
}

# The one kind of visit the practices have set up: what it says of a new appointment that does not say it itself.
PROFILES: dict[int, dict[str, Any]] = {
    810001: {"color": "#4f81bd", "duration": 30, "reason": "Synthetic check-up"},
}
