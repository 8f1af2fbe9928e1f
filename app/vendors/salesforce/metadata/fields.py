"""The objects and fields that a mapping asks of a Salesforce org, and what of that the platform does not allow. Pure.

Only custom fields are made; standard ones are there, and need permission alone. Lengths, picklist values, look-ups and
names are the mapping's. Where its rows say nothing, a field takes as much as its type can.

Source  Metadata API Developer Guide, CustomField; Salesforce Help, Custom Field Types (read 2026-11)
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from app.errors import Misconfigured
from app.sync.mappings.table import Direction, Mappings, OnConflict, Row, Table
from app.sync.model import Kind, Side
from app.sync.sync_status import (
    CHART_URL,
    KINDS_WITH_STATUS,
    RECORD_URL,
    SYNC_MESSAGE,
    SYNC_STATUS,
    SYNCED_AT,
    SyncStatus,
)
from app.vendors.salesforce.metadata.xml import Element

LONGEST_NAME = 40  # of an object, a field or a relationship, without its ending
_LONGEST_TEXT = 255  # a longer one is a long text area, by which nothing is found
_LONGEST_AREA = 131_072
_LONGEST_ID = 64
_DIGITS, _DECIMALS = 18, 2  # of a number, and of those behind the point where the mapping does not say
_LONGEST_OWN_NAME = 80  # of a custom object's record
_LONGEST = {"Email": 80, "Phone": 40}  # what these types take, whatever a mapping says
_TYPES = {"email": "Email", "phone": "Phone", "date": "Date", "local_time": "DateTime"}
_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*", re.ASCII)
_OF_CUSTOM_OBJECTS = frozenset({"name", "ownerid", "recordtypeid", "currencyisocode"})  # their only standard fields
_PLURALS = (("ay", "ays"), ("ey", "eys"), ("y", "ies"), ("s", "ses"), ("x", "xes"), ("", "s"))
_ACTIVITIES = frozenset({"event", "task", "activity"})
FILE = "ContentVersion"  # the object of documents: one version of a file
_SPELLINGS = {name.casefold(): name for name in ("Account", "Contact", FILE, "Lead")}


@dataclass(frozen=True, slots=True)
class OrgField:
    """A field of an object: how it is made, if it is ours to make, and what an edit of it means.

    made        its elements beside its name, of a custom field; None of one that is there
    is_written  whether the service writes it
    is_edited   whether people may edit it; what they would edit in vain they only read
    is_watched  whether an edit of it is of interest to the service
    """

    name: str
    made: Element | None = None
    is_written: bool = True
    is_edited: bool = False
    is_watched: bool = True

    @property
    def is_long(self) -> bool:
        """Whether it is a long text, which no list and no compact layout shows."""
        return self.made is not None and self.made["type"] == "LongTextArea"


@dataclass(frozen=True, slots=True)
class OrgObject:
    """An object, with everything that the mapping's tables ask of it."""

    name: str
    tables: tuple[Table, ...]
    fields: tuple[OrgField, ...]

    @property
    def is_custom(self) -> bool:
        """Whether the object is ours to make."""
        return self.name.endswith("__c")

    @property
    def is_file(self) -> bool:
        """Whether its records are files: a user may do with one what its record allows, and no flow starts for it."""
        return self.name == FILE

    @property
    def word(self) -> str:
        """What stands for the object in the names of what belongs to it, which hold no two underscores in a row."""
        return _word(self.name)

    @property
    def label(self) -> str:
        """What people call one of its records."""
        return label_of(self.name)

    @property
    def has_status(self) -> bool:
        """Whether its records say how their synchronization stands."""
        return any(table.kind in KINDS_WITH_STATUS for table in self.tables)

    @property
    def is_one_way(self) -> bool:
        """Whether nothing that is edited in it travels to DrChrono."""
        return all(table.is_one_way for table in self.tables)

    @property
    def made(self) -> tuple[OrgField, ...]:
        """Its fields that are ours to make, by name."""
        return tuple(sorted((one for one in self.fields if one.made), key=lambda one: one.name))

    @property
    def name_row(self) -> Row | None:
        """The row that fills its records' Name; of none, Salesforce numbers them."""
        rows = (row for table in self.tables for row in table.rows.values())
        return next((row for row in rows if row.shown(Side.SALESFORCE).casefold() == "name"), None)


