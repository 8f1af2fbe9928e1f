"""Salesforce's answers: results per record and errors per call. Messages are never kept: they may hold values.

Top-level errors say `errorCode`, those inside a collection `statusCode`; a 5xx may be HTML.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.errors import OutcomeUnknown, Rejected, SyncError, Unauthorized, Unavailable
from app.sync.model import Side
from app.vendors.rate_limit.salesforce import SPENT_S

_SIDE = Side.SALESFORCE.value
_BUSY_S = 5.0
# the credential or the whole API is refused, not a record
_SIDE_CODES = frozenset({"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "INVALID_AUTH_HEADER"})


@dataclass(frozen=True, slots=True)
class Saved:
    """One record of a call was written."""

    id: str
    created: bool


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """One record of a call was refused; the others were not touched by it."""

    code: str
    fields: tuple[str, ...] = ()


_ID = re.compile(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?", re.ASCII)
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def long_id(given: str) -> str:
    """Give an id in its 18 characters, whatever case its suffix had; empty when it is no id.

    The suffix says which of each five characters are capitals.
    """
    if not _ID.fullmatch(given):
        return ""
    short = given[:15]
    bits = (sum(letter.isupper() << at for at, letter in enumerate(short[start : start + 5])) for start in (0, 5, 10))
    return short + "".join(_SUFFIX[one] for one in bits)


def results(answer: Any, count: int) -> list[Saved | RecordRefused] | None:
    """Give one result per record sent, in their order; None when the answer does not fit."""
    if not isinstance(answer, list) or len(answer) != count:
        return None
    found: list[Saved | RecordRefused] = []
    for item in answer:
        if not isinstance(item, dict):
            return None
        if item.get("success") is True and isinstance(item.get("id"), str):
            found.append(Saved(item["id"], created=item.get("created") is True))
        else:
            found.append(_refusal(item.get("errors")))
    return found


def _refusal(errors: Any) -> RecordRefused:
    known = [error for error in _list(errors) if isinstance(error, dict)]
    fields = dict.fromkeys(name for error in known for name in _list(error.get("fields")) if isinstance(name, str))
    return RecordRefused(str((known[0].get("statusCode") if known else None) or "UNKNOWN")[:64], tuple(fields))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def refused(status: int, content: Any, call: str, *, writes: bool) -> SyncError:
    """Give our error for an answer that is no success."""
    first = content[0] if isinstance(content, list) and content and isinstance(content[0], dict) else {}
    code = str(first.get("errorCode") or "")[:64]
    if code == "REQUEST_LIMIT_EXCEEDED":
        is_busy = "concurrent" in str(first.get("message")).casefold()  # too many at once, not too many in a day
        return Unavailable(_SIDE, call, status=status, code=code, retry_in_s=_BUSY_S if is_busy else SPENT_S)
    if status == 503 or (status >= 500 and not writes):  # noqa: PLR2004 - HTTP's own numbers
        return Unavailable(_SIDE, call, status=status, code=code)
    if status >= 500:  # noqa: PLR2004
        return OutcomeUnknown(_SIDE, call, status=status, code=code)
    if status == 401 or code in _SIDE_CODES:  # noqa: PLR2004
        return Unauthorized(_SIDE, call, status=status, code=code)
    fields = tuple(name for name in _list(first.get("fields")) if isinstance(name, str))
    return Rejected(_SIDE, call, status=status, code=code, fields=fields)


def moment(at: datetime) -> str:
    """Give an instant as queries have it, to the millisecond."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
