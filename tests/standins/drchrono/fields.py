"""What DrChrono accepts in each field of a patient, and the complaint it makes otherwise.

One table, field to rule. Unknown and read-only fields are ignored, as the live API does.
"""

from collections.abc import Container
from typing import Any

from tests.standins.drchrono.rules import (
    Errors,
    FieldError,
    Rule,
    clean,
    day,
    flag,
    items,
    key,
    money,
    no_such,
    one_of,
    shaped,
    text,
)
from tests.standins.drchrono.shapes import BLANK_PATIENT

REQUIRED = ("gender", "doctor")
READ_ONLY = {
    "id",
    "created_at",
    "updated_at",
    "preferred_language_code",
    "preferred_language_description",
    "gender_identity_code",
    "gender_identity_description",
    "patient_photo",
    "offices",
}
GENDERS = ("", "Male", "Female", "Other", "UNK", "ASKU")
STATUSES = ("A", "I", "D")
RACES = ("blank", "indian", "asian", "black", "hawaiian", "white", "other", "declined")
ETHNICITIES = ("blank", "hispanic", "not_hispanic", "declined")
PROFILES = ("", "Cash", "Insurance", "Insurance Out of Network", "Auto Accident", "Worker's Comp")
PRONOUNS = (
    "",
    *(f"LA295{code}" for code in ("18-0", "19-8", "20-6", "23-0", "21-4", "15-6", "16-4", "17-2", "22-2", "24-8")),
)
LANGUAGES = {
    "eng": "English",
    "zho": "Chinese",
    "fra": "French",
    "ita": "Italian",
    "jpn": "Japanese",
    "por": "Portuguese",
    "rus": "Russian",
    "spa": "Spanish",
}


def _demographics(value: Any) -> list[Any]:
    for item in items(value):
        if not isinstance(item, dict) or not isinstance(item.get("field_type"), int):
            raise FieldError("Every item needs a field_type and a value.")
    return value


_state = shaped(r"[A-Z]{2}", '"{}" is not a valid choice.')
_email = shaped(r"[^@\s]+@[^@\s]+\.[^@\s]+", "Enter a valid email address.")

_ALL: dict[str, Rule] = {
    **{name: text for name, blank in BLANK_PATIENT.items() if blank == ""},
    **{name: items for name, blank in BLANK_PATIENT.items() if isinstance(blank, list)},
    **{name: day for name in BLANK_PATIENT if "date_of_" in name or name.endswith("_date")},
    "doctor": key,
    "gender": one_of(*GENDERS),
    "pronouns": one_of(*PRONOUNS),
    "patient_status": one_of(*STATUSES),
    "race": one_of(*RACES),
    "ethnicity": one_of(*ETHNICITIES),
    "preferred_language": one_of("blank", "other", "unknown", "declined", *LANGUAGES),
    "patient_payment_profile": one_of(*PROFILES),
    "chart_id": shaped(r"[A-Z]{4}\d{6}", "Enter a valid value."),
    "state": _state,
    "employer_state": _state,
    "email": _email,
    "responsible_party_email": _email,
    "disable_sms_messages": flag,
    "copay": money,
    "custom_demographics": _demographics,
}
RULES = {name: rule for name, rule in _ALL.items() if name not in READ_ONLY}
NULLABLE = {name for name, blank in BLANK_PATIENT.items() if blank is None and name != "doctor"}


def checked(body: Any, doctors: Container[int], *, partial: bool) -> tuple[dict[str, Any], Errors]:
    """Gives the clean fields and, per field, the complaints; `partial` asks for no required field."""
    fields, errors = clean(body, RULES, NULLABLE, () if partial else REQUIRED)
    if "doctor" in fields and fields["doctor"] not in doctors:
        errors["doctor"] = no_such(fields["doctor"])
    if "preferred_language" in fields:
        language = fields["preferred_language"]
        fields["preferred_language_code"] = language if language in LANGUAGES else ""
        fields["preferred_language_description"] = LANGUAGES.get(language, "")
    return fields, errors
