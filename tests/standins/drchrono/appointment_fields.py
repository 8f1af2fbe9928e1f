"""What DrChrono accepts in each field of an appointment, and the complaint it makes otherwise.

One table, field to rule; then where it is to be: whose practice, which office, which of its rooms. Fields that only
the web interface sets (a break, a series, telehealth) are ignored, like read-only ones.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from tests.standins.drchrono.appointment_shapes import BLANK_APPOINTMENT, PROFILES
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.rules import (
    MISSING,
    Errors,
    FieldError,
    Rule,
    clean,
    flag,
    items,
    key,
    moment,
    no_such,
    text,
    whole,
)

REQUIRED = ("doctor", "office", "exam_room", "patient", "scheduled_time")
TEXTS = ("status", "custom_status", "reason", "notes", "color", "billing_status", "payment_profile")
NULLABLE_TEXTS = ("billing_provider", "supervising_provider")
NULLABLE_KEYS = ("profile", "cloned_from", "resubmit_claim_original_id")


def _minutes(value: Any) -> int:
    minutes = whole(value)
    if minutes < 1:
        raise FieldError("Ensure this value is greater than or equal to 1.")
    return minutes


def _custom(value: Any) -> list[Record]:
    for item in items(value):
        if not isinstance(item, dict) or not isinstance(item.get("field_type"), int):
            raise FieldError("Every item needs a field_type and a field_value.")
    return [{"field_type": item["field_type"], "field_value": str(item.get("field_value", ""))} for item in value]


# A status is any text: a practice may have its own.
RULES: dict[str, Rule] = {
    **dict.fromkeys((*TEXTS, *NULLABLE_TEXTS), text),
    **dict.fromkeys(("doctor", "office", "patient", *NULLABLE_KEYS), key),
    **dict.fromkeys(("is_walk_in", "allow_overlapping"), flag),
    **dict.fromkeys(("icd9_codes", "icd10_codes"), items),
    "exam_room": whole,
    "duration": _minutes,
    "scheduled_time": moment,
    "custom_fields": _custom,
}
NULLABLE = {*NULLABLE_TEXTS, *NULLABLE_KEYS}
# What a PUT leaves of the fields it does not name.
CLEARED = {name: blank for name, blank in BLANK_APPOINTMENT.items() if name in RULES}


@dataclass(frozen=True, slots=True)
class Known:
    """Who and what an appointment may name."""

    doctors: Container[int]
    offices: Mapping[int, Record]
    has_patient: Callable[[int], bool]


def checked(body: Any, known: Known, old: Record | None = None, *, partial: bool) -> tuple[Record, Errors]:
    """Gives the clean fields and, per field, the complaints; `partial` asks for no required field."""
    fields, errors = clean(body, RULES, NULLABLE, () if partial else REQUIRED)
    if "profile" in fields and fields["profile"] is not None and fields["profile"] not in PROFILES:
        errors["profile"] = no_such(fields["profile"])
    if not partial:
        fields = {**PROFILES.get(fields.get("profile"), {}), **fields}
        if "duration" not in fields:
            errors.setdefault("duration", [MISSING])
    return fields, _misplaced(fields, {**(old or BLANK_APPOINTMENT), **fields}, known) | errors


def _misplaced(fields: Record, whole_record: Record, known: Known) -> Errors:
    errors: Errors = {}
    if "doctor" in fields and fields["doctor"] not in known.doctors:
        errors["doctor"] = no_such(fields["doctor"])
    if "patient" in fields and not known.has_patient(fields["patient"]):
        errors["patient"] = no_such(fields["patient"])
    office = known.offices.get(whole_record["office"])
    # An archived office drew a 400 from a live practice; its words are inferred, as is a room's.
    if "office" in fields and (office is None or office["archived"]):
        errors["office"] = no_such(fields["office"])
    elif office and fields.keys() & {"office", "exam_room"}:
        room = whole_record["exam_room"]
        if room not in [each["index"] for each in office["exam_rooms"]]:
            errors["exam_room"] = [f'"{room}" is not a valid choice.']
    return errors
