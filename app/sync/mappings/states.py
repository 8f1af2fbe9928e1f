"""The states of an address: DrChrono has their two letters, people and Salesforce's lists often their names.

A state is compared by its two letters, so `NY` and `New York` are the same one. What is in no list here is compared as
it stands, and DrChrono is sent none but two letters. DrChrono's practices are in the United States; the provinces of
Canada are there for patients who live there.

Source  DrChrono API reference, patients: state, "Two-letter abbreviation"; ISO 3166-2; USPS Publication 28, appendix B
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from app.sync.mappings.codecs import Codec, Options, Unfit, empty, tidy, write_text
from app.sync.model import Side

_UNITED_STATES = """
    AL Alabama, AK Alaska, AZ Arizona, AR Arkansas, CA California, CO Colorado, CT Connecticut, DE Delaware,
    DC District of Columbia, FL Florida, GA Georgia, HI Hawaii, ID Idaho, IL Illinois, IN Indiana, IA Iowa, KS Kansas,
    KY Kentucky, LA Louisiana, ME Maine, MD Maryland, MA Massachusetts, MI Michigan, MN Minnesota, MS Mississippi,
    MO Missouri, MT Montana, NE Nebraska, NV Nevada, NH New Hampshire, NJ New Jersey, NM New Mexico, NY New York,
    NC North Carolina, ND North Dakota, OH Ohio, OK Oklahoma, OR Oregon, PA Pennsylvania, RI Rhode Island,
    SC South Carolina, SD South Dakota, TN Tennessee, TX Texas, UT Utah, VT Vermont, VA Virginia, WA Washington,
    WV West Virginia, WI Wisconsin, WY Wyoming, AS American Samoa, GU Guam, MP Northern Mariana Islands, PR Puerto Rico,
    UM United States Minor Outlying Islands, VI U.S. Virgin Islands, FM Federated States of Micronesia,
    MH Marshall Islands, PW Palau, AA Armed Forces Americas, AE Armed Forces Europe, AP Armed Forces Pacific
"""
_CANADA = """
    AB Alberta, BC British Columbia, MB Manitoba, NB New Brunswick, NL Newfoundland and Labrador,
    NT Northwest Territories, NS Nova Scotia, NU Nunavut, ON Ontario, PE Prince Edward Island, QC Quebec,
    SK Saskatchewan, YT Yukon
"""
_OTHER_NAMES = """
    DC Washington DC, DC Washington D.C., VI Virgin Islands, MP Commonwealth of the Northern Mariana Islands,
    NL Newfoundland, NL Newfoundland & Labrador, PE P.E.I., YT Yukon Territory, FM Micronesia,
    AE Armed Forces Africa, AE Armed Forces Canada, AE Armed Forces Middle East, AA Armed Forces Americas (AA),
    AE Armed Forces Europe (AE), AP Armed Forces Pacific (AP)
"""


def _parted(text: str) -> list[tuple[str, str]]:
    return [(one[:2], one[3:]) for one in (" ".join(each.split()) for each in text.split(","))]


COUNTRIES: Mapping[str, Mapping[str, str]] = {"US": dict(_parted(_UNITED_STATES)), "CA": dict(_parted(_CANADA))}
NAMES: Mapping[str, str] = {code: name for states in COUNTRIES.values() for code, name in states.items()}
_CODE_LETTERS = 2


def folded(text: str) -> str:
    """Give a name without case, accents, dots, commas and wide spaces, to find it by."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join(plain.casefold().replace(".", "").replace(",", " ").split())


_CODES = {
    **{folded(code): code for code in NAMES},
    **{folded(name): code for code, name in (*NAMES.items(), *_parted(_OTHER_NAMES))},
}


def code_of(value: str) -> str | None:
    """Give the two letters of a state, by them or by its name; None for one that is in no list."""
    return _CODES.get(folded(value))


def respelled(value: str) -> str | None:
    """Give a state's name in place of its two letters; None for what is no such letters."""
    code = code_of(value)
    return None if code is None or NAMES[code] == value else NAMES[code]


STATED = ("State", "StateCode", "Country", "CountryCode")  # what a refusal says that names no field
_PLACED = re.compile(r"(.*?)(State|StateCode)((?:__s)?)", re.DOTALL)  # `__s`: a part of an address of the org's own


def is_state(name: str) -> bool:
    """Say whether Salesforce builds the names of states so: `MailingState`, `Home__StateCode__s`."""
    return _PLACED.fullmatch(name) is not None


def companions(name: str) -> tuple[str, ...]:
    """Give what Salesforce calls the code and the country of a state's field, and how a refusal may call all of them.

    Gives  the code's field and the country code's first, where the name is built as Salesforce builds them
    """
    found = _PLACED.fullmatch(name)
    if found is None:
        return STATED
    before, _, behind = found.groups()
    own = (f"{before}{one}{behind}" for one in ("StateCode", "CountryCode", "State", "Country"))
    return (*own, *STATED)


def _read_state(side: Side, raw: Any, options: Options) -> str | None:
    """Read a state as it stands, but one that the org's own list names: as its two letters."""
    value = tidy(raw)
    if value is None or side is Side.DRCHRONO:
        return value
    return options.limits.state_names.get(folded(value), value)


def _write_state(side: Side, value: str | None, options: Options) -> str | None:
    if value is None:
        return empty(side)
    code = code_of(value)
    if side is Side.SALESFORCE:
        return write_text(side, value if options.limits.states is None else code or value, options)
    if code is None and not _is_code(value):
        raise Unfit("unknown_state")
    return code or value.upper()


def _is_code(value: str) -> bool:
    return len(value) == _CODE_LETTERS and value.isascii() and value.isalpha()


def _normal_state(value: str | None) -> str | None:
    """Give the two letters: stamps of a text that was one already stay what they are."""
    if value is None:
        return None
    return code_of(value) or (value.upper() if _is_code(value) else value)


STATE = Codec("state", 1, _read_state, _write_state, _normal_state, frozenset({"max_length"}))