def objects_of(mappings: Mappings) -> tuple[OrgObject, ...]:
    """Give the objects of a mapping, in its order.

    Raises  Misconfigured, with a line for each key that asks for what the platform does not allow
    """
    wrong: list[str] = []
    names: dict[str, str] = {}  # Salesforce's names ignore case
    words: dict[str, str] = {}
    tables: dict[str, list[Table]] = defaultdict(list)
    fields: dict[str, dict[str, OrgField]] = defaultdict(dict)
    for table in mappings.values():
        name = names.setdefault(table.object.casefold(), _spelled(table.object))
        tables[name].append(table)
        with _noted(wrong, table, "object"):
            _check_object(table, name)
            first = words.setdefault(_word(name).replace("_", "").casefold(), name)
            if first != name:
                raise _NotAllowed(f"{name} and {first} give flows and triggers one name; name one of them differently")
        for key, make in _asked(table):
            with _noted(wrong, table, key):
                one = make()
                if fields[name].setdefault(one.name.casefold(), one) != one:
                    raise _NotAllowed(f"{one.name} is another field of {name} already; name it differently")
        for one in _beside(table):
            fields[name].setdefault(one.name.casefold(), one)
    if wrong:
        raise Misconfigured("\n".join(wrong))
    return tuple(OrgObject(name, tuple(tables[name]), tuple(fields[name].values())) for name in names.values())


def label_of(name: str) -> str:
    """Give what people call an object or a field: its name without underscores."""
    return _base(name).replace("_", " ")


def plural_of(label: str) -> str:
    """Give what people call several."""
    end, instead = next(pair for pair in _PLURALS if label.endswith(pair[0]))
    return label.removesuffix(end) + instead


class _NotAllowed(ValueError):  # noqa: N818
    """The platform does not take what a key asks for; the message says what, and the fix."""


@contextmanager
def _noted(wrong: list[str], table: Table, key: str) -> Iterator[None]:
    try:
        yield
    except _NotAllowed as why:
        wrong.append(f"mapping, table [{table.kind}], key {key}: {why}")


def _asked(table: Table) -> Iterator[tuple[str, Callable[[], OrgField]]]:
    """Give the keys of a table that ask for a field, and what makes it."""
    yield "external_id", partial(_external_id, table)
    if table.opt_in is not None:
        yield "opt_in", partial(_opt_in, table.kind, table.opt_in)
    for row in table.rows.values():
        yield f"fields.{row.name}", partial(_of_row, table, row)
    if table.kind in KINDS_WITH_STATUS:
        for one in _STATUS_FIELDS:
            yield "object", partial(_same, one)


def _same(one: OrgField) -> OrgField:
    return one


def _beside(table: Table) -> Iterator[OrgField]:
    """Give the fields that conditions and constants name, which are there: nothing says of which type they would be."""
    for condition in table.include:
        if condition.side is Side.SALESFORCE and "." not in condition.name:
            yield OrgField(condition.name, is_written=False)
    for name in table.constants:
        yield OrgField(name, is_watched=False)


def _external_id(table: Table) -> OrgField:
    name = table.external_id
    if not name.endswith("__c"):
        raise _NotAllowed(f"{name} is no custom field of {table.object}; name one that ends in __c")
    _check_name(name)
    is_unique = table.kind is not Kind.DOCUMENT  # a new version may inherit it, and must not be refused for that
    made: Element = {"externalId": True, "length": _LONGEST_ID, "required": False, "type": "Text", "unique": is_unique}
    made = {"caseSensitive": True, **made} if is_unique else made
    says = f"The id of the {table.kind} in DrChrono, by which both records are linked."
    return OrgField(name, _elements(name, made, says), is_edited=table.kind is Kind.PATIENT)


