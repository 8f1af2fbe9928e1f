"""What the lists' query parameters ask of a record, and what a caller may be shown at all.

A list, its bulk twin and every page of either ask the same. A parameter that is no filter is ignored.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from tests.standins.drchrono.caller import Caller
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.series import is_virtual
from tests.standins.drchrono.state import RefusedError

NAMES_COMPARED = ("first_name", "last_name", "email")
VALUES_COMPARED = ("gender", "race", "ethnicity", "preferred_language", "chart_id")
# Either of these must be given, says the reference; that it is a 400 otherwise is inferred.
WINDOWS = ("since", "occurred_since", "date", "date_range")
WIDEST_DAYS = 190

Asked = Mapping[str, str]
Test = Callable[[Record], bool]


def is_asked(asked: Asked, name: str) -> bool:
    return asked.get(name, "").lower() in ("true", "1")


def _day(name: str, text: str) -> str:
    # Day-granular: whether a time of day is accepted is unknown, that it is ignored is our assumption.
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise RefusedError(400, {name: ["Enter a valid date."]}) from error


def _since(wanted: str) -> Test:
    day = _day("since", wanted)
    return lambda record: record["updated_at"] >= day or record["created_at"] >= day


def _of_patients(name: str, wanted: str) -> Test | None:
    """Gives what a filter asks of a patient; None for a parameter that is no filter."""
    if name in NAMES_COMPARED:
        folded = wanted.casefold()
        return lambda record: (record[name] or "").casefold() == folded
    match name:
        case "since":
            return _since(wanted)
        case "created_at":
            day = _day(name, wanted)
            return lambda record: record["created_at"].startswith(day)
        case "date_of_birth":
            day = _day(name, wanted)
            return lambda record: record["date_of_birth"] == day
        case "doctor":
            return lambda record: str(record["doctor"]) == wanted
    return (lambda record: record[name] == wanted) if name in VALUES_COMPARED else None


def _of_appointments(name: str, wanted: str) -> Test | None:
    """Gives what a filter asks of an appointment; None for a parameter that is no filter."""
    match name:
        case "since":
            return _since(wanted)
        case "occurred_since":
            day = _day(name, wanted)
            return lambda record: record["scheduled_time"] >= day
        case "date":
            day = _day(name, wanted)
            return lambda record: record["scheduled_time"].startswith(day)
        case "date_range":
            first, last = _range(wanted)
            return lambda record: first <= record["scheduled_time"][:10] <= last
        case "status":
            return lambda record: record["status"] == wanted
        case "patient" | "office" | "doctor":
            return lambda record: str(record[name]) == wanted
    return None


def _of_documents(name: str, wanted: str) -> Test | None:
    """Gives what a filter asks of a document; None for a parameter that is no filter."""
    match name:
        case "since":
            day = _day(name, wanted)
            return lambda record: record["updated_at"] >= day
        case "date":
            day = _day(name, wanted)
            return lambda record: record["date"] == day
        case "patient" | "doctor":
            return lambda record: str(record[name]) == wanted
    return None


def _range(wanted: str) -> tuple[str, str]:
    first, _, last = wanted.partition("/")
    days = _day("date_range", first), _day("date_range", last)
    # The width is documented and the refusal observed; its words, and that day 190 still passes, are inferred.
    if (date.fromisoformat(days[1]) - date.fromisoformat(days[0])).days > WIDEST_DAYS:
        raise RefusedError(400, {"date_range": [f"The range may not be wider than {WIDEST_DAYS} days."]})
    return days


def patients_asked_for(asked: Asked, caller: Caller) -> list[Test]:
    """Gives what a patient must satisfy to be listed: the filters asked for, and being the caller's to see."""
    tests = _all(_of_patients, asked, caller)
    if caller.state.settings.since_counts_time and "T" in (moment := asked.get("since", "")):
        tests.append(lambda record: record["updated_at"] >= moment)
    if caller.state.settings.hide_inactive and not is_asked(asked, "show_inactive"):
        tests.append(lambda record: record["patient_status"] == "A")
    return tests


def appointments_asked_for(asked: Asked, caller: Caller) -> list[Test]:
    """Gives what an appointment must satisfy to be listed: the filters asked for, and being the caller's to see."""
    tests = _all(_of_appointments, asked, caller)
    if not is_asked(asked, "show_archived"):
        tests.append(lambda record: not record["deleted_flag"])
    if is_asked(asked, "ignore_virtual"):
        tests.append(lambda record: not is_virtual(record["id"]))
    return tests


def documents_asked_for(asked: Asked, caller: Caller) -> list[Test]:
    """Gives what a document must satisfy to be listed: the filters asked for, and being the caller's to see."""
    tests = _all(_of_documents, asked, caller)
    if not caller.state.settings.archived_documents_listed:
        tests.append(lambda record: not record["archived"])
    return tests


def _all(one: Callable[[str, str], Test | None], asked: Asked, caller: Caller) -> list[Test]:
    tests = [test for name, wanted in asked.items() if wanted and (test := one(name, wanted))]
    if strangers := caller.strangers():
        tests.append(lambda record: record["doctor"] not in strangers)
    if not caller.may("share_patients"):
        tests.append(caller.shares)
    return tests


def passing(tests: list[Test], as_listed: Callable[[Any], Record | None]) -> Callable[[Any], Record | None]:
    """Gives the record of an id if it satisfies them all, else None."""

    def seen(record_id: Any) -> Record | None:
        record = as_listed(record_id)
        if record is not None:
            for test in tests:
                if not test(record):
                    return None
        return record

    return seen
