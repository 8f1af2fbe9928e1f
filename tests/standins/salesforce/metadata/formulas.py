"""The simple part of the formula language: what start conditions of flows are made of.

AND, OR, NOT, ISBLANK, ISNULL, ISCHANGED, ISNEW, ISPICKVAL, PRIORVALUE and TEXT, comparisons for equality, and the
names `$Record`, `$Record__Prior` and `$Permission`. Anything else is beyond this stand-in.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:
      \{!(?P<merge>[^}]+)\}
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<name>\$?[A-Za-z_][\w.$]*)
    | (?P<sign><>|!=|==|&&|\|\||[=!(),])
    | (?P<end>$)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A record that was just saved, as a flow sees it; `before`: what the changed fields held, None for a new one."""

    row: Mapping[str, Any]
    before: Mapping[str, Any] | None
    permissions: frozenset[str]

    def value(self, path: str) -> Any:
        """What a name stands for.

        Raises
            BeyondError  it is none of those that are known here

        """
        head, _, rest = path.partition(".")
        if head == "$Permission":
            return rest.lower() in self.permissions
        if head == "$Record" and rest in self.row:
            return self.row[rest]
        if head == "$Record__Prior" and rest in self.row:
            return (
                self.row[rest] if self.before is not None and rest not in self.before else (self.before or {}).get(rest)
            )
        raise BeyondError(path)

    def prior(self) -> "Saved":
        """The record as it was before, for who asks whether it met a condition then."""
        return Saved({**self.row, **(self.before or {})}, {}, self.permissions)


Value = Callable[[Saved], Any]


class BeyondError(Exception):
    """More than this stand-in can work out."""


def read_formula(text: str) -> Value:
    """The formula as a function of the saved record.

    Raises
        BeyondError  it has a function, a name or a sign that is not known here

    """
    return _Parser(text).whole()


def is_blank(value: Any) -> bool:
    return value is None or value == ""


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal for a flow: empty text is no value."""
    return left == right or (is_blank(left) and is_blank(right))


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while not self._tokens or self._tokens[-1][0] != "end":
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise BeyondError(text[at:])
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._at = 0

    def whole(self) -> Value:
        value = self._either()
        if self._tokens[self._at][0] != "end":
            raise BeyondError(self._tokens[self._at][1])
        return value

    def _take(self, *signs: str) -> str:
        kind, word = self._tokens[self._at]
        if kind == "sign" and word in signs:
            self._at += 1
            return word
        return ""

    def _either(self) -> Value:
        left = self._both()
        while self._take("||"):
            left = _or([left, self._both()])
        return left

    def _both(self) -> Value:
        left = self._compared()
        while self._take("&&"):
            left = _and([left, self._compared()])
        return left

    def _compared(self) -> Value:
        left = self._one()
        sign = self._take("=", "==", "<>", "!=")
        if not sign:
            return left
        right, wanted = self._one(), sign in {"=", "=="}
        return lambda saved: same(left(saved), right(saved)) is wanted

    def _one(self) -> Value:
        if self._take("!"):
            return _not([self._one()])
        if self._take("("):
            inside = self._either()
            self._expect(")")
            return inside
        kind, word = self._tokens[self._at]
        self._at += 1
        if kind == "string":
            return lambda _: word[1:-1]
        if kind == "number":
            return lambda _: float(word)
        if kind == "merge":
            return lambda saved: saved.value(word.strip())
        if kind != "name":
            raise BeyondError(word)
        if word.lower() in {"true", "false", "null"}:
            return lambda _: {"true": True, "false": False, "null": None}[word.lower()]
        if self._take("("):
            return self._called(word.upper())
        return lambda saved: saved.value(word)

    def _called(self, name: str) -> Value:
        if name in {"ISCHANGED", "PRIORVALUE"}:
            kind, path = self._tokens[self._at]
            self._at += 1
            self._expect(")")
            field = path.strip().removeprefix("$Record.")
            if kind not in {"merge", "name"} or "." in field:
                raise BeyondError(path)
            if name == "PRIORVALUE":
                return lambda saved: saved.value(f"$Record__Prior.{field}")
            return lambda saved: saved.before is not None and field in saved.before
        given = []
        while not self._take(")"):
            given.append(self._either())
            if not self._take(","):
                self._expect(")")
                break
        if name not in _FUNCTIONS:
            raise BeyondError(name)
        return _FUNCTIONS[name](given)

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise BeyondError(self._tokens[self._at][1])


def _and(given: list[Value]) -> Value:
    return lambda saved: all(one(saved) for one in given)


def _or(given: list[Value]) -> Value:
    return lambda saved: any(one(saved) for one in given)


def _not(given: list[Value]) -> Value:
    return lambda saved: not given[0](saved)


_FUNCTIONS: dict[str, Callable[[list[Value]], Value]] = {
    "AND": _and,
    "OR": _or,
    "NOT": _not,
    "ISBLANK": lambda given: lambda saved: is_blank(given[0](saved)),
    "ISNULL": lambda given: lambda saved: is_blank(given[0](saved)),
    "ISNEW": lambda _: lambda saved: saved.before is None,
    "ISPICKVAL": lambda given: lambda saved: same(given[0](saved), given[1](saved)),
    "TEXT": lambda given: given[0],
}
