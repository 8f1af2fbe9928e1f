"""DrChrono's envelope: event name, record id, version, object. Tolerant of everything the API may add.

The event's name is in a header only; the body is `{"receiver": …, "object": …}`, where `receiver` may hold the
webhook's secret, so nothing of it is ever kept.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.json_text import read_json
from app.sync.mappings import codecs
from app.sync.mappings.codecs import Unfit
from app.sync.model import Kind

EVENT_KINDS: Mapping[str, Kind] = {
    "PATIENT_CREATE": Kind.PATIENT,
    "PATIENT_MODIFY": Kind.PATIENT,
    "APPOINTMENT_CREATE": Kind.APPOINTMENT,
    "APPOINTMENT_MODIFY": Kind.APPOINTMENT,
    "APPOINTMENT_DELETE": Kind.APPOINTMENT,
}

# of a visit, what says whether it is ours
BESIDE = ("appt_is_break", "recurrence_instance_key", "patient", "scheduled_time")

DAYS = timedelta(days=2)  # `since` knows days only, of a zone that DrChrono does not name
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)


class NotReadable(ValueError):  # noqa: N818
    """The body does not have the shape of a delivery."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a delivery carries: one record of one kind, as its sender says it is."""

    record_id: str
    version: str
    object: Mapping[str, Any]


def read_notice(body: bytes) -> Notice:
    """Give what a delivery's body says.

    Raises  NotReadable for anything that is no JSON object with an `object` that has an id
    """
    try:
        document = read_json(body)
    except (ValueError, RecursionError):
        raise NotReadable("the body is not JSON") from None
    record = document.get("object") if isinstance(document, dict) else None
    if not isinstance(record, dict):
        raise NotReadable("the body has no object")
    return Notice(record_id(record), version(record), record)


def record_id(record: Mapping[str, Any]) -> str:
    """Give a record's id as text; appointments have strings, everything else integers.

    Raises  NotReadable
    """
    try:
        found = codecs.record_id(record.get("id"))
    except Unfit:
        raise NotReadable("the object's id is none") from None
    if found is None:
        raise NotReadable("the object has no id")
    return found


def readable(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Give the rows of a list that are records with an id: each is read for itself, and a list may hold anything."""
    return [row for row in rows if isinstance(row, dict) and codecs.is_record_id(row.get("id"))]


def marked(event: str, record: dict[str, Any]) -> dict[str, Any]:
    """Give a record as its event has it: what the event says is deleted need not say so itself."""
    return {**record, "deleted_flag": True} if event == "APPOINTMENT_DELETE" else record


@dataclass(frozen=True, slots=True)
class User:
    """Who consented, and what they may do in DrChrono.

    doctor_id     themselves, or the physician a member of staff belongs to
    permissions   name -> whether granted; empty when DrChrono did not say
    is_suspended  whether DrChrono says so, which it documents of doctors' records alone
    """

    id: str
    username: str
    practice: str
    doctor_id: str | None
    permissions: Mapping[str, bool]
    is_doctor: bool = False
    is_staff: bool = False
    is_suspended: bool = False


def user(record: Any) -> User:
    """Give who a user's record speaks of; ids come as integers or strings, claims as booleans or strings.

    Raises  NotReadable without id or practice
    """
    if not isinstance(record, dict):
        raise NotReadable("the user is no object")
    practice = _id_text(record.get("practice_group"))
    if not practice:
        raise NotReadable("the user has no practice group")
    given = record.get("permissions")
    permissions = {str(name): is_true(value) for name, value in given.items()} if isinstance(given, dict) else {}
    username = str(record.get("username") or "")[:150]
    doctor_id = _id_text(record.get("doctor")) or None
    is_doctor, is_staff = is_true(record.get("is_doctor")), is_true(record.get("is_staff"))
    is_suspended = any(is_true(record.get(name)) for name in ("is_account_suspended", "is_suspended"))
    is_suspended = is_suspended or not is_true(record.get("is_active", True))
    return User(record_id(record), username, practice, doctor_id, permissions, is_doctor, is_staff, is_suspended)


def _id_text(value: Any) -> str:
    return str(value).strip() if codecs.is_record_id(value) else ""


def is_true(value: Any) -> bool:
    """Say whether a claim holds; one may come as a text."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def page(document: Any) -> tuple[list[Any], str | None]:
    """Give the rows of one page of a list, as they are, and where the next one is.

    Raises  NotReadable
    """
    records = document.get("results", document.get("data")) if isinstance(document, dict) else None
    if not isinstance(records, list):
        raise NotReadable("the page has no records")
    onward = document.get("next")
    return records, onward if isinstance(onward, str) and onward else None


@dataclass(frozen=True, slots=True)
class BulkPage:
    """One page of a bulk list, by its number from 1.

    pages  how many the list had when this one was made, as far as that is known
    of     how many records it had then
    """

    rows: list[Any]
    number: int
    pages: int
    of: int | None = None

    @property
    def is_last(self) -> bool:
        """Whether no page is behind it."""
        return self.number >= self.pages


def bulk_id(document: Any) -> str:
    """Give what a bulk page that was asked for is to be looked for by.

    Raises  NotReadable
    """
    uuid = document.get("uuid") if isinstance(document, dict) else None
    if not isinstance(uuid, str) or not uuid or not uuid.isprintable():
        raise NotReadable("the bulk list has no uuid")
    return uuid


def bulk_page(document: Any, number: int, size: int) -> BulkPage | None:
    """Give a page of a bulk list, None while it is being made; `size`: how many records were asked for.

    Raises  NotReadable
    """
    if not isinstance(document, dict):
        raise NotReadable("the bulk list is no object")
    if document.get("status") != "Complete":
        return None
    records, _ = page(document)
    told = document.get("pagination")
    pages, of = (told.get(name) if isinstance(told, dict) else None for name in ("pages", "count"))
    if not isinstance(pages, int):
        pages = number if len(records) < size else number + 1
    return BulkPage(records, number, pages if records else number, of if isinstance(of, int) else None)


def since(moment: datetime) -> str:
    """Give what a list is asked with for all that was changed since a moment: a day, two days before."""
    return (moment - DAYS).date().isoformat()


def version(record: Mapping[str, Any]) -> str:
    """Give a record's `updated_at`, which compares as text with others of the same record; empty when absent."""
    stamp = record.get("updated_at")
    return stamp if isinstance(stamp, str) and _STAMP.fullmatch(stamp) else ""


SIGNATURE, EVENT, DELIVERY = "x-drchrono-signature", "x-drchrono-event", "x-drchrono-delivery"
PING = "PING"


def is_genuine(signature: str | None, secrets: Sequence[str]) -> bool:
    """Say whether the header equals one of our secrets; every secret is compared, in constant time."""
    given = (signature or "").encode("latin-1", "replace")  # the very bytes of the header
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(given, secret.encode())
    return found and bool(given)


def verification(msg: str, secrets: Sequence[str]) -> dict[str, str]:
    """Give the answer to DrChrono's `GET ?msg=`: the hex HMAC-SHA256 of the message under the first secret."""
    return {"secret_token": hmac.digest(secrets[0].encode(), msg.encode(), hashlib.sha256).hex()}
