"""Answers a SOQL query: binds its names to objects and fields, finds the rows, sorts them, and writes them out.

Rows named by Id, by an indexed field or by a recent SystemModstamp are found without a scan, so that a lookup
of 200 external ids costs the same in an org of a hundred and in one of a hundred thousand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from tests.standins.salesforce import files
from tests.standins.salesforce.conditions import Getter, candidates, test_for
from tests.standins.salesforce.errors import ApiError
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.schema import Field
from tests.standins.salesforce.soql import Query, parse

Write = Callable[[Row, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a query, and how to write each of them out for an API version."""

    rows: list[Row]
    write: Write
    total: int


def run(org: Org, text: str, *, deleted: bool) -> Found:
    """Runs the query; `deleted` lets records in the recycle bin be found too.

    Raises
        ApiError  MALFORMED_QUERY, INVALID_TYPE, INVALID_FIELD, INVALID_QUERY_FILTER_OPERATOR

    """
    query = parse(text)
    table = org.visible(query.kind)
    if table is None:
        raise _pointing(
            query,
            query.kind,
            "INVALID_TYPE",
            f"sObject type '{query.kind}' is not supported. If you are attempting to use a custom object, be sure to "
            "append the '__c' after the entity name.",
        )

    def find(path: str) -> tuple[Field, Getter]:
        return _find(org, query, table, path)

    files.check_query(org, query, table)
    write = _writer(org, query, table, query.paths)
    orders = [(find(order.path), order) for order in query.orders]
    rows = _matching(org, query, table, find, deleted=deleted)
    if query.counts is not None:
        return _count(query, rows, find)
    for (column, get), order in reversed(orders):
        _sort(rows, column, get, descending=order.descending, nulls_last=order.nulls_last)
    if query.offset or query.limit is not None:
        rows = rows[query.offset :][: query.limit]
    return Found(rows, write, len(rows))


def _matching(org: Org, query: Query, table: Table, find: Any, *, deleted: bool) -> list[Row]:
    test = test_for(query.where, find)
    if table.kind.name == "UserPermissionAccess":
        return [files.permissions(org, table)]
    rows = candidates(query.where, table, org.tables)
    if rows is None:
        rows = list(table.rows.values())
    elif deleted:
        # Field indexes hold the living only.
        binned = (grave.row for grave in table.graves.values() if not grave.is_purged)
        rows = list({row["Id"]: row for row in (*rows, *binned)}.values())
    found = [row for row in rows if (deleted or not row["IsDeleted"]) and test(row)]
    return files.shown_by(org, query, table, found)


def _count(query: Query, rows: list[Row], find: Any) -> Found:
    if not query.counts:
        return Found([], lambda _row, _version: {}, len(rows))
    get = find(query.counts)[1]
    count = sum(get(row) is not None for row in rows)
    return Found([{}], lambda _row, _version: {"attributes": {"type": "AggregateResult"}, "expr0": count}, 1)


def _sort(rows: list[Row], column: Field, get: Getter, *, descending: bool, nulls_last: bool) -> None:
    empty = [row for row in rows if get(row) is None]
    if column.exact:
        full = sorted((row for row in rows if get(row) is not None), key=get, reverse=descending)
    else:
        full = sorted(
            (row for row in rows if get(row) is not None), key=lambda row: get(row).lower(), reverse=descending
        )
    rows[:] = full + empty if nulls_last else empty + full


