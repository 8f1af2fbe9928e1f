"""What an object and a field are: how they compare, what they describe themselves as, which system fields exist.

Field names are case-insensitive, as they are in Salesforce. The objects themselves are in `objects.py`.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

FILTERABLE_TEXT = frozenset({"string", "email", "phone", "picklist", "id", "reference", "textarea"})


@dataclass(frozen=True)
class Field:
    """One field of an object; `kind` is the type that describe names."""

    name: str
    kind: str = "string"
    length: int = 0
    required: bool = False
    external_id: bool = False
    unique: bool = False
    options: tuple[str, ...] = ()
    parent: str | None = None
    relationship: str | None = None
    writable: bool = True
    filterable: bool = True

    @cached_property
    def label(self) -> str:
        """What messages call the field, in place of its API name."""
        if self.name.endswith("__c"):
            return self.name.removesuffix("__c").replace("_", " ")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name).removesuffix(" Id")

    @cached_property
    def exact(self) -> bool:
        """Compared letter by letter; other text ignores case. Unique external ids here are case-sensitive."""
        return self.unique or self.kind not in FILTERABLE_TEXT or self.kind in {"id", "reference"}

    @cached_property
    def indexed(self) -> bool:
        return self.external_id or self.kind == "reference"

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label,
            "type": self.kind,
            "length": self.length,
            "nillable": not self.required and self.kind not in {"boolean", "id"},
            "createable": self.writable,
            "updateable": self.writable,
            "externalId": self.external_id,
            "idLookup": self.external_id or self.kind == "id",
            "unique": self.unique,
            "caseSensitive": self.unique,
            "filterable": self.filterable,
            "custom": self.name.endswith("__c"),
            "restrictedPicklist": bool(self.options),
            "picklistValues": [
                {"active": True, "defaultValue": False, "label": option, "value": option} for option in self.options
            ],
            "referenceTo": [self.parent] if self.parent else [],
            "relationshipName": self.relationship,
        }


SYSTEM = (
    Field("Id", "id", 18, writable=False),
    Field("IsDeleted", "boolean", writable=False),
    Field("CreatedDate", "datetime", writable=False),
    Field("CreatedById", "id", 18, writable=False),
    Field("LastModifiedDate", "datetime", writable=False),
    Field("LastModifiedById", "id", 18, writable=False),
    Field("SystemModstamp", "datetime", writable=False),
)


@dataclass(frozen=True)
class Kind:
    """One object; `name_is` says how its Name comes about: typed, from its parts, or numbered."""

    name: str
    prefix: str
    own: tuple[Field, ...]
    name_is: str = "typed"

    @cached_property
    def fields(self) -> dict[str, Field]:
        return {field.name: field for field in (*SYSTEM, *self.own)}

    @cached_property
    def _lower(self) -> dict[str, Field]:
        return {name.lower(): field for name, field in self.fields.items()}

    @cached_property
    def plain(self) -> dict[str, Field]:
        """What can be written without asking about another record: nearly every field of every write."""
        return {field.name: field for field in self.own if field.writable and not field.parent}

    @cached_property
    def relationships(self) -> dict[str, Field]:
        return {field.relationship.lower(): field for field in self.own if field.relationship}

    @cached_property
    def blank(self) -> dict[str, Any]:
        return {name: False if field.kind == "boolean" else None for name, field in self.fields.items()}

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.own if field.required)

    @cached_property
    def unique(self) -> tuple[Field, ...]:
        return tuple(field for field in self.own if field.unique)

    def field(self, name: str) -> Field | None:
        return self.fields.get(name) or self._lower.get(name.lower())

    def describe(self, *, with_fields: bool) -> dict[str, Any]:
        abilities = dict.fromkeys(("createable", "updateable", "deletable", "queryable", "replicateable"), True)
        head = {"name": self.name, "keyPrefix": self.prefix, "custom": self.name.endswith("__c"), **abilities}
        return {**head, "fields": [field.describe() for field in self.fields.values()]} if with_fields else head
