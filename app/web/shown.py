"""How numbers, times and our own names are written on a page."""

from datetime import datetime

from markupsafe import Markup

_CAUSES = {"held": "both sides changed it"}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def age(seconds: float) -> str:
    """Give a span as a person says it: `4 s`, `12 min`, `3 h`, `2 d`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def count(number: int) -> str:
    """Give a number with its thousands apart."""
    return f"{number:,}"


def moment(at: datetime | str | None) -> Markup:
    """Give an instant as an element that machines can read too; UTC, to the second."""
    if at is None:
        return Markup("-")
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M:%S} UTC</time>').format(at.isoformat(timespec="seconds"), at)


def capital(text: str) -> str:
    """Give a text that begins as a sentence does."""
    return text[:1].upper() + text[1:]


def words(name: str) -> str:
    """Give a cause or a rule as a person says it, sides by their names."""
    said = _CAUSES.get(name, name.replace("_", " "))
    return said.replace("drchrono", "DrChrono").replace("salesforce", "Salesforce")
