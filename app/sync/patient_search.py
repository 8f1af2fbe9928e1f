"""Wanted: what a person looks for, as the words they typed may be read (pure).

`Jane Roe`, `roe 1990-02-03`, `02/03/1990`, a chart id, DrChrono's id or Salesforce's: whoever looks need not say which.
"""

import re
from dataclasses import dataclass
from datetime import date

SHORTEST, LONGEST = 2, 80
_MOST_WORDS = 5
_ISO = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)", re.ASCII)
_AMERICAN = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})", re.ASCII)
_KEY = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PatientSearch:
    """What may be meant.

    names  words of a name, each of them of the first or of the last one
    born   a birth date
    key    an id or a chart's: what was typed was one word
    """

    names: tuple[str, ...] = ()
    born: date | None = None
    key: str = ""

    def __bool__(self) -> bool:
        return bool(self.names or self.born or self.key)


def parse_search(text: str) -> PatientSearch:
    """Give what is looked for; nothing, where too little was typed to look for."""
    words = "".join(one if one.isprintable() else " " for one in text[:LONGEST]).split()[:_MOST_WORDS]
    if sum(map(len, words)) < SHORTEST:
        return PatientSearch()
    days = [(word, day) for word in words if (day := _day(word)) is not None]
    names = tuple(word for word in words if word not in [word for word, _ in days])
    key = words[0] if len(words) == 1 and not days and _KEY.fullmatch(words[0]) else ""
    return PatientSearch(names, days[0][1] if days else None, key)


def _day(word: str) -> date | None:
    if found := _ISO.fullmatch(word):
        year, month, day = map(int, found.groups())
    elif found := _AMERICAN.fullmatch(word):
        month, day, year = map(int, found.groups())
    else:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None
