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


def _links(name: str, relationship: str | None = None, **more: Any) -> Field:
    """A lookup to whatever a file can be on."""
    return Field(name, "reference", 18, parents=("Contact", "Account", "User"), relationship=relationship, **more)


def _set(name: str, kind: str = "string", length: int = 0) -> Field:
    return Field(name, kind, length, writable=False)


_AT_CREATE: dict[str, Any] = {"updateable": False}


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
            "UserPermissionAccess",
            "000",
            (_flag("PermissionsQueryAllFiles", writable=False),),
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
        Kind(
            "ContentDocument",
            "069",
            (
                _text("Title", 255),
                Field("Description", "textarea", 1000),
                _lookup("LatestPublishedVersionId", "ContentVersion", "LatestPublishedVersion", writable=False),
                _lookup("OwnerId", "User", "Owner", defaulted=True),
                _set("FileType", length=20),
                _set("FileExtension", length=40),
                _set("ContentSize", "int"),
                _set("ContentModifiedDate", "datetime"),
                _set("PublishStatus", length=40),
                Field("IsArchived", "boolean", writable=False),
            ),
            createable=False,
        ),
        Kind(
            "ContentVersion",
            "068",
            (
                _lookup("ContentDocumentId", "ContentDocument", "ContentDocument", defaulted=True, **_AT_CREATE),
                Field("IsLatest", "boolean", writable=False),
                _set("VersionNumber", length=20),
                _text("Title", 255, defaulted=True),
                Field("Description", "textarea", 1000),
                Field("ReasonForChange", "textarea", 1000),
                _text("PathOnClient", 500, **_AT_CREATE),
                _links("FirstPublishLocationId", "FirstPublishLocation", **_AT_CREATE),
                Field("VersionData", "base64", filterable=False, **_AT_CREATE),
                _set("ContentSize", "int"),
                _set("FileType", length=20),
                _set("FileExtension", length=40),
                _set("Checksum", length=50),
                _set("PublishStatus", length=40),
                _set("ContentModifiedDate", "datetime"),
                Field("Origin", "picklist", 40, options=("C", "H"), defaulted=True, **_AT_CREATE),
                Field("ContentLocation", "picklist", 40, options=("S", "E", "L"), defaulted=True, **_AT_CREATE),
                Field("SharingPrivacy", "picklist", 40, options=("N", "P"), defaulted=True),
                _flag("IsMajorVersion", **_AT_CREATE),
                _lookup("OwnerId", "User", "Owner", defaulted=True),
            ),
            deletable=False,
        ),
        Kind(
            "ContentDocumentLink",
            "06A",
            (
                _lookup("ContentDocumentId", "ContentDocument", "ContentDocument", required=True, **_AT_CREATE),
                _links("LinkedEntityId", "LinkedEntity", required=True, **_AT_CREATE),
                Field("ShareType", "picklist", 40, options=("V", "C", "I"), required=True),
                Field(
                    "Visibility",
                    "picklist",
                    40,
                    options=("AllUsers", "InternalUsers", "SharedUsers"),
                    defaulted=True,
                ),
            ),
            lacks=frozenset({"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"}),
        ),
    )
)
OPEN = STANDARD.keys() - {"account", "contact"}
