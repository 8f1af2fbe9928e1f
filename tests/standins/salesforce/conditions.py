"""Turns the conditions of a query into a function of one row, and finds the rows worth asking it about.

Comparison is Salesforce's: text ignores case unless the field is a unique, case-sensitive external id; `!=` and
NOT IN let null through, ordering does not; a literal written in the wrong form for its field is an error.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.standins.salesforce.errors import ApiError
from tests.standins.salesforce.ids import canonical
from tests.standins.salesforce.records import Row, Table, key_of
from tests.standins.salesforce.schema import FILTERABLE_TEXT, Field
from tests.standins.salesforce.soql import Compare, Group, Literal
from tests.standins.salesforce.tokens import PLAIN_PERCENT, PLAIN_UNDERSCORE
from tests.standins.salesforce.values import read_moment, stamp

Getter = Callable[[Row], Any]
Test = Callable[[Row], bool]
# Finds the field at the end of a dotted path, and how to get at its value.
Finder = Callable[[str], tuple[Field, Getter]]


def test_for(where: Compare | Group | None, find: Finder) -> Test:
    """A function that says whether a row meets the conditions."""
    if where is None:
        return lambda _row: True
    if isinstance(where, Compare):
        return _comparison(where, *find(where.path))
    tests = [test_for(part, find) for part in where.parts]
    if where.sign == "not":
        return lambda row: not tests[0](row)
    if where.sign == "and":
        return lambda row: all(test(row) for test in tests)
    return lambda row: any(test(row) for test in tests)


def candidates(where: Compare | Group | None, table: Table, tables: Mapping[str, Table]) -> list[Row] | None:
    """The live rows among which every match lies, found by index; None when only a scan will do."""
    if isinstance(where, Group):
        found = [candidates(part, table, tables) for part in where.parts]
        known = [rows for rows in found if rows is not None]
        if where.sign == "and" and known:
            return min(known, key=len)
        if where.sign == "or" and len(known) == len(found):
            return list({row["Id"]: row for rows in known for row in rows}.values())
        return None
    if where is None:
        return None
    name, _, rest = where.path.partition(".")
    lookup = table.kind.relationships.get(name.lower())
    if lookup and lookup.parent and rest and not any(literal.kind == "null" for literal in where.literals):
        parents = candidates(replace(where, path=rest), tables[lookup.parent.lower()], tables)
        return None if parents is None else table.find_all(lookup, [parent["Id"] for parent in parents])
    column = table.kind.field(where.path)
    if column is None:
        return None
    if column.name == "SystemModstamp" and where.sign in {">", ">=", "="}:
        return table.moved_since(str(key_in(column, where.literals[0])))
    if where.sign not in {"=", "in"}:
        return None
    if column.name == "Id":
        keys = dict.fromkeys(key_in(column, literal) for literal in where.literals)
        return [row for key in keys if (row := table.rows.get(key)) is not None]
    if table.has_index(column.name):
        keys = dict.fromkeys(key_in(column, literal) for literal in where.literals)
        return table.find_all(column, keys) if None not in keys else None
    return None


def key_in(column: Field, literal: Literal) -> Any:
    """The literal in the form the field's values are compared in.

    Raises
        ApiError  INVALID_FIELD, INVALID_QUERY_FILTER_OPERATOR

    """
    if literal.kind == "null":
        return None
    wanted = (
        "string"
        if column.kind in FILTERABLE_TEXT
        else {"double": "number", "int": "number"}.get(column.kind, column.kind)
    )
    if literal.kind != wanted:
        quotes = "should be" if wanted == "string" else "should not be"
        message = f"value of filter criterion for field '{column.name}' must be of type {wanted} and {quotes} "
        raise ApiError("INVALID_FIELD", f"{message}enclosed in quotes")
    if column.kind in {"id", "reference"}:
        known = canonical(literal.value)
        if known is None:
            raise ApiError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {literal.value}")
        return known
    if wanted == "datetime":
        moment = read_moment(literal.value)
        if moment is None:
            raise ApiError("MALFORMED_QUERY", f"Invalid datetime: {literal.value}")
        return stamp(moment)
    if wanted == "string":
        plain = literal.value.replace(PLAIN_UNDERSCORE, "_").replace(PLAIN_PERCENT, "%")
        return key_of(column, plain or None)
    return literal.value


def _comparison(compare: Compare, column: Field, get: Getter) -> Test:
    if not column.filterable:
        raise ApiError("INVALID_FIELD", f"field '{compare.path}' can not be filtered in a query call")
    if compare.sign == "like":
        return _like(compare, column, get)
    keys = [key_in(column, literal) for literal in compare.literals]
    held = get if column.exact else _lowered(get)
    if compare.sign in {"in", "not in"}:
        return _among(held, keys, inside=compare.sign == "in")
    key = keys[0]
    match compare.sign:
        case "=":
            return lambda row: held(row) == key
        case "!=":
            return lambda row: held(row) != key
        case "<":
            return lambda row: key is not None and (value := held(row)) is not None and value < key
        case ">":
            return lambda row: key is not None and (value := held(row)) is not None and value > key
        case "<=":
            return lambda row: key is not None and (value := held(row)) is not None and value <= key
    return lambda row: key is not None and (value := held(row)) is not None and value >= key


def _lowered(get: Getter) -> Getter:
    return lambda row: value.lower() if (value := get(row)) is not None else None


def _among(held: Getter, keys: Iterable[Any], *, inside: bool) -> Test:
    among = frozenset(keys)
    return (lambda row: held(row) in among) if inside else (lambda row: held(row) not in among)


def _like(compare: Compare, column: Field, get: Getter) -> Test:
    literal = compare.literals[0]
    if column.kind not in FILTERABLE_TEXT or column.kind in {"id", "reference"} or literal.kind != "string":
        raise ApiError("INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {column.kind} field")
    wild = {"%": ".*", "_": ".", PLAIN_PERCENT: "%", PLAIN_UNDERSCORE: "_"}
    pattern = re.compile(
        "".join(wild.get(letter) or re.escape(letter) for letter in literal.value),
        re.DOTALL if column.exact else re.DOTALL | re.IGNORECASE,
    )
    return lambda row: (value := get(row)) is not None and pattern.fullmatch(value) is not None
