"""What Salesforce makes of a value it is given, field by field; and the text form of moments.

Values are kept in the form the API answers with, so that answering and comparing cost nothing. Text loses its
surrounding white space, blank text is null, e-mail addresses lose their capitals, numbers become floats.
"""

import binascii
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from tests.standins.blobs import Blob, kept
from tests.standins.salesforce.errors import RecordError, unreadable
from tests.standins.salesforce.ids import canonical
from tests.standins.salesforce.schema import Field

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_YEARS = (1700, 4000)


def stamp(moment: datetime) -> str:
    """A moment as Salesforce writes it: UTC, milliseconds, no colon in the offset."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


@lru_cache(maxsize=65_536)
def read_moment(text: str) -> datetime | None:
    """The moment a text names; None when it names none, or no zone."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _token(raw: Any) -> str:
    names = {str: "VALUE_STRING", bool: "VALUE_BOOLEAN", int: "VALUE_NUMBER_INT", float: "VALUE_NUMBER_FLOAT"}
    return names.get(type(raw), "START_ARRAY" if isinstance(raw, list) else "START_OBJECT")


def _text(field: Field, raw: Any) -> str | None:
    if raw.__class__ is not str:
        if isinstance(raw, (dict, list)):
            raise unreadable("string", _token(raw), raw)
        raw = str(raw).lower() if isinstance(raw, bool) else str(raw)
    value: str = raw.strip()
    if len(value) > field.length:
        message = f"{field.label}: data value too large: {value} (max length={field.length})"
        raise RecordError("STRING_TOO_LONG", message, [field.name])
    return value or None


def _email(field: Field, raw: Any) -> str | None:
    value = _text(field, raw)
    if value is not None and not _EMAIL.fullmatch(value):
        message = f"{field.label}: invalid email address: {value}"
        raise RecordError("INVALID_EMAIL_ADDRESS", message, [field.name])
    return value and value.lower()


def _picklist(field: Field, raw: Any) -> str | None:
    value = _text(field, raw)
    if value is not None and field.restricted and value not in field.options:
        message = f"{field.label}: bad value for restricted picklist field: {value}"
        raise RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [field.name])
    return value


def _boolean(field: Field, raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise unreadable("boolean", _token(raw), raw)
    return raw


def _number(field: Field, raw: Any) -> float:
    try:
        value = Decimal(str(raw)) if not isinstance(raw, (bool, dict, list)) else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite():
        raise unreadable("double", _token(raw), raw)
    if abs(value) >= 10 ** (field.precision - field.scale):
        message = f"{field.label}: value outside of valid range on numeric field: {raw}"
        raise RecordError("NUMBER_OUTSIDE_VALID_RANGE", message, [field.name])
    return float(value.quantize(Decimal(1).scaleb(-field.scale), rounding=ROUND_HALF_UP))


def _date(field: Field, raw: Any) -> str:
    if isinstance(raw, str) and _DATE.fullmatch(raw):
        try:
            day = date.fromisoformat(raw)
        except ValueError:
            pass
        else:
            _refuse_other_centuries(field, day)
            return raw
    raise unreadable("date", _token(raw), raw)


def _refuse_other_centuries(field: Field, day: date) -> None:
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        message = f"{field.label}: invalid date: {day:%a %b %d} 00:00:00 GMT {day.year:04d}"
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", message, [field.name])


def _datetime(field: Field, raw: Any) -> str:
    moment = read_moment(raw) if isinstance(raw, str) else None
    if moment is None:
        raise unreadable("datetime", _token(raw), raw)
    _refuse_other_centuries(field, moment.date())
    # Fields that people fill in hold whole seconds.
    return stamp(moment.replace(microsecond=0))


def _reference(field: Field, raw: Any) -> str | None:
    value = _text(Field(field.name, length=255), raw)
    known = value and canonical(value)
    if value and not known:
        raise RecordError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", [field.name])
    return known or None


def _bytes(field: Field, raw: Any) -> Blob:
    """Bytes come as base64 in JSON, or as they are in a part of a multipart body."""
    if isinstance(raw, Blob):
        return raw
    try:
        return kept(binascii.a2b_base64(raw, strict_mode=True))
    except (TypeError, ValueError):
        raise unreadable("byte[]", _token(raw), field.name) from None


READERS: dict[str, Callable[[Field, Any], Any]] = {
    "string": _text,
    "textarea": _text,
    "phone": _text,
    "url": _text,
    "email": _email,
    "picklist": _picklist,
    "boolean": _boolean,
    "double": _number,
    "date": _date,
    "datetime": _datetime,
    "reference": _reference,
    "base64": _bytes,
}


def normalise(field: Field, raw: Any) -> Any:
    """What the field holds once this JSON value was written to it.

    Raises
        ApiError     the value is of the wrong kind: the whole call fails
        RecordError  it is of the right kind, and refused

    """
    if raw is None:
        return False if field.kind == "boolean" else None
    return READERS[field.kind](field, raw)
