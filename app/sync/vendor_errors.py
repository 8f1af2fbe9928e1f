"""Salesforce's error codes: what a code means, and which one a message names, whatever code it came with.

The table is `vendor_errors.toml`; a row is a meaning with all its codes. Salesforce says many things by one code: a
trigger that failed may have met a lock, a limit or an org in maintenance, and only the message tells. So words that
name such a thing count as that thing. A message about a value holds people's text, and no word in it counts.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import translate
from pathlib import Path
from typing import Any

from app.sync.model import FailureCause, FailureClass, RefusalScope


@dataclass(frozen=True, slots=True)
class _Meaning:
    """A row of the table.

    codes    what Salesforce calls it; the first one is told where its words were found with another code
    names    what names it in a message that may hold a person's words; `phrases`: in any other, whatever the case
    quotes   its message holds a person's words
    creates  only new records are refused
    size     fewer records in a call go through
    """

    cause: FailureCause
    codes: tuple[str, ...]
    names: re.Pattern[str] | None
    phrases: re.Pattern[str] | None
    quotes: bool
    creates: bool
    size: bool


def _read(rows: Mapping[str, Mapping[str, Any]]) -> tuple[_Meaning, ...]:
    return tuple(_meaning(row) for row in rows.values())


def _meaning(row: Mapping[str, Any]) -> _Meaning:
    codes, words = tuple(row["codes"].split()), row.get("words", ())
    scope = RefusalScope(row.get("scope", RefusalScope.RECORD))
    cause = FailureCause(codes[0], FailureClass(row["class"]), row["fix"], passes=row.get("passes", False), scope=scope)
    names = [one for one in words if any(letter.isupper() for letter in one)]
    phrases = [one for one in words if one not in names]
    return _Meaning(
        cause,
        codes,
        re.compile("|".join(names)) if names else None,
        re.compile("|".join(phrases), re.IGNORECASE | re.DOTALL) if phrases else None,
        row.get("quotes", False),
        row.get("creates", False),
        row.get("size", False),
    )


_MEANINGS = _read(tomllib.loads(Path(__file__).with_suffix(".toml").read_text()))
_BY_CODE = {code: one for one in _MEANINGS for code in one.codes if "*" not in code}
_BY_FORM = [(re.compile(translate(code)), one) for one in _MEANINGS for code in one.codes if "*" in code]
_ABOUT_VALUES = frozenset({FailureClass.VALUE, FailureClass.MISSING, FailureClass.IDENTITY})
ROWS = tuple(replace(one.cause, name=code) for code, one in _BY_CODE.items())


def of_its_kind(code: str) -> FailureCause | None:
    """Give what a code means that has no row of its own, by its form; None where it is none of Salesforce's."""
    found = _meaning_of(code)
    return None if found is None else replace(found.cause, name=code)


def cause_named(code: str, message: str) -> str:
    """Give the cause that a refusal tells: what its message names, where that is more than the code says."""
    meant = _meaning_of(code)
    if meant is not None and meant.cause.group in _ABOUT_VALUES:
        return code
    is_quoted = meant is not None and meant.quotes
    for one in _MEANINGS:
        named = one.names is not None and one.names.search(message)
        said = not is_quoted and one.phrases is not None and one.phrases.search(message)
        if named or said:
            return code if code in one.codes else one.codes[0]
    return code


def refuses_only_new(cause: str) -> bool:
    """Say whether what a cause speaks of keeps the org from new records alone."""
    found = _meaning_of(cause)
    return found is not None and found.creates


def is_about_size(cause: str) -> bool:
    """Say whether a cause speaks of how much was in a call, so that fewer records go through."""
    found = _meaning_of(cause)
    return found is not None and found.size


def _meaning_of(code: str) -> _Meaning | None:
    return _BY_CODE.get(code) or next((one for form, one in _BY_FORM if form.fullmatch(code)), None)
