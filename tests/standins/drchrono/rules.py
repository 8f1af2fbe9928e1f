"""What a value must look like, and the complaint made otherwise: the rules that kinds of records share.

A rule takes what came in and gives what is kept, or raises FieldError with the vendor's words.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Rule = Callable[[Any], Any]
Errors = dict[str, list[str]]

MISSING = "This field is required."


class FieldError(ValueError):
    """The complaint about one field."""


def text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise FieldError("Not a valid string.")
    return str(value)


def one_of(*choices: str) -> Rule:
    def rule(value: Any) -> str:
        if value not in choices:
            raise FieldError(f'"{value}" is not a valid choice.')
        return value

    return rule


def shaped(pattern: str, complaint: str) -> Rule:
    def rule(value: Any) -> str:
        given = text(value)
        if given and not re.fullmatch(pattern, given):
            raise FieldError(complaint.format(given))
        return given

    return rule


def day(value: Any) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        pass
    raise FieldError("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.")


def moment(value: Any) -> str:
    """Wall-clock time without a zone. What the vendor makes of an offset is undefined; that it refuses is inferred."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", value):
            return datetime.fromisoformat(value).isoformat(timespec="seconds")
    except (TypeError, ValueError):
        pass
    raise FieldError("Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm:ss.")


def flag(value: Any) -> bool:
    known = {True: True, False: False, "true": True, "True": True, "false": False, "False": False}
    if isinstance(value, list | dict) or value not in known:
        raise FieldError("Must be a valid boolean.")
    return known[value]


def money(value: Any) -> str:
    try:
        return f"{Decimal(text(value)):.2f}"
    except (InvalidOperation, FieldError) as error:
        raise FieldError("A valid number is required.") from error


def whole(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]+", str(value)):
        raise FieldError("A valid integer is required.")
    return int(value)


def items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise FieldError(f'Expected a list of items but got type "{type(value).__name__}".')
    return value


def key(value: Any) -> int:
    if isinstance(value, bool) or not str(value).isdecimal():
        raise FieldError(f"Incorrect type. Expected pk value, received {type(value).__name__}.")
    return int(value)


def no_such(value: Any) -> list[str]:
    return [f'Invalid pk "{value}" - object does not exist.']


def clean(
    body: Any, rules: Mapping[str, Rule], nullable: Container[str], required: Iterable[str]
) -> tuple[dict[str, Any], Errors]:
    """Gives the clean fields and, per field, the complaints; what no rule names is ignored, as the live API does."""
    if not isinstance(body, dict):
        return {}, {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {type(body).__name__}."]}
    fields: dict[str, Any] = {}
    errors: Errors = {name: [MISSING] for name in required if name not in body}
    for name, value in body.items():
        if name not in rules:
            continue
        if value is None:
            if name in nullable:
                fields[name] = None
            else:
                errors[name] = ["This field may not be null."]
            continue
        try:
            fields[name] = rules[name](value)
        except FieldError as complaint:
            errors[name] = [str(complaint)]
    return fields, errors
