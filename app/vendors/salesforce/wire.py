"""Salesforce's answers: results per record and errors per call. A message may hold values, and is kept by nobody here.

Top-level errors say `errorCode`, those inside a collection `statusCode`; a 5xx may be HTML. What a message names goes
before the code it came with (`app/sync/vendor_errors.py`).
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from app.errors import OutcomeUnknown, Rejected, SyncError, Unauthorized, Unavailable
from app.sync.failure_causes import look_up
from app.sync.mappings.codecs import is_record_id
from app.sync.model import FailureClass, RefusalScope, Side
from app.sync.vendor_errors import cause_named
from app.vendors.http import code_in, names_in
from app.vendors.rate_limit.salesforce import SPENT_S

_SIDE = Side.SALESFORCE.value
_BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class Saved:
    """One record of a call was written."""

    id: str
    created: bool


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """One record of a call was refused; the others were not touched by it.

    code      the cause: Salesforce's code, or what its message names
    fields    what it blames: fields, or the flow or trigger that failed
    likeness  the same for refusals of the same words, but for ids and numbers; 0 where there were none
    message   the vendor's own words, which may hold values: nobody logs or keeps them as they are
    """

    code: str
    fields: tuple[str, ...] = ()
    likeness: int = field(default=0, compare=False)
    message: str = field(default="", compare=False, repr=False)


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


# every org's standard objects share these key prefixes; a custom object's is the org's own, and begins with an a
_KEY_PREFIXES = {"account": "001", "contact": "003", "lead": "00Q", "contentversion": "068"}


def id_of(table: str, given: str) -> str:
    """Give the id of an object's record in its 18 characters; empty when it can be none of it, or of any.

    Salesforce refuses a whole query for one id that only looks like one, and knows no case in an object's name.
    """
    whole, name = long_id(given), table.casefold()
    prefix = _KEY_PREFIXES.get(name, "a" if name.endswith("__c") else "")
    is_prefixed = whole.startswith(prefix) and (whole[:1] != "a" or prefix == "a" or not table)
    return whole if is_prefixed and whole[15:].startswith(given[15:].upper()) else ""


def readable(rows: Any) -> list[dict[str, Any]]:
    """Give the rows of an answer that are records with an Id: each is read for itself."""
    return [dict(row) for row in _list(rows) if isinstance(row, dict) and is_record_id(row.get("Id"), Side.SALESFORCE)]


def results(answer: Any, count: int, call: str = "PATCH") -> list[Saved | RecordRefused | OutcomeUnknown] | None:
    """Give one result per record sent, in their order; None when the answer does not fit.

    What is said of one record, and cannot be read, leaves that one unknown.
    """
    if not isinstance(answer, list) or len(answer) != count:
        return None
    return [_result(item, call) for item in answer]


def _result(item: Any, call: str) -> Saved | RecordRefused | OutcomeUnknown:
    if isinstance(item, dict) and item.get("success") is not True:
        return _refusal(item.get("errors"))
    if not isinstance(item, dict) or not is_record_id(item.get("id"), Side.SALESFORCE):
        return OutcomeUnknown(_SIDE, call, code="ANSWER_DOES_NOT_FIT")
    return Saved(item["id"], created=item.get("created") is True)


def _refusal(errors: Any) -> RecordRefused:
    known = [error for error in _list(errors) if isinstance(error, dict)]
    fields = dict.fromkeys(name for error in known for name in names_in(error.get("fields")))
    told = [refusal(error.get("statusCode"), error.get("message"), tuple(fields)) for error in known]
    of_others = (one for one in told if look_up(one.code).scope is not RefusalScope.RECORD)
    found = next(of_others, told[0] if told else RecordRefused("UNKNOWN"))
    return replace(found, message="\n".join(dict.fromkeys(one.message for one in told if one.message)))


# what Salesforce says of itself: whoever administers the org has named it so, and no record
_FAILED = re.compile(r"""because the ["“”']([\w .:()&/+-]{1,80})["“”'] process failed|^([\w.]{1,80}): execution of """)
_ABOUT_A_STATE = re.compile(r"\b(?:problem with this|specifying a|recognize the) (?:state|country)\b", re.IGNORECASE)
_IDS_AND_NUMBERS = re.compile(r"\b(?=\w*\d)\w+\b")


def refusal(code: Any, message: Any, fields: tuple[str, ...]) -> RecordRefused:
    """Give the refusal of a record by what Salesforce says of it."""
    words = message if isinstance(message, str) else ""
    failed = _FAILED.search(words)
    blamed = (failed[1] or failed[2],) if failed and not fields else ()
    if not fields and _ABOUT_A_STATE.search(words):
        blamed = ("State",)
    cause = cause_named(code_in(code), words) or "UNKNOWN"
    likeness = hash(_IDS_AND_NUMBERS.sub("", words)) if words else 0
    return RecordRefused(cause, fields or blamed, likeness, words)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def refused(status: int, content: Any, call: str, *, writes: bool) -> SyncError:
    """Give our error for an answer that is no success."""
    first = content[0] if isinstance(content, list) and content and isinstance(content[0], dict) else {}
    words = str(first.get("message") or "")
    code = cause_named(code_in(first.get("errorCode")), words)
    meant = look_up(code)
    if code == "REQUEST_LIMIT_EXCEEDED":
        is_busy = "concurrent" in words.casefold()  # too many at once, not too many in a day
        return Unavailable(_SIDE, call, status=status, code=code, retry_in_s=_BUSY_S if is_busy else SPENT_S)
    is_away = meant.scope is RefusalScope.ORG and (status < 500 or meant.group is FailureClass.ORG)  # noqa: PLR2004
    if status == 503 or is_away or (status >= 500 and not writes):  # noqa: PLR2004 - HTTP's own numbers
        return Unavailable(_SIDE, call, status=status, code=code)
    if status >= 500:  # noqa: PLR2004
        return OutcomeUnknown(_SIDE, call, status=status, code=code)
    if status == 401 or meant.scope is RefusalScope.CONNECTION:  # noqa: PLR2004
        return Unauthorized(_SIDE, call, status=status, code=code)
    fields = names_in(first.get("fields"))
    return Rejected(_SIDE, call, status=status, code=code, fields=fields, message=words)


def moment(at: datetime) -> str:
    """Give an instant as queries have it, to the millisecond."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
