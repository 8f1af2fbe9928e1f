"""What DrChrono accepts in each field of a patient, and the complaint it makes otherwise.

One table, field to rule. Unknown and read-only fields are ignored, as the live API does.
"""

import re
from collections.abc import Callable, Container
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.standins.drchrono.shapes import BLANK_PATIENT

Rule = Callable[[Any], Any]

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


class FieldError(ValueError):
    """The complaint about one field."""


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise FieldError("Not a valid string.")
    return str(value)


def _one_of(*choices: str) -> Rule:
    def rule(value: Any) -> str:
        if value not in choices:
            raise FieldError(f'"{value}" is not a valid choice.')
        return value

    return rule


def _shaped(pattern: str, complaint: str) -> Rule:
    def rule(value: Any) -> str:
        text = _text(value)
        if text and not re.fullmatch(pattern, text):
            raise FieldError(complaint.format(text))
        return text

    return rule


def _day(value: Any) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        pass
    raise FieldError("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.")


def _flag(value: Any) -> bool:
    known = {True: True, False: False, "true": True, "True": True, "false": False, "False": False}
    if isinstance(value, list | dict) or value not in known:
        raise FieldError("Must be a valid boolean.")
    return known[value]


def _money(value: Any) -> str:
    try:
        return f"{Decimal(_text(value)):.2f}"
    except (InvalidOperation, FieldError) as error:
        raise FieldError("A valid number is required.") from error


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise FieldError(f'Expected a list of items but got type "{type(value).__name__}".')
    return value


def _demographics(value: Any) -> list[Any]:
    for item in _list(value):
        if not isinstance(item, dict) or not isinstance(item.get("field_type"), int):
            raise FieldError("Every item needs a field_type and a value.")
    return value


def _doctor(value: Any) -> int:
    if isinstance(value, bool) or not str(value).isdecimal():
        raise FieldError(f"Incorrect type. Expected pk value, received {type(value).__name__}.")
    return int(value)


_state = _shaped(r"[A-Z]{2}", '"{}" is not a valid choice.')
_email = _shaped(r"[^@\s]+@[^@\s]+\.[^@\s]+", "Enter a valid email address.")

RULES: dict[str, Rule] = {
    **{name: _text for name, blank in BLANK_PATIENT.items() if blank == ""},
    **{name: _list for name, blank in BLANK_PATIENT.items() if isinstance(blank, list)},
    **{name: _day for name in BLANK_PATIENT if "date_of_" in name or name.endswith("_date")},
    "doctor": _doctor,
    "gender": _one_of(*GENDERS),
    "pronouns": _one_of(*PRONOUNS),
    "patient_status": _one_of(*STATUSES),
    "race": _one_of(*RACES),
    "ethnicity": _one_of(*ETHNICITIES),
    "preferred_language": _one_of("blank", "other", "unknown", "declined", *LANGUAGES),
    "patient_payment_profile": _one_of(*PROFILES),
    "chart_id": _shaped(r"[A-Z]{4}\d{6}", "Enter a valid value."),
    "state": _state,
    "employer_state": _state,
    "email": _email,
    "responsible_party_email": _email,
    "disable_sms_messages": _flag,
    "copay": _money,
    "custom_demographics": _demographics,
}
NULLABLE = {name for name, blank in BLANK_PATIENT.items() if blank is None and name != "doctor"}


def checked(body: Any, doctors: Container[int], *, partial: bool) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Gives the clean fields and, per field, the complaints; `partial` asks for no required field."""
    if not isinstance(body, dict):
        return {}, {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {type(body).__name__}."]}
    fields: dict[str, Any] = {}
    errors = {} if partial else {name: ["This field is required."] for name in REQUIRED if name not in body}
    for name, value in body.items():
        if name in READ_ONLY or name not in RULES:
            continue
        if value is None:
            if name in NULLABLE:
                fields[name] = None
            else:
                errors[name] = ["This field may not be null."]
            continue
        try:
            fields[name] = RULES[name](value)
        except FieldError as complaint:
            errors[name] = [str(complaint)]
    if "doctor" in fields and fields["doctor"] not in doctors:
        errors["doctor"] = [f'Invalid pk "{fields["doctor"]}" - object does not exist.']
    if "preferred_language" in fields:
        language = fields["preferred_language"]
        fields["preferred_language_code"] = language if language in LANGUAGES else ""
        fields["preferred_language_description"] = LANGUAGES.get(language, "")
    return fields, errors