def _find(org: Org, query: Query, table: Table, path: str) -> tuple[Field, Getter]:
    name, _, rest = path.partition(".")
    if rest and name.lower() == table.kind.name.lower():
        return _find(org, query, table, rest)
    if rest:
        lookup = table.kind.relationships.get(name.lower())
        if lookup is not None and lookup.parents and rest.lower() in _OF_ANY:
            return _of_any(org, lookup, _OF_ANY[rest.lower()])
        parents = org.visible(lookup.parent or "") if lookup else None
        if lookup is None or parents is None:
            message = (
                f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom "
                "relationship, be sure to append the '__r' after the custom relationship name."
            )
            raise _pointing(query, path, "INVALID_FIELD", message)
        column, get = _find(org, query, parents, rest)
        here = lookup.name

        def through(row: Row) -> Any:
            parent = parents.rows.get(row[here])
            return None if parent is None else get(parent)

        return column, through
    known = table.kind.field(name)
    if known is None:
        raise _pointing(query, path, "INVALID_FIELD", f"No such column '{name}' on entity '{table.kind.name}'.")
    return known, itemgetter(known.name)


# What of a record can be asked for whatever object it is of.
_OF_ANY = {"type": "Type", "name": "Name", "id": "Id"}


def _of_any(org: Org, lookup: Field, name: str) -> tuple[Field, Getter]:
    tables = [org.tables[parent.lower()] for parent in lookup.parents]

    def get(row: Row) -> Any:
        found = ((one, one.rows.get(row[lookup.name])) for one in tables)
        one, parent = next(((one, parent) for one, parent in found if parent is not None), (None, None))
        if one is None or parent is None:
            return None
        return one.kind.name if name == "Type" else parent.get(name)

    return Field(name, "id" if name == "Id" else "string"), get


def _pointing(query: Query, word: str, code: str, message: str) -> ApiError:
    # The real message repeats the query and points at the word, so it carries whatever values the query held.
    place = max(0, query.text.find(word))
    pointer = f"\n{query.text}\n{' ' * place}^\nERROR at Row:1:Column:{place + 1}\n"
    return ApiError(code, pointer + message)


def _writer(org: Org, query: Query, table: Table, paths: list[str]) -> Write:
    """Writes a row with its chosen fields, in the order they were asked for; relationships nest."""
    names: list[str] = []
    nested: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        if rest and name.lower() == table.kind.name.lower():
            name, rest = rest, ""
        column = _find(org, query, table, path)[0]
        if rest:
            nested.setdefault(table.kind.relationships[name.lower()].relationship or "", []).append(rest)
        elif column.name in names:
            raise _pointing(query, path, "INVALID_FIELD", f"duplicate field selected: {column.name}")
        else:
            names.append(column.name)
    kind = table.kind.name
    below: list[tuple[str, Callable[[Row, str], Any]]] = []
    for relationship, rests in nested.items():
        lookup = table.kind.relationships[relationship.lower()]
        if lookup.parents:
            below.append((relationship, _any_writer(org, lookup, rests)))
            continue
        parents = org.table(lookup.parent or "")
        below.append((relationship, _parent_writer(lookup.name, parents, _writer(org, query, parents, rests))))
    files_in = frozenset(name for name in names if table.kind.fields[name].kind == "base64")

    def write(row: Row, version: str) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "attributes": {"type": kind, "url": f"/services/data/{version}/sobjects/{kind}/{row['Id']}"}
        }
        for name in names:
            answer[name] = files.address(version, kind, row, name) if name in files_in else row[name]
        for relationship, write_parent in below:
            answer[relationship] = write_parent(row, version)
        return answer

    return write


def _parent_writer(lookup: str, parents: Table, write: Write) -> Callable[[Row, str], Any]:
    def write_parent(row: Row, version: str) -> Any:
        parent = parents.rows.get(row[lookup])
        return None if parent is None else write(parent, version)

    return write_parent


def _any_writer(org: Org, lookup: Field, names: list[str]) -> Callable[[Row, str], Any]:
    gets = {_OF_ANY[name.lower()]: _of_any(org, lookup, _OF_ANY[name.lower()])[1] for name in names}

    def write_any(row: Row, version: str) -> Any:
        url = f"/services/data/{version}/sobjects/Name/{row[lookup.name]}"
        said = {name: get(row) for name, get in gets.items()}
        return {"attributes": {"type": "Name", "url": url}, **said} if row[lookup.name] else None

    return write_any
