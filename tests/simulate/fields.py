"""The design's mapping, written down a second time: what equal means, and whose word counts, of every field.

Kept apart from the service's own table and codecs, so that a mistake there is not repeated here.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.simulate.vendors import DRCHRONO, SALESFORCE

_EXTENSION = re.compile(r"(?:ext\.?|extension|x|#)\s*(\d+)\s*$", re.IGNORECASE)
_CARRIED_NOWHERE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # what XML 1.0 has no place for
_DOCTORS_ZONE = ZoneInfo("US/Eastern")
D, S = DRCHRONO, SALESFORCE


def _text(value):
    return str(value).strip() or None


def _number(value):
    return str(int(float(value)))


def _flag(value):
    return "true" if value == "True" else None


def _instant(value):
    """Give the UTC minute of a wall clock at the doctor's, or of Salesforce's own instant."""
    moment = datetime.fromisoformat(value)
    local = moment.replace(tzinfo=_DOCTORS_ZONE) if moment.tzinfo is None else moment
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def _phone(value):
    found = _EXTENSION.search(value)
    digits = re.sub(r"\D", "", value[: found.start()] if found else value)
    digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    return f"{digits}x{found[1]}" if found else digits or None


@dataclass(frozen=True, slots=True)
class Field:
    """One row. `owner` is empty where it travels to Salesforce only; `to`: the object a reference leads to.

    is_plain  its normal form is the service's own, so that a base can be asked about it
    """

    name: str
    drchrono: str
    salesforce: str
    owner: str
    normal: object = _text
    to: str = ""
    is_plain: bool = True

    def on(self, side):
        return self.drchrono if side == DRCHRONO else self.salesforce

    def read(self, side, raw, key_of):
        """Give the normal form of a side's value; `key_of` gives the DrChrono id that a Salesforce record bears."""
        value = raw.get(self.on(side))
        if self.to and side == SALESFORCE:
            value = value and key_of(self.to, value)
        text = "" if value is None else _CARRIED_NOWHERE.sub("", str(value)).strip()
        return self.normal(text) if text else None


def _by_name(*rows):
    return {row.name: row for row in rows}


PATIENT = _by_name(
    Field("first_name", "first_name", "FirstName", D),
    Field("last_name", "last_name", "LastName", D),
    Field("date_of_birth", "date_of_birth", "Birthdate", D),
    Field("gender", "gender", "DrChrono_Gender__c", D),
    Field("email", "email", "Email", S, str.casefold),
    Field("cell_phone", "cell_phone", "MobilePhone", S, _phone),
    Field("home_phone", "home_phone", "HomePhone", S, _phone),
    Field("address", "address", "MailingStreet", S),
    Field("city", "city", "MailingCity", S),
    Field("state", "state", "MailingState", S),
    Field("zip_code", "zip_code", "MailingPostalCode", S),
    Field("chart_id", "chart_id", "DrChrono_Chart_Id__c", ""),
    Field("patient_status", "patient_status", "DrChrono_Status__c", ""),
    Field("doctor", "doctor", "DrChrono_Doctor__c", D, to="drchrono_doctor__c"),
)
VISIT = _by_name(
    Field("patient", "patient", "Patient__c", D, to="contact"),
    Field("doctor", "doctor", "Doctor__c", D, to="drchrono_doctor__c"),
    Field("office", "office", "Office__c", D, to="drchrono_office__c"),
    Field("exam_room", "exam_room", "Exam_Room__c", D, _number),
    Field("scheduled_time", "scheduled_time", "Start__c", D, _instant, is_plain=False),
    Field("duration", "duration", "Duration_Minutes__c", D, _number),
    Field("status", "status", "Status__c", D),
    Field("reason", "reason", "Reason__c", S),
    Field("notes", "notes", "Notes__c", S),
    Field("deleted", "deleted_flag", "Deleted__c", "", _flag),
)
KEYS = {
    "contact": "DrChrono_Patient_Id__c",
    "drchrono_appointment__c": "DrChrono_Id__c",
    "drchrono_doctor__c": "DrChrono_Id__c",
    "drchrono_office__c": "DrChrono_Id__c",
}


def is_visit(side, id_):
    """Say whether an id is a visit's; else it is a person's. DrChrono's visits have text for ids."""
    return isinstance(id_, str) and (side == DRCHRONO or id_.startswith("a01"))


def rows_of(side, id_):
    return VISIT if is_visit(side, id_) else PATIENT
