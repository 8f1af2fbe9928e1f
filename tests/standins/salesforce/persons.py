"""Person Accounts: accounts that are people, by their record type; off until an admin turns them on.

An account of a person has the names of one, and its Name is made of them: to write it is refused. One of a company has
a Name, and none of a person's fields. What is made without a record type has the integration user's default one. A
person's account has a contact of its own, which nobody writes: `PersonContactId`. Visits look up accounts from then on.
"""

from dataclasses import replace
from typing import Any

from tests.standins.salesforce.errors import RecordError
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.schema import Field, Kind

RECORD_TYPE = "recordtype"
_VISITS, _PATIENT = "drchrono_appointment__c", "Patient__c"
_OF_PERSONS = ("FirstName", "LastName")
_OF_CONTACTS = ("Birthdate", "Email", "MobilePhone", "HomePhone")
_OF_CONTACTS += ("MailingStreet", "MailingCity", "MailingState", "MailingPostalCode")
_REFUSED = "Unable to create/update fields: {names}. Please check the security settings of this field and verify."


def turn_on(org: Org, default: str = "Company") -> dict[str, str]:
    """Gives the org's record types of accounts by name, there from now on, the integration user's default one first."""
    text = (Field("Name", "string", 80), Field("DeveloperName", "string", 80), Field("SobjectType", "string", 40))
    kind = Kind("RecordType", "012", (*text, Field("IsActive", "boolean"), Field("IsPersonType", "boolean")))
    types = org.tables[RECORD_TYPE] = Table(kind)
    made = {}
    for name, is_person in sorted((("Company", False), ("Patient", True)), key=lambda one: one[0] != default):
        row = types.blank()
        row.update(Name=name, DeveloperName=name, SobjectType="Account", IsActive=True, IsPersonType=is_person)
        types.add(row)
        made[name] = row["Id"]
    contact = org.tables["contact"].kind
    more = [contact.fields[name] for name in _OF_PERSONS]
    more = [_plain(one) for one in more]
    more += [_plain(contact.fields[name], f"Person{name}") for name in _OF_CONTACTS]
    more += [one for one in contact.own if one.name.endswith("__c")]
    more.append(Field("IsPersonAccount", "boolean", writable=False))
    more += [Field(name, "id", 18, writable=False) for name in ("PersonContactId", "MasterRecordId")]
    more.append(Field("RecordTypeId", "reference", 18, parent="RecordType", relationship="RecordType", defaulted=True))
    account, visits = org.tables["account"], org.tables[_VISITS]
    more = [one for one in more if account.kind.field(one.name, unseen=True) is None]
    account.reshape(Kind("Account", "001", (*account.kind.own, *more)))
    own = tuple(replace(one, parent="Account") if one.name == _PATIENT else one for one in visits.kind.own)
    visits.reshape(replace(visits.kind, own=own))
    return made


def _plain(column: Field, name: str = "") -> Field:
    return Field(name or column.name, column.kind, column.length)


def is_person(org: Org, table: Table, values: Row, row: Row | None) -> bool:
    """Whether an account is, or will be, a person; never where Person Accounts are off."""
    if table.kind.name != "Account" or RECORD_TYPE not in org.tables:
        return False
    chosen = values.get("RecordTypeId") or (_default(org) if row is None else row["RecordTypeId"])
    return chosen is not None and bool(org.tables[RECORD_TYPE].get(chosen)["IsPersonType"])


def _default(org: Org) -> str:
    return str(next(iter(org.tables[RECORD_TYPE].live()))["Id"])


def check_person(org: Org, table: Table, values: Row, row: Row | None) -> None:
    """Judges which fields an account may have, and makes a person's Name."""
    if table.kind.name != "Account" or RECORD_TYPE not in org.tables:
        return
    is_one = is_person(org, table, values, row)
    theirs = [name for name in values if name in _OF_PERSONS or name.startswith("Person")]
    if refused := [name for name in values if name == "Name"] if is_one else theirs:
        raise RecordError("INVALID_FIELD_FOR_INSERT_UPDATE", _REFUSED.format(names=", ".join(refused)), refused)
    values["IsPersonAccount"] = is_one
    if row is None:
        values.setdefault("RecordTypeId", _default(org))
    if is_one:
        if row is None:
            values["PersonContactId"] = org.tables["contact"].blank()["Id"]
        both: dict[str, Any] = {**(row or {}), **values}
        if not both.get("LastName"):
            raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ["LastName"])
        values["Name"] = f"{both.get('FirstName') or ''} {both['LastName']}".strip()


def record_types(org: Org, kind: str) -> list[dict[str, Any]]:
    """What an object's description says of its record types; the first one is the integration user's default."""
    if RECORD_TYPE not in org.tables:
        return []
    of = [row for row in org.tables[RECORD_TYPE].live() if row["SobjectType"] == kind]
    return [
        {
            "recordTypeId": row["Id"], "name": row["Name"], "developerName": row["Name"], "active": row["IsActive"],
            "available": True, "master": False, "defaultRecordTypeMapping": at == 0,
        }
        for at, row in enumerate(of)
    ]  # fmt: skip
