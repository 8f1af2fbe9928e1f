"""Search: the conditions of our queries, values quoted: whom a person means, what concerns us, appointments (pure).

A person's wildcards are taken as what they are.

A name's word is looked for at the beginning of a name and of each of its parts, so `ann` finds Ann, Anna and
Mary Ann, not Joanna: the org need not compare the middle of every name it holds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from simple_salesforce.format import format_soql

from app.sync.mappings.table import Row, Table
from app.sync.model import Kind, Side
from app.sync.patient_search import PatientSearch
from app.vendors.salesforce.wire import long_id, moment

_BEGINS_AN_ID = re.compile(r"\d|a\d", re.ASCII)  # a standard object's, a custom one's: no name
_BEGINNINGS = ("{:like}%", "% {:like}%", "%-{:like}%")
_NATIONAL_DIGITS = 10
_BEFORE_AREA = ("", "(", "1%", "+1%")  # how an American number is written begins with one of these


@dataclass(frozen=True, slots=True)
class Columns:
    """What Salesforce calls the fields a person is known by; empty for one that is not mapped.

    phones, emails  those a person is found by, and that are not shown
    """

    first: str
    last: str
    born: str
    chart: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Table) -> "Columns":
        """Give those of a mapping."""
        rows = (table.row_of(name) for name in ("first_name", "last_name", "date_of_birth", "chart_id"))
        first, last, born, chart = (row.names[Side.SALESFORCE] if row else "" for row in rows)
        return cls(first, last, born, chart, _of_codec(table, "phone"), _of_codec(table, "email"))

    @property
    def selected(self) -> tuple[str, ...]:
        """Those that are there."""
        return tuple(dict.fromkeys(name for name in (self.first, self.last, self.born, self.chart) if name))


def condition(table: Table, wanted: PatientSearch) -> str:
    """Give the condition that finds whom a person may mean, among those that are patients; empty where none can."""
    columns = Columns.of(table)
    who = [_named(columns, word) for word in wanted.names if columns.first or columns.last]
    if wanted.born and columns.born:
        days = [format_soql(f"{columns.born} = {{}}", day) for day in wanted.born]
        who.append(days[0] if len(days) == 1 else f"({' OR '.join(days)})")
    if wanted.phone and columns.phones:
        who.append(_any_of(columns.phones, _written_like(wanted.phone)))
    if wanted.email and columns.emails:
        who.append(_any_of(columns.emails, [format_soql("{:like}%", wanted.email)]))
    ways = [" AND ".join(who)] if who else []
    if wanted.key:
        ways.append(format_soql(f"{table.external_id} = {{}}", wanted.key))
        if columns.chart:
            ways.append(format_soql(f"{columns.chart} LIKE '{{:like}}%'", wanted.key))
        if is_id(wanted.key):
            ways.append(format_soql("Id = {}", long_id(wanted.key)))
    if not ways:
        return ""
    found = ways[0] if len(ways) == 1 else " OR ".join(f"({way})" for way in ways)
    ours = concerned(table)
    return f"({found}) AND {ours}" if ours else f"({found})"


def is_id(text: str) -> bool:
    """Say whether a word is surely one of Salesforce's ids: Salesforce refuses a query for what only looks like one."""
    whole = long_id(text)
    return _BEGINS_AN_ID.match(text) is not None and whole != "" and whole[15:].startswith(text[15:].upper())


def concerned(table: Table) -> str:
    """Give the condition that a record concerns us; empty where every one does."""
    return f"({table.opt_in} = true OR {table.external_id} != null)" if table.opt_in else ""


def of_files(document_ids: Sequence[str]) -> str:
    """Give the condition that a version is one of these Files'."""
    return format_soql("ContentDocumentId IN {}", list(document_ids))


def starts_between(table: Table, begin: datetime, end: datetime) -> tuple[str, str]:
    """Give the condition that a visit starts in a span, and the field it starts by."""
    name = _start(table).names[Side.SALESFORCE]
    return f"{name} >= {moment(begin)} AND {name} < {moment(end)}", name


def to_come(table: Table, doctor_id: str, now: datetime) -> str:
    """Give the condition that a visit is of a doctor, by DrChrono's id, and still to come."""
    doctor = next(row for row in table.rows.values() if row.parent is Kind.DOCTOR)
    return format_soql(f"{doctor.selected[0]} = {{}} AND {_start(table).names[Side.SALESFORCE]} > {{}}", doctor_id, now)


def _start(table: Table) -> Row:
    return next(row for row in table.rows.values() if row.options.zone == table.zoned)


def behind(columns: Columns, last: tuple[str | None, str] | None) -> str:
    """Give the condition of what comes behind the last one of a page: its last name and Id."""
    if last is None:
        return ""
    name, id_ = last
    if not columns.last:
        return format_soql("Id > {}", id_)
    if name is None:  # the nameless come first
        return format_soql(f"({columns.last} != null OR ({columns.last} = null AND Id > {{}}))", id_)
    return format_soql(f"({columns.last} > {{}} OR ({columns.last} = {{}} AND Id > {{}}))", name, name, id_)


def _named(columns: Columns, word: str) -> str:
    names = [name for name in (columns.first, columns.last) if name]
    return _any_of(names, [format_soql(begins, word) for begins in _BEGINNINGS])


def _written_like(phone: str) -> list[str]:
    """Give the patterns of a phone number, whatever stands between its parts in Salesforce."""
    if len(phone) != _NATIONAL_DIGITS:
        return [f"%{phone[:-4]}%{phone[-4:]}%"]
    number = f"{phone[:3]}%{phone[3:-4]}%{phone[-4:]}%"
    return [f"{begins}{number}" for begins in _BEFORE_AREA]


def _any_of(names: Sequence[str], patterns: Sequence[str]) -> str:
    """Give the condition that one of these fields is like one of these patterns, which are quoted."""
    ways = [f"{name} LIKE '{pattern}'" for name in names for pattern in patterns]
    return f"({' OR '.join(ways)})"


def _of_codec(table: Table, codec: str) -> tuple[str, ...]:
    return tuple(row.names[Side.SALESFORCE] for row in table.rows.values() if row.codec.name == codec)
