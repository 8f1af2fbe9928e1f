"""The objects of the stand-in's org, with the fields that the shipped package would deploy.

Lengths of standard fields are Salesforce's own.
"""

from collections.abc import Iterable
from typing import Any

from tests.standins.salesforce.schema import Field, Kind


def _text(name: str, length: int, **more: Any) -> Field:
    return Field(name, "string", length, **more)


def _key(name: str) -> Field:
    return Field(name, "string", 64, external_id=True, unique=True, case_sensitive=True)


def _lookup(name: str, parent: str, relationship: str | None = None, **more: Any) -> Field:
    return Field(name, "reference", 18, parent=parent, relationship=relationship, **more)


def _flag(name: str) -> Field:
    return Field(name, "boolean")


def _by_name(kinds: Iterable[Kind]) -> dict[str, Kind]:
    return {kind.name.lower(): kind for kind in kinds}


_DOCTOR, _OFFICE = "DrChrono_Doctor__c", "DrChrono_Office__c"
KINDS = _by_name(
    (
        Kind("Account", "001", (_text("Name", 255, required=True),)),
        Kind(
            "DuplicateRule",
            "0Bm",
            (_text("Name", 80), _text("DeveloperName", 80), _text("SobjectType", 40), _flag("IsActive")),
            createable=False,
        ),
        Kind(
            "Organization",
            "00D",
            (
                _text("Name", 80),
                _text("TimeZoneSidKey", 40),
                _text("DefaultLocaleSidKey", 40),
                _text("LanguageLocaleKey", 40),
                _text("OrganizationType", 40),
            ),
            createable=False,
        ),
        Kind(
            "Contact",
            "003",
            (
                Field("MasterRecordId", "id", 18, writable=False),
                _text("Name", 121, writable=False),
                _text("FirstName", 40),
                _text("LastName", 80, required=True),
                Field("Birthdate", "date"),
                Field("Email", "email", 80),
                Field("MobilePhone", "phone", 40),
                Field("HomePhone", "phone", 40),
                Field("MailingStreet", "textarea", 255),
                _text("MailingCity", 40),
                _text("MailingState", 80),
                _text("MailingPostalCode", 20),
                _lookup("AccountId", "Account", "Account"),
                _key("DrChrono_Patient_Id__c"),
                Field("DrChrono_Gender__c", "picklist", 255, options=("Male", "Female", "Other", "UNK", "ASKU")),
                # An external id that need not be unique: the only way to an ambiguous upsert, which answers 300.
                _text("DrChrono_Chart_Id__c", 64, external_id=True),
                _text("DrChrono_Status__c", 40),
                _lookup("DrChrono_Doctor__c", _DOCTOR, "DrChrono_Doctor__r"),
                _flag("Sync_To_DrChrono__c"),
            ),
            name_is="joined",
        ),
        Kind(
            "DrChrono_Appointment__c",
            "a01",
            (
                _text("Name", 80, writable=False, numbered=True),
                _key("DrChrono_Id__c"),
                _lookup("Patient__c", "Contact", "Patient__r"),
                _lookup("Doctor__c", _DOCTOR, "Doctor__r"),
                _lookup("Office__c", _OFFICE, "Office__r"),
                Field("Exam_Room__c", "double"),
                Field("Start__c", "datetime"),
                _text("Local_Start__c", 40),
                _text("Time_Zone__c", 64),
                Field("Duration_Minutes__c", "double"),
                _text("Status__c", 40),
                _text("Reason__c", 255),
                Field("Notes__c", "textarea", 32_768, filterable=False),
                _flag("Deleted__c"),
            ),
            name_is="numbered",
        ),
        Kind(
            _DOCTOR,
            "a02",
            (
                _text("Name", 80),
                _key("DrChrono_Id__c"),
                _text("First_Name__c", 80),
                _text("Last_Name__c", 80),
                _text("Suffix__c", 40),
                _text("Specialty__c", 255),
                Field("Email__c", "email", 80),
                Field("Phone__c", "phone", 40),
                _text("NPI__c", 20),
                _text("Time_Zone__c", 64),
                _flag("Suspended__c"),
            ),
        ),
        Kind(
            _OFFICE,
            "a03",
            (
                _text("Name", 80),
                _key("DrChrono_Id__c"),
                _text("Street__c", 255),
                _text("City__c", 80),
                _text("State__c", 80),
                _text("Postal_Code__c", 20),
                Field("Phone__c", "phone", 40),
                _flag("Archived__c"),
                _lookup("Doctor__c", _DOCTOR, "Doctor__r"),
            ),
        ),
    )
)