def _opt_in(kind: Kind, name: str) -> OrgField:
    _check_name(name)
    what = "file" if kind is Kind.DOCUMENT else "record"
    says = f"Ticked, the {what} becomes {_article(kind)} {kind} in DrChrono, unless it is one already."
    return OrgField(name, _elements(name, _CHECKBOX, says), is_edited=True)


def _article(kind: Kind) -> str:
    return "an" if kind[0] in "aeiou" else "a"


def _of_row(table: Table, row: Row) -> OrgField:
    name, is_edited = row.shown(Side.SALESFORCE), row.direction is Direction.BOTH
    if name.endswith("__c"):
        _check_name(name)
        return OrgField(name, _elements(name, _type(table, row), _described(row)), is_edited=is_edited)
    if table.object.endswith("__c") and name.casefold() not in _OF_CUSTOM_OBJECTS:
        raise _NotAllowed(f"{table.object} has no field {name}; a field of its own ends in __c")
    longest = row.options.max_length
    if table.object.endswith("__c") and longest is not None and longest > _LONGEST_OWN_NAME:
        raise _NotAllowed(f"{name} takes {_LONGEST_OWN_NAME} characters; set max_length = {_LONGEST_OWN_NAME}")
    return OrgField(name, is_edited=is_edited)


def _type(table: Table, row: Row) -> Element:
    codec = row.codec.name
    if codec == "flag":
        return _CHECKBOX
    if codec == "number":
        scale = _DECIMALS if row.options.decimals is None else row.options.decimals
        return {"precision": _DIGITS, "required": False, "scale": scale, "type": "Number"}
    if codec == "enum":
        return _picklist([value for value in row.options.values.values() if value])
    if codec == "reference":
        return _look_up(table, row)
    if codec in _TYPES:
        return _limited(_TYPES[codec], row.options.max_length)
    return _text(row)


def _limited(kind: str, asked: int | None) -> Element:
    longest = _LONGEST.get(kind)
    if longest is not None and asked is not None and asked > longest:
        raise _NotAllowed(f"a field of type {kind} takes {longest} characters; set max_length = {longest}")
    return {"required": False, "type": kind}


def _text(row: Row) -> Element:
    length = row.options.max_length or _LONGEST_TEXT
    if length <= _LONGEST_TEXT:
        return {"length": length, "required": False, "type": "Text"}
    if length > _LONGEST_AREA:
        raise _NotAllowed(f"Salesforce takes {_LONGEST_AREA} characters at most; set max_length = {_LONGEST_AREA}")
    if row.is_identity:
        says = f"more than {_LONGEST_TEXT} characters are a long text, by which Salesforce finds no record"
        raise _NotAllowed(f"{says}; set max_length = {_LONGEST_TEXT}")
    return {"length": length, "type": "LongTextArea", "visibleLines": 5}


def _picklist(values: Sequence[str], labels: Mapping[str, str] | None = None) -> Element:
    if long := [value for value in values if len(value) > _LONGEST_TEXT]:
        raise _NotAllowed(f"a picklist value takes {_LONGEST_TEXT} characters; shorten {long[0][:30]}…")
    if len({value.casefold() for value in values}) < len(values):
        raise _NotAllowed("two picklist values differ in case alone, which Salesforce takes for one; reword one")
    listed = [{"fullName": value, "default": False, "label": (labels or {}).get(value, value)} for value in values]
    return {
        "required": False,
        "type": "Picklist",
        "valueSet": {"restricted": True, "valueSetDefinition": {"sorted": False, "value": listed}},
    }


