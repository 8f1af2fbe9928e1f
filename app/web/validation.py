"""Validation: which text may come in, by a path, a query, a form or JSON; and what a request that is not valid is told.

PostgreSQL keeps no NUL in a text, no encoding carries half a character, and no JSON that we send a number that is none;
JSON as Python reads it has all three. They are refused here, once for every route, and not where they happen to hurt.
The answer names the place and the rule, never what was sent: that may be a person's name, and need not even be text.
"""

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Annotated, Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, model_validator

_NUL = "\x00"
_UNFIT = "it holds a NUL, half a character, or a number that is none"


# a code, or a field's name; how long it may be stands apart: counted by the pattern, it would take 0.7 MB for each use
Word = Annotated[str, Field(pattern=r"^[\w .-]+$", max_length=64)]


class RequestBody(BaseModel):
    """What a script sends as JSON; every body of the API is one."""

    @model_validator(mode="before")
    @classmethod
    def _is_fit(cls, value: Any) -> Any:
        """Refuse what no answer and no database could carry, however deep it stands."""
        waiting = [value]
        while waiting:
            match waiting.pop():
                case str(text):
                    if _NUL in text or not _is_whole(text):
                        raise ValueError(_UNFIT)
                case float(number):
                    if not isfinite(number):
                        raise ValueError(_UNFIT)
                case Mapping() as parts:
                    waiting += [*parts, *parts.values()]
                case list(parts):
                    waiting += parts
        return value


def must_be_fit_address(path: str, query: bytes) -> None:
    """Refuse an address with a NUL in it.

    Raises  HTTPException
    """
    if _NUL in path or b"%00" in query or b"\x00" in query:
        raise HTTPException(400, "the address holds a NUL")


def must_be_fit_form(fields: Iterable[tuple[str, str]]) -> None:
    """Refuse a form with a NUL in it.

    Raises  HTTPException
    """
    if any(_NUL in text for field in fields for text in field):
        raise HTTPException(400, "the form holds a NUL")


async def refuse_invalid(_request: Request, error: Exception) -> Response:
    """Say where a request is not valid and why, in ASCII, and nothing of what was sent."""
    assert isinstance(error, RequestValidationError)
    found = [{"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in error.errors()]
    return Response(json.dumps({"detail": found}), 422, media_type="application/json")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
