"""One small codec per sort of value, by name: how a side writes it, and when two values are equal.

A codec reads a side's raw value into a tidy one (a string, or None for empty), writes the tidy one back, and gives
its *normal* form. Tidy values travel as people typed them; only normal forms are compared, so `(555) 010-0142` and
`555-010-0142` are the same phone. A value a codec cannot carry is answered by `Unfit`, never trimmed in silence.
Raise a codec's `version` whenever its normal form changes: bases made by the old one then count as absent.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from app.sync.model import Side


class Unfit(ValueError):  # noqa: N818
    """A value has no counterpart; the message is a stable reason that names no value."""


@dataclass(frozen=True, slots=True)
class FieldLimits:
    """What the org takes in a field, as it says itself; None, or nothing, where it has not said.

    length       of a text, in characters
    values       those of a restricted picklist
    digits       of a number: how many before the point, and behind it
    is_required  whether it is never empty
    states       state in two letters, or None for none -> what to write, field by field, where the org has a list of
                 states; `state_names`: each name of that list, folded -> the two letters
    """

    length: int | None = None
    values: frozenset[str] | None = None
    digits: tuple[int, int] | None = None
    is_required: bool = False
    states: Mapping[str | None, Mapping[str, str | None]] | None = None
    state_names: Mapping[str, str] = field(default_factory=dict)

    def taken(self, name: str, value: Any) -> Mapping[str, Any]:
        """Give what to write of a value that a codec gave for a field, by the names of fields.

        Raises  Unfit for what the org would refuse, or change by itself
        """
        if value is None and self.is_required:
            raise Unfit("required_by_salesforce")
        if self.states is not None:
            if value not in self.states:
                raise Unfit("state_not_listed")
            return self.states[value]
        if isinstance(value, str):
            if self.length is not None and len(value) > self.length:
                raise Unfit("too_long")
            if self.values is not None and value not in self.values:
                raise Unfit("not_in_picklist")
        if self.digits is not None and isinstance(value, int | float) and not isinstance(value, bool):
            number, (whole, decimals) = Decimal(str(value)).normalize(), self.digits
            if number and number.adjusted() >= whole:
                raise Unfit("number_out_of_range")
            if _places(number) > decimals:
                raise Unfit("too_many_decimals")
        return {name: value}


@dataclass(frozen=True, slots=True)
class Options:
    """What a row of the mapping may say to its codec, and what the org does.

    max_length  the longest text Salesforce's field takes, in characters
    decimals    how many digits behind the point Salesforce's field takes
    values      DrChrono's value -> Salesforce's, for `enum`; an empty one is none
    to          the kind a `reference` points at; `key` that kind's external id in Salesforce
    local       the row that carries a `local_time` to Salesforce as it reads; `zone` the one that carries its zone
    limits      what the org says of the field; no mapping file says it
    """

    max_length: int | None = None
    decimals: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    to: str = ""
    key: str = ""
    local: str = ""
    zone: str = ""
    limits: FieldLimits = FieldLimits()


@dataclass(frozen=True, slots=True)
class Codec:
    """How one sort of value is read, written and compared."""

    name: str
    version: int
    read: Callable[[Side, Any, Options], str | None]
    write: Callable[[Side, str | None, Options], Any]
    normal: Callable[[str | None], str | None]
    options: frozenset[str] = frozenset()


# legal in JSON and in no XML; the first of them in no PostgreSQL either
_CARRIED_NOWHERE = dict.fromkeys((*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0xFFFE, 0xFFFF))


def tidy(raw: Any) -> str | None:
    """Give text without its margins and what nothing carries, None when nothing is left.

    Raises  Unfit for what is no text
    """
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise Unfit("not_text")
    try:
        text = str(raw).replace("\r\n", "\n").replace("\r", "\n").translate(_CARRIED_NOWHERE).strip()
        text.encode()
    except ValueError:  # half a letter: legal in JSON, but no encoding carries it; or a number without end
        raise Unfit("not_text") from None
    return text or None


def whole(raw: Any, reason: str) -> str | None:
    """Give text as `tidy` does, of a number, a day or a time: what has lost a part is another one.

    Raises  Unfit
    """
    value = tidy(raw)
    if isinstance(raw, str) and value is not None and value != raw.strip():
        raise Unfit(reason)
    return value


_LONGEST_ID = 64
_SALESFORCE_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", re.ASCII)


def record_id(raw: Any, side: Side = Side.DRCHRONO) -> str | None:
    """Give the id of a record of a side as text, None where there is none.

    Every id that comes from a vendor goes through here, a reference and a place in a series too. Nothing is cut or
    dropped: what is left would be another record's.

    Raises  Unfit for what is no id: not printable, longer than 64 characters, or but a step in a path; one of
            Salesforce's has 15 letters and digits, or 18
    """
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise Unfit("not_text")
    if isinstance(raw, int) and abs(raw) >= 10**_LONGEST_ID:
        raise Unfit("not_an_id")
    text = str(raw).strip()
    is_whole = len(text) <= _LONGEST_ID and text.isprintable() and text.strip(".")
    if text and not (_SALESFORCE_ID.fullmatch(text) if side is Side.SALESFORCE else is_whole):
        raise Unfit("not_an_id")
    return text or None


def is_record_id(raw: Any, side: Side = Side.DRCHRONO) -> bool:
    """Say whether something is the id of a record of a side."""
    try:
        return record_id(raw, side) is not None
    except Unfit:
        return False


def empty(side: Side) -> str | None:
    """Empty text is null in Salesforce and an empty string in DrChrono."""
    return None if side is Side.SALESFORCE else ""


def _read_text(_side: Side, raw: Any, _options: Options) -> str | None:
    return tidy(raw)


def write_text(side: Side, value: str | None, options: Options) -> str | None:
    """Give a text as a side takes it.

    Raises  Unfit for one that is longer than Salesforce's field
    """
    if value is None:
        return empty(side)
    if options.max_length is not None and len(value) > options.max_length:
        raise Unfit("too_long")
    return value


def _as_is(value: str | None) -> str | None:
    return value


def _folded(value: str | None) -> str | None:
    return None if value is None else value.casefold()


def _read_enum(side: Side, raw: Any, options: Options) -> str | None:
    value = tidy(raw)
    known = options.values if side is Side.DRCHRONO else {there: here for here, there in options.values.items()}
    if value is None:  # one of DrChrono's values may mean none
        return next((here for here, there in options.values.items() if not there), None)
    if value not in known:
        raise Unfit("unknown_value")
    return value if side is Side.DRCHRONO else known[value]


def _write_enum(side: Side, value: str | None, options: Options) -> str | None:
    if value is None:
        return empty(side)
    if value not in options.values:
        raise Unfit("unknown_value")
    return value if side is Side.DRCHRONO else options.values[value] or None


def _read_date(_side: Side, raw: Any, _options: Options) -> str | None:
    value = whole(raw, "not_a_date")
    if value is None:
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise Unfit("not_a_date") from None


FIRST_YEAR, LAST_YEAR = 1700, 4000  # of Salesforce's dates, and of its instants


def _write_date(side: Side, value: str | None, _options: Options) -> str | None:
    if value is not None and side is Side.SALESFORCE and not FIRST_YEAR <= int(value[:4]) <= LAST_YEAR:
        raise Unfit("date_out_of_range")
    return value  # both sides take null for an empty date


_EXTENSION = re.compile(r"(?:ext\.?|extension|x|#)\s*(\d+)\s*$", re.IGNORECASE)
_NATIONAL_DIGITS = 10


def _normal_phone(value: str | None) -> str | None:
    """Give the digits alone: without the leading 1 of North America, with `x` before an extension."""
    if value is None:
        return None
    found = _EXTENSION.search(value)
    extension = f"x{found[1]}" if found else ""
    digits = re.sub(r"\D", "", value[: found.start()] if found else value)
    if len(digits) == _NATIONAL_DIGITS + 1 and digits.startswith("1"):
        digits = digits[1:]
    return (digits + extension) or value.casefold()


def _read_number(_side: Side, raw: Any, _options: Options) -> str | None:
    """Read 30, 30.0 and "30.00" as the same text; DrChrono gives decimals as strings."""
    value = whole(raw, "not_a_number")
    if value is None:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise Unfit("not_a_number") from None
    if not number.is_finite() or abs(number) >= _LARGEST or (number and number.adjusted() < -_MOST_PLACES):
        raise Unfit("not_a_number")
    return f"{number.normalize() + 0:f}"


_LARGEST = 10**15  # above it a float is not exact
_MOST_PLACES = 15  # a smaller one is nothing that anybody has measured, and may be of millions of digits


def _write_number(side: Side, value: str | None, options: Options) -> int | float | str | None:
    """Give a number as a side takes it.

    Raises  Unfit for one that Salesforce's field would round
    """
    if value is None:
        return None
    number = Decimal(value)
    if side is Side.SALESFORCE and options.decimals is not None and _places(number) > options.decimals:
        raise Unfit("too_many_decimals")
    if number == number.to_integral_value():
        return int(number)
    return float(number) if side is Side.SALESFORCE else value


def _places(number: Decimal) -> int:
    return -int(number.normalize().as_tuple().exponent)


def _read_flag(_side: Side, raw: Any, _options: Options) -> str | None:
    """Read yes as text and no as empty: a checkbox knows no third state."""
    text = str(raw) if isinstance(raw, bool) else tidy(raw)
    if text is None or text.casefold() in ("false", "0"):
        return None
    if text.casefold() in ("true", "1"):
        return "true"
    raise Unfit("not_a_flag")


def _write_flag(_side: Side, value: str | None, _options: Options) -> bool:
    return value is not None


def _read_reference(side: Side, raw: Any, options: Options) -> str | None:
    """Read the other record's DrChrono id, wherever it stands: it is the reference on both sides."""
    if side is Side.DRCHRONO or raw is None:
        return None if raw == 0 else record_id(raw)
    key = record_id(raw.get(options.key)) if isinstance(raw, dict) else None
    if key is None:
        raise Unfit("parent_not_linked")
    return key


