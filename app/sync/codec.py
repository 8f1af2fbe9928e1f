"""What a codec is, and the errors and options all of them share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sync.records import Side


class Unfit(ValueError):  # noqa: N818
    """A value has no counterpart; the message is a stable reason that names no value."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a row of the mapping may say to its codec.

    max_length  the longest text Salesforce's field takes, in characters
    values      DrChrono's value -> Salesforce's, for `enum`
    to          the kind a `reference` points at; `key` that kind's external id in Salesforce
    local       the row that carries a `local_time` to Salesforce as it reads; `zone` the one that carries its zone
    """

    max_length: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    to: str = ""
    key: str = ""
    local: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Codec:
    """How one sort of value is read, written and compared."""

    name: str
    version: int
    read: Callable[[Side, Any, Options], str | None]
    write: Callable[[Side, str | None, Options], Any]
    normal: Callable[[str | None], str | None]
    options: frozenset[str] = frozenset()


def tidy(raw: Any) -> str | None:
    """Give text without its margins, None when nothing is left.

    Raises  Unfit for what is no text
    """
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise Unfit("not_text")
    text = str(raw).replace("\r\n", "\n").replace("\r", "\n").strip()
    try:
        text.encode()
    except UnicodeEncodeError:  # half a letter: legal in JSON, but no encoding carries it
        raise Unfit("not_text") from None
    return text or None


def empty(side: Side) -> str | None:
    """Empty text is null in Salesforce and an empty string in DrChrono."""
    return None if side is Side.SALESFORCE else ""
