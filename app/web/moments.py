"""Moments: how pages say when something was or will be, by the clock of the clinic that a request is about.

The instant itself, in UTC and to the second, is what machines read and what a pointer shows.
"""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, date, datetime

from markupsafe import Markup

from app.operations.clinic_time import ClinicTime, clinic_time
from app.runtime import Runtime

_here: ContextVar[ClinicTime] = ContextVar("clinic_time")


def begin_page(runtime: Runtime) -> None:
    """Let the pages of this request tell the time as its clinic does."""
    _here.set(clinic_time(runtime))


def here() -> ClinicTime:
    """Give the clock of the clinic that this request is about; UTC where none has begun."""
    return _here.get(None) or ClinicTime()


def moment(at: datetime | str | None) -> Markup:
    """Give an instant as how long ago and the clinic's clock, in an element that machines can read too."""
    return _element(at, ClinicTime.said)


def exact(at: datetime | str | None) -> Markup:
    """Give an instant to the second, for where one record or delivery is looked at."""
    return _element(at, ClinicTime.exact)


def clock(at: datetime | str | None) -> Markup:
    """Give an instant as the clinic's clock alone."""
    return _element(at, ClinicTime.day_and_clock)


def birth_date(born: str | None) -> str:
    """Give a date of birth, written `1974-06-15`, in figures as the clinic writes it; what is none, as it stands."""
    try:
        return here().in_figures(date.fromisoformat(born or ""))
    except ValueError:
        return born or ""


def _element(at: datetime | str | None, say: Callable[[ClinicTime, datetime], str]) -> Markup:
    if at is None:
        return Markup("-")
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{}</time>').format(
        at.isoformat(timespec="seconds"), at.astimezone(UTC), say(here(), at)
    )
