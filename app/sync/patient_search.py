"""Patient search: what a person looks for, as the words they typed may be read (pure).

`Olsen, Omar`, `roe 1990-02-03`, `6/15/74`, `(555) 010-0104`, an e-mail address, a chart id, DrChrono's id or
Salesforce's: whoever looks need not say which. Of a year in two digits every one that has begun may be meant.
"""

import re
from dataclasses import dataclass
from datetime import date

SHORTEST, LONGEST = 2, 80
_MOST_WORDS = 5
_ISO = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)", re.ASCII)
_AMERICAN = re.compile(r"(\d\d?)([/.-])(\d\d?)\2(\d{4}|\d\d)", re.ASCII)
_PHONE = re.compile(
    r"(?<![\w+(])(?:(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-]?)\d{3}[ .-]?\d{4}|\d{3}[ .-]\d{4})(?![\w-])", re.ASCII
)
_NATIONAL_DIGITS = 10
_EMAIL = re.compile(r"[^@]+@[^@]*")
_KEY = re.compile(r"[\w.-]{1,64}", re.ASCII)
_CENTURIES = (1900, 2000)


@dataclass(frozen=True, slots=True)
class PatientSearch:
    """What may be meant.

    names  words of a name, each of them of the first or of the last one
    born   birth dates, of which one is meant
    key    an id or a chart's: what was typed was one word
    phone  the digits of a phone number, without the 1 of North America
    email  how an e-mail address begins
    """

    names: tuple[str, ...] = ()
    born: tuple[date, ...] = ()
    key: str = ""
    phone: str = ""
    email: str = ""

    def __bool__(self) -> bool:
        return bool(self.names or self.born or self.key or self.phone or self.email)


def parse_search(text: str, today: date) -> PatientSearch:
    """Give what is looked for; nothing, where too little was typed to look for."""
    typed = "".join(one if one.isprintable() else " " for one in text[:LONGEST])
    found = _PHONE.search(typed)
    rest = typed if found is None else f"{typed[: found.start()]} {typed[found.end() :]}"
    words = rest.replace(",", " ").replace(";", " ").split()[:_MOST_WORDS]
    whole = typed.split()
    if sum(map(len, whole)) < SHORTEST:
        return PatientSearch()
    days = {word: born for word in words if (born := _days(word, today))}
    emails = [word for word in words if _EMAIL.fullmatch(word)]
    return PatientSearch(
        names=tuple(word for word in words if word not in days and word not in emails),
        born=next(iter(days.values()), ()),
        key=whole[0] if len(whole) == 1 and not days and _KEY.fullmatch(whole[0]) else "",
        phone=_national(found[0]) if found else "",
        email=emails[0] if emails else "",
    )


def _national(phone: str) -> str:
    digits = re.sub(r"\D", "", phone)
    return digits[1:] if len(digits) > _NATIONAL_DIGITS else digits


def _days(word: str, today: date) -> tuple[date, ...]:
    """Give the days a word may mean; none, where it is no day."""
    if found := _ISO.fullmatch(word):
        year, month, day = map(int, found.groups())
        years = [year]
    elif found := _AMERICAN.fullmatch(word):
        month, day, year = int(found[1]), int(found[3]), int(found[4])
        years = [year] if len(found[4]) > len("74") else [century + year for century in _CENTURIES]
    else:
        return ()
    days = [one for year in years if (one := _day(year, month, day)) is not None]
    return tuple(one for one in days if len(years) == 1 or one <= today)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
