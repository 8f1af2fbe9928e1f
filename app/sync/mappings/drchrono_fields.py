"""DrChrono's fields as it documents them: which its lists show, of what type, with which values, and who writes them.

It documents no length of a text. A field that is not here may be there all the same: a practice's API may show more.

Source  DrChrono API reference and OpenAPI document (2026): what its lists show of a record without `verbose`, `enum`,
        `readOnly`, and what a new record needs
"""

from collections.abc import Mapping

from app.sync.model import Kind

# what of a record can be read in a list; what only `verbose` shows is not there to be asked for
_PATIENT = """
    address cell_phone chart_id city copay created_at date_of_birth date_of_death date_of_first_appointment
    date_of_last_appointment default_pharmacy disable_sms_messages doctor email emergency_contact_name
    emergency_contact_phone emergency_contact_relation employer employer_address employer_city employer_state
    employer_zip_code ethnicity first_name gender gender_identity_code gender_identity_description home_phone id
    last_name medication_history_consent middle_name nick_name office_phone offices patient_payment_profile
    patient_status preferred_language preferred_language_code preferred_language_description preferred_pharmacies
    primary_care_physician pronouns race referring_source responsible_party_email responsible_party_name
    responsible_party_phone responsible_party_relation state zip_code
"""
_APPOINTMENT = """
    allow_overlapping appt_is_break base_recurring_appointment billing_provider billing_status cloned_from color
    created_at created_by custom_status deleted_flag doctor duration exam_room first_billed_date first_edi_date
    icd10_codes icd9_codes id ins1_status ins2_status is_virtual_base is_walk_in last_billed_date last_edi_date notes
    office patient payment_profile primary_insurance_id_number primary_insurer_name primary_insurer_payer_id profile
    reason recurring_appointment recurring_days reminder_profile scheduled_time secondary_insurance_id_number
    secondary_insurer_name secondary_insurer_payer_id status supervising_provider
"""
_DOCTOR = """
    cell_phone country email first_name group_npi_number home_phone id is_account_suspended job_title last_name
    npi_number office_phone practice_group practice_group_name specialty suffix timezone website
"""
_OFFICE = """
    address archived city country doctor fax_number id name online_scheduling phone_number state
    tax_id_number_professional zip_code
"""
_DOCUMENT = "archived date description doctor id metatags patient"
LISTED: Mapping[Kind, frozenset[str]] = {
    Kind.PATIENT: frozenset(_PATIENT.split()),
    Kind.APPOINTMENT: frozenset(_APPOINTMENT.split()),
    Kind.DOCTOR: frozenset(_DOCTOR.split()),
    Kind.OFFICE: frozenset(_OFFICE.split()),
    Kind.DOCUMENT: frozenset(_DOCUMENT.split()),
}
# of these, what is no text: who names another value means another field, and would leave everybody out
_FLAGS = """
    allow_overlapping appt_is_break archived deleted_flag disable_sms_messages is_account_suspended is_virtual_base
    is_walk_in online_scheduling recurring_appointment
"""
_NUMBERS = "cloned_from doctor duration exam_room office offices patient profile"
FLAGS, NUMBERS = frozenset(_FLAGS.split()), frozenset(_NUMBERS.split())
CHOICES: Mapping[tuple[Kind, str], tuple[str, ...]] = {
    (Kind.PATIENT, "patient_status"): ("A", "I", "D"),
    (Kind.PATIENT, "gender"): ("Male", "Female", "Other", "UNK", "ASKU"),
    (Kind.PATIENT, "preferred_language"): (
        *("blank", "eng", "zho", "fra", "ita", "jpn", "por", "rus", "spa", "other", "unknown", "declined"),
    ),
    (Kind.PATIENT, "race"): ("blank", "indian", "asian", "black", "hawaiian", "white", "other", "declined"),
    (Kind.PATIENT, "ethnicity"): ("blank", "hispanic", "not_hispanic", "declined"),
}

_DATES = """
    date date_of_birth date_of_death date_of_first_appointment date_of_last_appointment first_billed_date first_edi_date
    last_billed_date last_edi_date
"""
TIMES = frozenset({"scheduled_time", "created_at", "updated_at"})
_LISTS = """
    custom_demographics custom_fields custom_vitals icd10_codes icd9_codes offices patient_flags patient_flags_attached
    preferred_pharmacies race_subcategories recurring_days reminders status_transitions
"""
DATES, LISTS = frozenset(_DATES.split()), frozenset(_LISTS.split())
LISTS_AS_TEXT = frozenset({"metatags"})  # a JSON array, given and taken as text
# what DrChrono writes itself, and refuses or passes over when it is sent
_OF_EVERY_KIND = frozenset({"id", "created_at", "updated_at"})
_READ_ONLY: Mapping[Kind, str] = {
    Kind.PATIENT: """
        gender_identity_code gender_identity_description preferred_language_code preferred_language_description
    """,
    Kind.APPOINTMENT: """
        base_recurring_appointment created_by deleted_flag first_billed_date first_edi_date ins1_status ins2_status
        is_virtual_base last_billed_date last_edi_date primary_insurance_id_number primary_insurer_name
        primary_insurer_payer_id secondary_insurance_id_number secondary_insurer_name secondary_insurer_payer_id
    """,
    Kind.DOCUMENT: "archived",
}
READ_ONLY: Mapping[Kind, frozenset[str]] = {
    kind: _OF_EVERY_KIND | frozenset(_READ_ONLY.get(kind, "").split()) for kind in Kind
}
NEEDED: Mapping[Kind, tuple[str, ...]] = {  # of a new record
    Kind.PATIENT: ("gender", "doctor"),
    Kind.APPOINTMENT: ("patient", "doctor", "office", "exam_room", "scheduled_time", "duration"),
    Kind.DOCUMENT: ("patient", "description", "date"),
}
