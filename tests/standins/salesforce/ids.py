"""Salesforce record ids: 15 significant characters, and three more that say which letters are capitals.

Ids made here grow with creation, also when compared as text, so keyset paging over Id meets every record once.
"""

from functools import lru_cache

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@lru_cache(maxsize=65_536)
def _check(chunk: str) -> str:
    return _CHECKS[sum(1 << place for place, letter in enumerate(chunk) if "A" <= letter <= "Z")]


def full(short: str) -> str:
    """The 18-character form of a 15-character id."""
    return short + _check(short[:5]) + _check(short[5:10]) + _check(short[10:15])


def mint(prefix: str, number: int) -> str:
    """The id of the `number`-th record of the object with this key prefix."""
    digits = ""
    for _ in range(9):
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return full(f"{prefix}SYN{digits}")


def canonical(text: str) -> str | None:
    """The 18-character form of an id given in either length; None when it is no id at all."""
    if not isinstance(text, str) or not (text.isascii() and text.isalnum()):
        return None
    if len(text) == 15:
        return full(text)
    return text if len(text) == 18 and full(text[:15]) == text else None