def _look_up(table: Table, row: Row) -> Element:
    """Give a look-up; what the parent calls its children is told apart where a kind refers to it twice."""
    several = plural_of(table.kind.value.capitalize())
    alike = [one for one in table.rows.values() if one.behind.casefold() == row.behind.casefold()]
    beside = "" if len(alike) == 1 else f"_{_base(row.shown(Side.SALESFORCE))}"
    return {
        "deleteConstraint": "SetNull",
        "referenceTo": _spelled(row.behind),
        "relationshipLabel": several,
        "relationshipName": f"DrChrono_{several}{beside}"[:LONGEST_NAME].rstrip("_"),
        "required": False,
        "type": "Lookup",
    }


def _described(row: Row) -> str:
    says = f"DrChrono's {' and '.join(row.sources)}."
    if row.direction is Direction.TO_SALESFORCE:
        return f"{says} It comes from there alone: an edit made here is put back."
    wins = "a person decides" if row.on_conflict is OnConflict.HOLD else f"{_SIDES[row.owner]}'s value wins"
    return f"{says} Both sides are kept the same; where both changed it, {wins}."


_SIDES = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}
_CHECKBOX: Element = {"defaultValue": False, "type": "Checkbox"}


def _elements(name: str, made: Element, says: str) -> Element:
    return dict(sorted({**made, "description": says, "inlineHelpText": says, "label": label_of(name)}.items()))


def _check_object(table: Table, name: str) -> None:
    if table.kind is Kind.DOCUMENT or name == FILE:
        _check_files(table, name)
    elif name.endswith("__c"):
        _check_name(name)
    elif name.casefold() in _ACTIVITIES:
        raise _NotAllowed(
            f"{name} keeps its custom fields on Activity, where none can be made here; name an own object"
        )
    elif not name.isalnum():
        raise _NotAllowed(f"{name} is neither a standard object nor a custom one; name one that ends in __c")


def _check_files(table: Table, name: str) -> None:
    if name != FILE:
        raise _NotAllowed(f"documents are files, and {name} holds none; name {FILE}")
    if table.kind is not Kind.DOCUMENT:
        raise _NotAllowed(f"{FILE} holds files, and no {table.kind}s; name another object")
    if table.opt_in is None:
        raise _NotAllowed("of an org's files those alone are sent that somebody ticks; name the box with opt_in")


def _check_name(name: str) -> None:
    base = _base(name)
    if "__" in base:
        fixed = re.sub("__+", "_", base)
        says = f"{name} has two underscores in a row, which only what a managed package brings has"
        raise _NotAllowed(f"{says}; name it {fixed}__c")
    if len(base) > LONGEST_NAME:
        says = f"{name} has {len(base)} characters before its ending, and Salesforce takes {LONGEST_NAME}"
        raise _NotAllowed(f"{says}; name it {base[:LONGEST_NAME].rstrip('_')}__c")
    if not _NAME.fullmatch(base):
        raise _NotAllowed(
            f"{name} is no name; use letters, digits and underscores, a letter first and none of these last"
        )


def _spelled(name: str) -> str:
    """Give an object's name as Salesforce writes it, in whatever case it was typed."""
    return _SPELLINGS.get(name.casefold(), name)


def _word(name: str) -> str:
    return _base(name).removeprefix("DrChrono_")


def _base(name: str) -> str:
    return name.removesuffix("__c")


def _status_field(name: str, made: Element, says: str) -> OrgField:
    return OrgField(name, _elements(name, made, says), is_watched=False)


_STATUS_FIELDS = (
    _status_field(
        SYNC_STATUS,
        _picklist([*SyncStatus], {one: one.label for one in SyncStatus}),
        "How the record stands between DrChrono and Salesforce; empty: not synced.",
    ),
    _status_field(
        SYNC_MESSAGE,
        {"length": _LONGEST_TEXT, "required": False, "type": "Text"},
        "What waits or failed, and what to do.",
    ),
    _status_field(SYNCED_AT, {"required": False, "type": "DateTime"}, "When both sides last agreed."),
    _status_field(RECORD_URL, {"required": False, "type": "Url"}, "The record's page in the console of Chronobridge."),
    _status_field(CHART_URL, {"required": False, "type": "Url"}, "The record's page in DrChrono."),
)
