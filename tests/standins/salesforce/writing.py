"""Every rule a write must pass, and the write itself: create, update, upsert.

Two steps. `prepare` judges one record and changes nothing; `carry_out` stores what was prepared. A collections
call prepares all its records before it stores the first, which is what makes all-or-none a matter of not starting.
"""

import re
from dataclasses import dataclass
from typing import Any

from tests.standins.salesforce import files
from tests.standins.salesforce.addresses import check_addresses
from tests.standins.salesforce.errors import NO_SUCH_COLUMN, ApiError, RecordError
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.persons import check_person, is_person
from tests.standins.salesforce.records import Row, Table, key_of
from tests.standins.salesforce.rules import (
    Call,
    check_assignment,
    check_duplicates,
    check_faults,
    check_object,
    check_org,
    check_required,
    check_unique,
    check_validation,
    rewritten,
)
from tests.standins.salesforce.schema import Field
from tests.standins.salesforce.values import normalise

_IDS = frozenset({"id", "attributes"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A write that will succeed: `row` is None for a create."""

    table: Table
    row: Row | None
    values: Row


def prepare(call: Call, table: Table, body: Row, row: Row | None = None, *, key: Row | None = None) -> Prepared:
    """Judges the write of `body` to `row` (None: a new record, with the external id in `key`).

    Raises
        RecordError  the record is refused
        ApiError     the body cannot be read: the whole call is

    """
    if not call.human:
        check_object(table, row)
        check_org(call.org, row)
    values = dict(key or {})
    plain = table.kind.plain
    problem: RecordError | None = None
    for name, raw in body.items():
        try:
            if name in plain:
                values[name] = normalise(plain[name], raw)
            elif name.lower() not in _IDS:
                column, value = _read(call, table, name, raw, new=row is None)
                values[column.name] = value
        except RecordError as error:
            # Keep reading: a value of the wrong kind further on fails the call, whatever this record did.
            problem = problem or error
    if problem:
        raise problem
    check_required(table, values, row, filled=("Name",) if is_person(call.org, table, values, row) else ())
    check_person(call.org, table, values, row)
    check_assignment(call.org, table, values)
    check_addresses(table, values, row, human=call.human)
    files.check(call, table, values, row)
    check_unique(call, table, values, row)
    check_validation(call.org, table, values, row)
    if not call.human:
        check_faults(call.org, table, values, row)
        check_duplicates(call, table, values, row)
    for column in table.kind.unique:
        if values.get(column.name) is not None:
            call.claims.add((table.kind.name, column.name, key_of(column, values[column.name])))
    return Prepared(table, row, values)


def carry_out(call: Call, write: Prepared) -> Row:
    """Stores the write and notes it in the journal; gives the record."""
    table, row, stored = write.table, write.row, rewritten(call.org, write.table, write.values)
    values, call.rewritten = {**write.values, **stored}, {name: write.values[name] for name in stored}
    if row is None:
        op, changed = "created", [name for name, value in values.items() if value is not None]
        call.before = None
        row = table.blank()
        row.update(values, CreatedDate=call.stamp, CreatedById=call.user)
        files.complete(call, table, row)
        _mark(call, row)
        _name(table, row)
        table.add(row)
    else:
        changed = [name for name, value in values.items() if row[name] != value]
        op = "updated" if changed else "unchanged"
        call.before = {name: row[name] for name in changed}
        table.change(row, values)
        _mark(call, row)
        _name(table, row)
        table.touch(row)
    note(call, table, row, op, values, changed)
    files.follow(call, table, row, op, values)
    return row


def note(call: Call, table: Table, row: Row, op: str, values: Row, changed: list[str]) -> None:
    """Writes the change down: a person's among the edits, a program's among the writes; and tells who listens."""
    if call.human:
        edit = {"at": call.stamp, "object": table.kind.name, "id": row["Id"], "op": op}
        call.org.edits.append({**edit, "values": dict(values), "changed": changed})
    else:
        call.org.writes.append((call.stamp, table.kind.name, row["Id"], op, list(values), changed))
    for tell in call.org.listeners:
        tell(call, table, row, op, changed)


def _mark(call: Call, row: Row) -> None:
    row["LastModifiedDate"] = row["SystemModstamp"] = call.stamp
    row["LastModifiedById"] = call.user


def numbered(shown_as: str, number: int) -> str:
    """An automatic number in the form that its field has: `{000000}` stands for its digits."""
    return re.sub(r"\{(0+)\}", lambda digits: str(number).zfill(len(digits[1])), shown_as)


def _name(table: Table, row: Row) -> None:
    if table.kind.name_is == "joined":
        row["Name"] = f"{row['FirstName'] or ''} {row['LastName']}".strip()
    elif table.kind.name_is == "numbered":
        row["Name"] = row["Name"] or numbered(table.kind.number_format, table.minted)
    elif "Name" in row:
        row["Name"] = row["Name"] or row["Id"]


def _read(call: Call, table: Table, name: str, raw: Any, *, new: bool) -> tuple[Field, Any]:
    # A person at the screen is not the integration user, and is not bound by what that one may.
    kind = table.kind
    column = kind.field(name, unseen=call.human)
    if column is None:
        column = kind.relationships.get(name.lower())
        if column is None:
            raise RecordError("INVALID_FIELD", NO_SUCH_COLUMN.format(name=name, kind=kind.name), None)
        _refuse_unwritable(call, column, new=new)
        return column, _parent(call.org, column, raw)
    _refuse_unwritable(call, column, new=new)
    value = normalise(column, raw)
    if value is not None and (column.parent or column.parents):
        parents = [call.org.tables[name.lower()] for name in (column.parent, *column.parents) if name]
        parent = next((row for one in parents if (row := one.get(value)) is not None), None)
        if parent is None or parent["IsDeleted"]:
            raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [column.name])
    return column, value


def _refuse_unwritable(call: Call, column: Field, *, new: bool) -> None:
    if not (column.writable if call.human else column.may_be_written(new=new)):
        message = (
            f"Unable to create/update fields: {column.name}. Please check the security settings of this field "
            "and verify that it is read/write for your profile or permission set."
        )
        raise RecordError("INVALID_FIELD_FOR_INSERT_UPDATE", message, [column.name])


def _parent(org: Org, column: Field, raw: Any) -> str | None:
    if raw is None:
        return None
    named = {name: value for name, value in raw.items() if name != "attributes"} if isinstance(raw, dict) else {}
    table = org.tables[(column.parent or "").lower()]
    keys = [(table.kind.field(name), value) for name, value in named.items()]
    if len(keys) != 1 or keys[0][0] is None or not keys[0][0].external_id:
        message = f"{column.relationship}: one external id or indexed field of {table.kind.name} must be given"
        raise RecordError("INVALID_FIELD", message, [column.name])
    key, value = keys[0][0], normalise(keys[0][0], keys[0][1])
    found = table.find(key, value)
    if not found:
        message = f"Foreign key external ID: {value} not found for field {key.name} in entity {table.kind.name}"
        raise RecordError(org.settings.missing_parent, message)
    if len(found) > 1:
        raise RecordError("DUPLICATE_EXTERNAL_ID", f"more than one record found for external id field: {value}")
    return str(found[0]["Id"])


def refuse_unreadable(body: Any) -> Row:
    """The body as an object, which every record must be.

    Raises
        ApiError  it is something else

    """
    if not isinstance(body, dict):
        raise ApiError("JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]")
    return body