def _write_reference(side: Side, value: str | None, options: Options) -> Any:
    if value is None:
        return None
    if side is Side.SALESFORCE:
        return {options.key: value}
    return int(value) if value.isascii() and value.isdecimal() and str(int(value)) == value else value


def _read_joined(_side: Side, raw: Any, _options: Options) -> str | None:
    """Read several fields as one text, in their order."""
    parts = raw if isinstance(raw, tuple) else (raw,)
    return " ".join(text for part in parts if (text := tidy(part))) or None


CODECS: Mapping[str, Codec] = {
    codec.name: codec
    for codec in (
        Codec("text", 1, _read_text, write_text, _as_is, frozenset({"max_length"})),
        Codec("email", 1, _read_text, write_text, _folded, frozenset({"max_length"})),
        Codec("phone", 1, _read_text, write_text, _normal_phone, frozenset({"max_length"})),
        Codec("enum", 1, _read_enum, _write_enum, _as_is, frozenset({"values"})),
        Codec("date", 1, _read_date, _write_date, _as_is),
        Codec("number", 1, _read_number, _write_number, _as_is, frozenset({"decimals"})),
        Codec("flag", 1, _read_flag, _write_flag, _as_is),
        Codec("reference", 1, _read_reference, _write_reference, _as_is, frozenset({"to"})),
        Codec("joined", 1, _read_joined, write_text, _as_is, frozenset({"max_length"})),
    )
}
