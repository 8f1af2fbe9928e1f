"""The objects that every org has, with those of their fields that matter here; all others an admin deploys.

Lengths are Salesforce's own. What a user may do with `OPEN` objects no permission set says.
"""

from collections.abc import Iterable
from typing import Any

from tests.standins.salesforce.schema import Field, Kind


def _text(name: str, length: int, **more: Any) -> Field:
    return Field(name, "string", length, **more)


def _lookup(name: str, parent: str, relationship: str | None = None, **more: Any) -> Field:
    return Field(name, "reference", 18, parent=parent, relationship=relationship, **more)


def _flag(name: str, **more: Any) -> Field:
    return Field(name, "boolean", **more)


def _by_name(kinds: Iterable[Kind]) -> dict[str, Kind]:
    return {kind.name.lower(): kind for kind in kinds}


STANDARD = _by_name(
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
                _text("InstanceName", 5),
                _text("NamespacePrefix", 15),
                _flag("IsSandbox"),
                Field("TrialExpirationDate", "datetime"),
            ),
            createable=False,
        ),
        Kind("Profile", "00e", (_text("Name", 255),), createable=False, updateable=False, deletable=False),
        Kind(
            "User",
            "005",
            (
                _text("Username", 80, required=True),
                _text("Name", 121),
                Field("Email", "email", 128),
                _flag("IsActive"),
                _lookup("ProfileId", "Profile", "Profile"),
            ),
            createable=False,
            deletable=False,
        ),
        Kind(
            "PermissionSet",
            "0PS",
            (_text("Name", 80), _text("Label", 80), _flag("IsOwnedByProfile"), _flag("IsCustom"), _text("Type", 40)),
            createable=False,
            updateable=False,
        ),
        Kind(
            "FlowDefinitionView",
            "300",
            (_text("ApiName", 80), _flag("IsActive")),
            createable=False,
            updateable=False,
            deletable=False,
        ),
        Kind(
            "PermissionSetAssignment",
            "0Pa",
            (
                _lookup("AssigneeId", "User", "Assignee", required=True),
                _lookup("PermissionSetId", "PermissionSet", "PermissionSet", required=True),
            ),
            createable=False,
            updateable=False,
            deletable=False,
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
            ),
            name_is="joined",
        ),
    )
)
OPEN = STANDARD.keys() - {"account", "contact"}
