"""Vendor messages: a vendor's own words on why it refuses a record, with what may be a value struck out (pure).

The words of a validation rule were written for the person who reads them. But a vendor may quote what it was sent, cut
it, or write it in another way; so a value is struck word by word, and so is whatever looks like an e-mail address, a
phone or another long number, or a date. Too much struck out is better than a value that is not.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from app.sync.diff import MASK
from app.sync.model import Fields

LONGEST = 1_000
# a value that is one of these is struck only where it is written otherwise than a sentence writes it: IN is a state
_COMMON = frozenset(re.findall(r"\w+", "a i am an as at be by do go he if in is it me my no of on or so to up us we"))
_TELLING = 5  # of a word that is struck where it is a part of another, too
_SEVERAL = 3  # words of a longer value in their order
_READ, _MOST_WORDS = 5 * LONGEST, 200  # characters of a message; words of it that are compared with a value
# values that say nothing of anybody, and are words of many a rule; so is one of a single character, as A for active
_NOBODYS = frozenset({"true", "false"})
_WORD = re.compile(r"\w+")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*"
_LOOKS_LIKE_A_VALUE = re.compile(
    r"[^\s<>()\[\]\"',;:]+@[^\s<>()\[\]\"',;]*\w"  # an e-mail address
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?[ .-]*{_MONTH}\b[ .,-]*(?:\d{{2,4}}\b)?"  # 5 March 1980
    rf"|\b{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? ?\d{{4}}\b)?"  # March 5, 1980
    r"|\b\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?!\d)(?:[T ]\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?Z?)?"  # 1980-03-05, 3/5/80
    r"|\+?\(?\d(?:[ ().\-/]{0,3}\d){6,}",  # a phone, or another number of seven digits and more
    re.IGNORECASE,
)


def without_values(message: str, values: Iterable[str | None]) -> str:
    """Give a vendor's message with values of a record struck out, in one piece of text that is not too long.

    values  what the record holds, or what was sent of it
    """
    whole = message[:_READ].encode("utf-8", "replace").decode().replace("\0", " ")  # half a character has no encoding
    text = _LOOKS_LIKE_A_VALUE.sub(MASK, " ".join(whole.split()))
    text = _without_words(text, [value for value in values if value and len(value) > 1 and value not in _NOBODYS])
    text = re.sub(rf"{MASK}(?: ?{MASK})+", MASK, text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _without_words(text: str, values: Sequence[str]) -> str:
    """Give a text without the words of values: a whole value, or a part of one that is long enough to be told."""
    known = _KnownWords(values)
    words = list(_WORD.finditer(text))
    kept, at, end = list[str](), 0, 0
    while at < len(words):
        count = known.struck([word[0] for word in words[at : at + _MOST_WORDS]])
        if count:
            kept += [text[end : words[at].start()], MASK]
            end = words[at + count - 1].end()
        at += count or 1
    return "".join([*kept, text[end:]])


class _KnownWords:
    """The words of values, by what they are."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = [found for value in values if (found := _WORD.findall(value))]
        self._alone = {value[0].casefold() for value in self._values if len(value) == 1 and len(value[0]) >= _TELLING}
        self._places: dict[str, list[tuple[Sequence[str], int]]] = {}
        for value in self._values:
            for place, word in enumerate(value):
                self._places.setdefault(word.casefold(), []).append((value, place))

    def struck(self, words: Sequence[str]) -> int:
        """Give how many words, from the first on, are to be struck; 0 for none."""
        longest = 0
        for value, place in self._places.get(words[0].casefold(), ()):
            if len(value) == 1 and words[0] in _COMMON:
                continue
            count = 0
            for said, held in zip(words, value[place:], strict=False):
                if said.casefold() != held.casefold():
                    break
                count += 1
            if count == len(value) or (count and _is_telling(value[place : place + count])):
                longest = max(longest, count)
        return longest or int(self._is_part(words[0].casefold()))

    def _is_part(self, word: str) -> bool:
        """Say whether a word is a value that was cut, or holds one."""
        return len(word) >= _TELLING and any(word in one or one in word for one in self._alone)


def _is_telling(words: Sequence[str]) -> bool:
    """Say whether a part of a longer value tells something of it: a name, a number, three words in their order."""
    are_names = all(word[0].isupper() or word[0].isdigit() for word in words)
    return len(words) >= _SEVERAL or (len(words) > 1 and are_names)


def values_of(*given: Fields | None) -> tuple[str, ...]:
    """Give every value of some fields, without the empty ones."""
    return tuple(value for fields in given if fields for value in fields.values() if value)


def words_of(said: object, depth: int = 4) -> str:
    """Give what a vendor says in JSON as text, that of a field behind the field's name; nothing that is deep."""
    if not depth:
        return ""
    if isinstance(said, Mapping):
        told = [(name, words_of(value, depth - 1)) for name, value in said.items()]
        return "\n".join(text if name == "detail" else f"{name}: {text}" for name, text in told if text)
    if isinstance(said, Sequence) and not isinstance(said, str):
        return " ".join(text for one in said if (text := words_of(one, depth - 1)))
    return said if isinstance(said, str) else ""
