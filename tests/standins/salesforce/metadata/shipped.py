"""The package of this project, as every org here has it that is not said to be empty."""

from functools import lru_cache
from typing import Any

from tests.standins.salesforce.metadata.components import Catalog, Component
from tests.standins.salesforce.metadata.xml_parts import Part

_P, _T, _D, _O = "Contact", "DrChrono_Appointment__c", "DrChrono_Doctor__c", "DrChrono_Office__c"
_KEY = {"length": 64, "externalId": "true", "unique": "true", "caseSensitive": "true"}


def _p(**more: Any) -> Part:
    return {name: [str(value)] for name, value in more.items()}


@lru_cache(maxsize=1)
def shipped() -> Catalog:
    made: list[Component] = []
    permissions: Part = {"label": ["Integration"], "objectPermissions": [], "fieldPermissions": []}

    def field(kind: str, name: str, type_: str, **more: Any) -> None:
        part = _p(label=name.removesuffix("__c").replace("_", " "), type=type_, **more)
        if type_ == "Picklist":
            values = [_p(fullName=one, label=one) for one in ("Male", "Female", "Other", "UNK", "ASKU")]
            part["valueSet"] = [{"restricted": ["true"], "valueSetDefinition": [{"value": values}]}]
        made.append(Component("CustomField", f"{kind}.{name}", part))
        permissions["fieldPermissions"].append(_p(field=f"{kind}.{name}", editable="true", readable="true"))

    for kind in (_P, _T, _D, _O, "Account"):
        named = (
            _p(type="AutoNumber", displayFormat="A-{000000}", label="Name")
            if kind == _T
            else _p(type="Text", label="Name")
        )
        if kind.endswith("__c"):
            made.append(Component("CustomObject", kind, {**_p(label=kind), "nameField": [named]}))
        allowed = dict.fromkeys(("allowRead", "allowCreate", "allowEdit", "allowDelete"), "true")
        permissions["objectPermissions"].append(_p(object=kind, **allowed))
    for name in ("Birthdate", "Email", "MobilePhone", "HomePhone", "MailingAddress", "AccountId"):
        permissions["fieldPermissions"].append(_p(field=f"Contact.{name}", editable="true", readable="true"))
    field(_P, "DrChrono_Patient_Id__c", "Text", **_KEY)
    field(_P, "DrChrono_Gender__c", "Picklist")
    field(_P, "DrChrono_Chart_Id__c", "Text", length=64, externalId="true")
    field(_P, "DrChrono_Status__c", "Text", length=40)
    field(_P, "DrChrono_Doctor__c", "Lookup", referenceTo=_D, relationshipName="Patients")
    field(_P, "Sync_To_DrChrono__c", "Checkbox", defaultValue="false")
    field(_T, "DrChrono_Id__c", "Text", **_KEY)
    for name, parent in (("Patient", _P), ("Doctor", _D), ("Office", _O)):
        field(_T, f"{name}__c", "Lookup", referenceTo=parent, relationshipName="Visits")
    for name in ("Exam_Room__c", "Duration_Minutes__c"):
        field(_T, name, "Number", precision=18, scale=0)
    field(_T, "Start__c", "DateTime")
    for name, length in (("Local_Start__c", 40), ("Time_Zone__c", 64), ("Status__c", 40), ("Reason__c", 255)):
        field(_T, name, "Text", length=length)
    field(_T, "Notes__c", "LongTextArea", length=32_768, visibleLines=5)
    field(_T, "Deleted__c", "Checkbox", defaultValue="false")
    field(_D, "DrChrono_Id__c", "Text", **_KEY)
    for name, length in (("First_Name__c", 80), ("Last_Name__c", 80), ("Suffix__c", 40), ("Specialty__c", 255)):
        field(_D, name, "Text", length=length)
    field(_D, "Email__c", "Email")
    field(_D, "Phone__c", "Phone")
    field(_D, "NPI__c", "Text", length=20)
    field(_D, "Time_Zone__c", "Text", length=64)
    field(_D, "Suspended__c", "Checkbox", defaultValue="false")
    field(_O, "DrChrono_Id__c", "Text", **_KEY)
    for name, length in (("Street__c", 255), ("City__c", 80), ("State__c", 80), ("Postal_Code__c", 20)):
        field(_O, name, "Text", length=length)
    field(_O, "Phone__c", "Phone")
    field(_O, "Archived__c", "Checkbox", defaultValue="false")
    field(_O, "Doctor__c", "Lookup", referenceTo=_D, relationshipName="Offices")
    made.append(Component("PermissionSet", "DrChrono_Integration", permissions))
    return Catalog({one.key: one for one in made})
