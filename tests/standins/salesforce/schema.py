"""What an object and a field are: how they compare, what they describe themselves as, which system fields exist.

Field names are case-insensitive, as they are in Salesforce. The objects themselves are in `objects.py`.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

FILTERABLE_TEXT = frozenset({"string", "email", "phone", "picklist", "id", "reference", "textarea", "url"})
SYSTEM_NAMES = frozenset(
    {"Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)


@dataclass(frozen=True)
class Field:
    """One field of an object; `kind` is the type that describe names.

    `labels` and `valid_for` stand beside `options`: what people see of each, and the bits of the `controller`'s
    options that it goes with. `parents`: a lookup that may lead to several objects. `writable` says whether anybody may
    write it; `hidden`, `createable` and `updateable` what the integration user may. `defaulted`: the org fills it in
    when a create leaves it out; `default` is a checkbox's.
    """

    name: str
    kind: str = "string"
    length: int = 0
    required: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    options: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    valid_for: tuple[str, ...] = ()
    controller: str | None = None
    restricted: bool = True
    parent: str | None = None
    parents: tuple[str, ...] = ()
    relationship: str | None = None
    writable: bool = True
    filterable: bool = True
    defaulted: bool = False
    numbered: bool = False
    hidden: bool = False
    createable: bool = True
    updateable: bool = True
    precision: int = 18
    scale: int = 0
    default: bool | None = None
    title: str = ""

    @cached_property
    def label(self) -> str:
        """What messages call the field, in place of its API name."""
        if self.title:
            return self.title
        if self.name.endswith("__c"):
            return self.name.removesuffix("__c").replace("_", " ")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name).removesuffix(" Id")

    @cached_property
    def exact(self) -> bool:
        """Compared letter by letter; other text ignores case."""
        return self.case_sensitive or self.kind not in FILTERABLE_TEXT or self.kind in {"id", "reference"}

    @cached_property
    def indexed(self) -> bool:
        return self.external_id or self.unique or self.kind == "reference"

    @cached_property
    def filled_in(self) -> bool:
        """Whether a create may leave it out though it is never empty."""
        return self.defaulted or self.numbered or self.kind == "boolean" or self.name in SYSTEM_NAMES

    def may_be_written(self, *, new: bool) -> bool:
        """Whether the integration user may give it a value, in a new record or an old one."""
        return self.writable and (self.createable if new else self.updateable)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label,
            "type": self.kind,
            "length": self.length,
            "precision": self.precision if self.kind == "double" else 0,
            "scale": self.scale,
            "nillable": not (self.required or self.numbered or self.kind == "boolean" or self.name in SYSTEM_NAMES),
            "createable": self.may_be_written(new=True),
            "updateable": self.may_be_written(new=False),
            "defaultedOnCreate": self.filled_in,
            "calculated": False,
            "autoNumber": self.numbered,
            # What everybody needs or gets cannot be taken away by field-level security.
            "permissionable": not self.required and self.name != "Name" and self.name not in SYSTEM_NAMES,
            "externalId": self.external_id,
            "idLookup": self.external_id or self.kind == "id",
            "unique": self.unique,
            "caseSensitive": self.case_sensitive,
            "filterable": self.filterable,
            "custom": self.name.endswith("__c"),
            "restrictedPicklist": self.kind == "picklist" and self.restricted,
            "controllerName": self.controller,
            "dependentPicklist": self.controller is not None,
            "picklistValues": [self._option(at) for at in range(len(self.options))],
            "referenceTo": [self.parent] if self.parent else list(self.parents),
            "polymorphicForeignKey": bool(self.parents),
            "relationshipName": self.relationship,
        }

    def _option(self, at: int) -> dict[str, Any]:
        shown = self.labels[at] if self.labels else self.options[at]
        bits = {"validFor": self.valid_for[at]} if self.valid_for else {}
        return {"active": True, "defaultValue": False, "label": shown, "value": self.options[at], **bits}


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
    """One object; `name_is` says how its Name comes about: typed, from its parts, or numbered.

    `hidden`, `createable` and `updateable` are the integration user's, as they are on fields. `lacks` names the system
    fields that it does not have. Whoever changes one makes a new Kind of it, so what is worked out here is worked out
    once.
    """

    name: str
    prefix: str
    own: tuple[Field, ...]
    name_is: str = "typed"
    hidden: bool = False
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    number_format: str = "A-{000000}"
    title: str = ""
    lacks: frozenset[str] = frozenset()

    @cached_property
    def fields(self) -> dict[str, Field]:
        """What the integration user can see."""
        return {field.name: field for field in self._all if not field.hidden}

    @cached_property
    def _all(self) -> tuple[Field, ...]:
        return (*(field for field in SYSTEM if field.name not in self.lacks), *self.own)

    @cached_property
    def _lower(self) -> dict[str, Field]:
        return {field.name.lower(): field for field in self._all}

    @cached_property
    def unseen(self) -> frozenset[str]:
        return self.lacks | {field.name for field in self.own if field.hidden}

    @cached_property
    def plain(self) -> dict[str, Field]:
        """What can be written without asking any further: nearly every field of every write."""
        return {
            field.name: field
            for field in self.own
            if field.writable and field.createable and field.updateable and not field.hidden
            if not field.parent and not field.parents
        }

    @cached_property
    def relationships(self) -> dict[str, Field]:
        return {field.relationship.lower(): field for field in self.own if field.relationship and not field.hidden}

    @cached_property
    def blank(self) -> dict[str, Any]:
        fields = (*SYSTEM, *self.own)
        return {field.name: bool(field.default) if field.kind == "boolean" else None for field in fields}

    @cached_property
    def required(self) -> tuple[Field, ...]:
        return tuple(field for field in self.own if field.required)

    @cached_property
    def unique(self) -> tuple[Field, ...]:
        return tuple(field for field in self.own if field.unique)

    def field(self, name: str, *, unseen: bool = False) -> Field | None:
        """The field of this name in any case; a hidden one only when `unseen` ones are asked for too."""
        found = self.fields.get(name) or self._lower.get(name.lower())
        return found if found is None or unseen or not found.hidden else None

    def describe(self, *, with_fields: bool) -> dict[str, Any]:
        head = {
            "name": self.name,
            "label": self.title or self.name,
            "keyPrefix": self.prefix,
            "custom": self.name.endswith("__c"),
            "createable": self.createable,
            "updateable": self.updateable,
            "deletable": self.deletable,
            **dict.fromkeys(("queryable", "replicateable"), True),
        }
        return {**head, "fields": [field.describe() for field in self.fields.values()]} if with_fields else head
