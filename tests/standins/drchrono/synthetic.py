"""People who do not exist, as many as asked for, all different.

Their names spell their number, so no two of them match by name, and a person can tell them apart in a table.
"""

from datetime import date, timedelta
from typing import Any

from tests.standins.drchrono.shapes import WALK_IN

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_OLDEST = date(1940, 1, 1)
_DAYS = 24_000


def spelled(number: int) -> str:
    return "".join(_DIGITS[int(digit)] for digit in str(number))


def person(number: int, prefix: str = "Testa") -> dict[str, Any]:
    """Gives the fields of the numbered person; the same number is always the same person."""
    first, last = f"{prefix}{spelled(number)}", f"Fixture{spelled(number)}"
    return {
        **WALK_IN,
        "first_name": first,
        "last_name": last,
        "gender": ("Female", "Male", "Other")[number % 3],
        "date_of_birth": (_OLDEST + timedelta(days=number * 37 % _DAYS)).isoformat(),
        "preferred_language_code": "eng",
        "preferred_language_description": "English",
        "email": f"{first}.{last}@example.com".lower(),
        "cell_phone": f"(555) 010-01{number % 100:02d}",
        "address": f"{number} Placeholder Ave",
        "city": "Testville",
        "state": "NY",
        "zip_code": "12345",
    }
