"""Reads a SOQL query into a tree; knows the grammar, and nothing of objects or fields.

What is understood: SELECT fields or COUNT(), FROM, WHERE with AND OR NOT and parentheses, comparisons, LIKE,
IN and NOT IN, ORDER BY, LIMIT, OFFSET. Anything else is a malformed query, as it is for Salesforce.
"""

from dataclasses import dataclass, field
from typing import Any, NoReturn

from tests.standins.salesforce.tokens import tokens, unescaped, unexpected

_CONSTANTS = {"null": ("null", None), "true": ("boolean", True), "false": ("boolean", False)}
_SIGNS = {"=", "!=", "<>", "<", ">", "<=", ">="}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in the query; `kind` is how it was written: string, number, date, datetime, boolean, null."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Compare:
    """One condition; for `in` and `not in` there are many literals, else one."""

    path: str
    sign: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by `and`, `or`; or a single one under `not`."""

    sign: str
    parts: tuple["Compare | Group", ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One term of ORDER BY."""

    path: str
    descending: bool
    nulls_last: bool


@dataclass(slots=True)
class Query:
    """A whole query; `counts` is the argument of COUNT(), empty for the plain form, None when rows are asked for."""

    text: str
    paths: list[str] = field(default_factory=list)
    counts: str | None = None
    kind: str = ""
    where: Compare | Group | None = None
    orders: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0


def parse(text: str) -> Query:
    """The query as a tree.

    Raises
        ApiError  MALFORMED_QUERY

    """
    return _Reader(text).query()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.place = 0

    def query(self) -> Query:
        query = Query(self.text)
        self._expect("select")
        self._select(query)
        self._expect("from")
        query.kind = self._word()
        if self._take("where"):
            query.where = self._either()
        if self._take("order"):
            self._expect("by")
            query.orders.append(self._order())
            while self._take(","):
                query.orders.append(self._order())
        if self._take("limit"):
            query.limit = self._count()
        if self._take("offset"):
            query.offset = self._count()
        if self.tokens[self.place][0] != "end":
            self._unexpected()
        return query

    def _select(self, query: Query) -> None:
        name = self._word()
        if self._take("("):
            if name.lower() != "count":
                self._unexpected()
            query.counts = "" if self._peek() == ")" else self._word()
            self._expect(")")
            return
        query.paths.append(name)
        while self._take(","):
            query.paths.append(self._word())

    def _either(self) -> Compare | Group:
        # SOQL refuses AND beside OR without parentheses: whichever comes first is the only one at its level.
        first = self._condition()
        for sign in ("and", "or"):
            parts = [first]
            while self._take(sign):
                parts.append(self._condition())
            if len(parts) > 1:
                return Group(sign, tuple(parts))
        return first

    def _condition(self) -> Compare | Group:
        if self._take("not"):
            return Group("not", (self._condition(),))
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        path = self._word()
        sign = self._peek().lower()
        if sign in _SIGNS or sign == "like":
            self.place += 1
            return Compare(path, "!=" if sign == "<>" else sign, (self._literal(),))
        sign = "not in" if self._take("not") else "in"
        self._expect("in")
        self._expect("(")
        literals = [self._literal()]
        while self._take(","):
            literals.append(self._literal())
        self._expect(")")
        return Compare(path, sign, tuple(literals))

    def _literal(self) -> Literal:
        kind, text = self.tokens[self.place]
        if kind == "word" and text.lower() in _CONSTANTS:
            kind, value = _CONSTANTS[text.lower()]
        elif kind == "string":
            value = unescaped(text)
        elif kind == "number":
            value = float(text)
        elif kind in {"date", "datetime"}:
            value = text
        else:
            self._unexpected()
        self.place += 1
        return Literal(kind, value)

    def _order(self) -> Order:
        path = self._word()
        descending = self._take("desc")
        if not descending:
            self._take("asc")
        nulls_last = False
        if self._take("nulls"):
            nulls_last = self._take("last")
            if not nulls_last:
                self._expect("first")
        return Order(path, descending, nulls_last)

    def _count(self) -> int:
        kind, text = self.tokens[self.place]
        if kind != "number" or not text.isdigit():
            self._unexpected()
        self.place += 1
        return int(text)

    def _peek(self) -> str:
        return self.tokens[self.place][1] if self.tokens[self.place][0] != "string" else "'"

    def _take(self, wanted: str) -> bool:
        if self._peek().lower() != wanted:
            return False
        self.place += 1
        return True

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            self._unexpected()

    def _word(self) -> str:
        kind, text = self.tokens[self.place]
        if kind != "word":
            self._unexpected()
        self.place += 1
        return text

    def _unexpected(self) -> NoReturn:
        kind, text = self.tokens[self.place]
        raise unexpected("<EOF>" if kind == "end" else text)
