"""Attention: every record that waits for a person, one row each, with who it is, what is wrong, and what to do.

Names are those that Salesforce gives at the moment they are shown, one call for each kind on a page; of a record that
is not there yet, those of its last delivery, opened in memory. No name is stored. A person's note and the vendor's own
message are sealed, and end with what they are about.
"""

import csv
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any, TextIO

from app.errors import Undecryptable
from app.operations import failures
from app.operations.audit import cell
from app.operations.documents import DocumentFacts
from app.operations.labels import STATUS_NAMES
from app.operations.record_names import NOBODY, RecordName, names_of
from app.operations.vendor_reads import Unanswered
from app.ports import Act, Action, By, SealedColumn
from app.runtime import Runtime
from app.store import attention, audit, record_views, resolutions
from app.store.clock import instant, millis
from app.store.failures import Group
from app.sync.diff import MASK
from app.sync.failure_causes import fix, vendor_code
from app.sync.failure_sentences import labels, sentence
from app.sync.model import Kind, RecordRef, RecordState, Side

LONGEST_NOTE = 500
COLUMNS = (
    "kind",
    "drchrono_id",
    "salesforce_id",
    "status",
    "error",
    "rejected_by",
    "fields",
    "since",
    "attempts",
    "next_retry",
    "record",
    "message",
    "dismissed_by",
    "dismissed_at",
    "reason",
)
_IN_A_BATCH = 500
_PLACE = re.compile(r"([0-9]{1,15})\.([0-9A-Za-z]{1,26})", re.ASCII)
_NEVER = instant(0)


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """One record that waits for a person.

    id             the link's
    name, born     of the patient, of an appointment with its moment, of a document with its title; None where nobody
                   says. `document`: what else is known of one
    side           where it failed
    fields         those it is about, as that side names them; `labels`: as people call them
    sentence, fix  what is wrong, and what a person does about it
    code           the vendor's own; empty where the cause is ours
    is_decided     a person has decided, and it is to be carried out
    is_retrying    it is due again, and not settled yet; `next_retry_at`: when
    attempts       how many were made since it first failed so
    """

    id: str
    kind: Kind
    ref: RecordRef
    drchrono_id: str | None
    salesforce_id: str | None
    name: str | None
    born: str | None
    cause: str
    side: Side
    fields: tuple[str, ...]
    labels: tuple[str, ...]
    sentence: str
    fix: str
    code: str
    is_held: bool
    is_decided: bool
    is_dismissed: bool
    dismissed_by: str
    dismissed_at: datetime | None
    reason: str
    is_retrying: bool
    attempts: int
    next_retry_at: datetime | None
    since: datetime
    note: str | None
    note_by: str
    noted_at: datetime | None
    message_there: bool
    document: DocumentFacts | None = None

    @property
    def state(self) -> RecordState:
        """How it stands."""
        if self.is_dismissed:
            return RecordState.DISMISSED
        return RecordState.HELD if self.is_held else RecordState.FAILED


@dataclass(frozen=True, slots=True)
class AttentionCounts:
    """How many records failed, and how many need review; beside them those that were dismissed."""

    failed: int = 0
    needs_review: int = 0
    dismissed: int = 0

    @property
    def waiting(self) -> int:
        """How many wait for a person."""
        return self.failed + self.needs_review


@dataclass(frozen=True, slots=True)
class AttentionPage:
    """A page of them, the one that has waited longest first.

    total    how many there are in the group, on all pages
    next     what leads to the page behind it; None at the end
    silence  why Salesforce named nobody
    """

    items: Sequence[AttentionItem]
    total: int
    next: str | None
    counts: AttentionCounts
    silence: Unanswered | None = None


@dataclass(frozen=True, slots=True)
class AttentionStatus:
    """How a record stands now that needed attention; `state`: None where it is not known any more."""

    id: str
    state: RecordState | None
    cause: str = ""
    attempts: int = 0
    next_retry_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way: it is in step, waits for a person again, or is gone."""
        return self.next_retry_at is None


@dataclass(frozen=True, slots=True)
class VendorMessage:
    """What a vendor says of a failure, our values struck out; `code`: its own name for it."""

    side: Side
    code: str
    text: str
    at: datetime


def ids(page: AttentionPage) -> tuple[str, ...]:
    """Give the ids of the records on a page, for the audit."""
    return tuple(one.ref.id for one in page.items)


async def listed(
    runtime: Runtime, group: Group, limit: int, after: str | None = None, *, names: bool = True
) -> AttentionPage:
    """Give a page of the records of a group that need attention.

    after   `next` of the page before; what is none counts for nothing
    names   whether Salesforce is asked who they are
    Raises  StoreUnavailable
    """
    rows = await attention.page(runtime.database, group, limit + 1, _place(after))
    shown = rows[:limit]
    known, silence = await names_of(runtime, shown) if names else ({}, None)
    onward = f"{millis(shown[-1].since)}.{shown[-1].link_id}" if len(rows) > limit else None
    total = await failures.number_of(runtime, group)
    return AttentionPage(await _items(runtime, shown, known), total, onward, await counts(runtime), silence)


async def of_links(runtime: Runtime, link_ids: Collection[str]) -> dict[str, AttentionItem]:
    """Give, by link, those of some records that need attention, dismissed ones included; nobody is named.

    Raises  StoreUnavailable
    """
    rows = await attention.some(runtime.database, link_ids)
    return {one.id: one for one in await _items(runtime, rows, {})}


async def counts(runtime: Runtime) -> AttentionCounts:
    """Give how many records need attention.

    Raises  StoreUnavailable
    """
    return AttentionCounts(*await attention.counts(runtime.database))


async def settled(runtime: Runtime, link_ids: Collection[str]) -> list[AttentionStatus]:
    """Give how each of some records stands now, by links' ids; nobody is named, and no vendor is asked.

    Raises  StoreUnavailable
    """
    views = await record_views.of_links(runtime.database, link_ids)
    waiting = {row.link_id: row for row in await attention.some(runtime.database, link_ids)}
    return [_status(link_id, views.get(link_id), waiting.get(link_id)) for link_id in link_ids]


def _status(link_id: str, view: record_views.RecordView | None, row: Any) -> AttentionStatus:
    if view is None:
        return AttentionStatus(link_id, None)
    attempts = view.attempts if row is None else row.attempts
    return AttentionStatus(link_id, view.standing, view.cause, attempts, view.due_at)


async def message(runtime: Runtime, link_id: str, by: By) -> VendorMessage | None:
    """Give what the vendor says of a failure, noted before it is shown; None where it is not kept.

    Raises  StoreUnavailable: it could not be noted, so nothing is shown
    """
    row = await attention.find_message(runtime.database, link_id)
    text = None if row is None else _opened(runtime, row.message, SealedColumn.FAILURE_MESSAGE.of(link_id))
    if row is None or not isinstance(text, str):
        return None
    await audit.record(runtime.database, Act(by, Action.REVEAL, f"{_about(row, link_id)}, message"))
    return VendorMessage(Side(row.side), vendor_code(row.cause), text, row.at)


async def note(runtime: Runtime, link_id: str, text: str, by: By) -> bool:
    """Keep a person's note on a record that waits, sealed; an empty one is taken away. False where it does not wait.

    Raises  StoreUnavailable
    """
    row = await attention.find_message(runtime.database, link_id)
    if row is None:
        return False
    given = {"text": text.strip()[:LONGEST_NOTE], "by": by.name or by.who, "at": runtime.now().isoformat()}
    sealed = runtime.vault.seal(given, SealedColumn.FAILURE_NOTE.of(link_id)) if given["text"] else None
    return await attention.keep_note(runtime.database, link_id, sealed, Act(by, Action.NOTE, _about(row, link_id)))


async def export(runtime: Runtime, group: Group, out: TextIO, by: By) -> int:
    """Write the records of a group as CSV, the one that has waited longest first, and note that; gives how many.

    Raises  StoreUnavailable, OSError; what was written by then stays
    """
    count = -1  # the heading
    async for line in csv_lines(runtime, group, by):
        out.write(line)
        count += 1
    return count


def item_as_json(one: AttentionItem) -> dict[str, Any]:
    """Give a record as the API and `chronobridge failures --json` say it, who it is included where that is known."""
    return {
        "id": one.id,
        "kind": one.kind,
        "drchrono_id": one.drchrono_id,
        "salesforce_id": one.salesforce_id,
        "record": f"{one.ref.side}/{one.ref.kind}/{one.ref.id}",
        "status": STATUS_NAMES.get(one.state, one.state.value),
        "name": one.name,
        "birth_date": one.born,
        "code": one.cause,
        "vendor_code": one.code,
        "source": one.side,
        "fields": one.fields,
        "labels": one.labels,
        "sentence": one.sentence,
        "fix": one.fix,
        "decided": one.is_decided,
        "dismissed": one.is_dismissed,
        "dismissed_by": one.dismissed_by,
        "dismissed_at": one.dismissed_at,
        "reason": one.reason,
        "retrying": one.is_retrying,
        "attempts": one.attempts,
        "next_retry_at": one.next_retry_at,
        "since": one.since,
        "note": one.note,
        "note_by": one.note_by,
        "noted_at": one.noted_at,
        "message": one.message_there,
    }


async def csv_lines(runtime: Runtime, group: Group, by: By) -> AsyncIterator[str]:
    """Give the records of a group as lines of CSV with a heading, noted before the first; no name, no value.

    Raises  StoreUnavailable
    """
    number = await failures.number_of(runtime, group)
    await audit.record(runtime.database, Act(by, Action.EXPORT, f"failures: {failures.named(group)}", number))
    yield _line(COLUMNS)
    after: tuple[datetime, str] | None = None
    while rows := await attention.page(runtime.database, group, _IN_A_BATCH, after):
        for one in await _items(runtime, rows, {}):
            yield _line(_cells(runtime, one))
        after = rows[-1].since, rows[-1].link_id


def _cells(runtime: Runtime, one: AttentionItem) -> Sequence[object]:
    ref = one.ref
    return (
        one.kind.value,
        one.drchrono_id,
        one.salesforce_id,
        STATUS_NAMES.get(one.state, one.state.value),
        one.cause,
        one.side.value,
        ", ".join(one.fields),
        one.since.isoformat(timespec="seconds"),
        one.attempts,
        one.next_retry_at and one.next_retry_at.isoformat(timespec="seconds"),
        f"{runtime.settings.public_url}/records/{ref.side.value}/{ref.kind.value}/{ref.id}",
        MASK if one.message_there else None,
        one.dismissed_by,
        one.dismissed_at and one.dismissed_at.isoformat(timespec="seconds"),
        one.reason,
    )


def _line(values: Sequence[object]) -> str:
    out = StringIO(newline="")
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue()


def _place(after: str | None) -> tuple[datetime, str] | None:
    found = _PLACE.fullmatch(after or "")
    return found and (instant(int(found[1]) / 1000), found[2])


def _about(row: Any, link_id: str) -> str:
    """Name a record for the audit, of its row: by kind and id, never by a value."""
    return f"{row.kind} {row.drchrono_id or row.salesforce_id or link_id}"


def _opened(runtime: Runtime, sealed: str | None, place: str) -> Any:
    try:
        return None if sealed is None else runtime.vault.open(sealed, place)
    except Undecryptable:
        return None


async def _items(runtime: Runtime, rows: Sequence[Any], known: Mapping[str, RecordName]) -> list[AttentionItem]:
    decided = await resolutions.waiting(runtime.database, [row.link_id for row in rows])
    return [_item(runtime, row, known.get(row.link_id, NOBODY), is_decided=row.link_id in decided) for row in rows]


def _item(runtime: Runtime, row: Any, who: RecordName, *, is_decided: bool) -> AttentionItem:
    side, kind = Side(row.side), Kind(row.kind)
    fields = tuple(name for name in row.fields.split(",") if name)
    called = labels(runtime.mappings.get(kind), side, fields)
    own_side = Side.DRCHRONO if row.drchrono_id else Side.SALESFORCE
    said = _opened(runtime, row.note, SealedColumn.FAILURE_NOTE.of(row.link_id)) or {}
    return AttentionItem(
        id=row.link_id,
        kind=kind,
        ref=RecordRef(own_side, kind, row.drchrono_id or row.salesforce_id or ""),
        drchrono_id=row.drchrono_id,
        salesforce_id=row.salesforce_id,
        name=who.name,
        born=who.born,
        cause=row.cause,
        side=side,
        fields=fields,
        labels=called,
        sentence=sentence(row.cause, side, kind, called),
        fix=fix(row.cause),
        code=vendor_code(row.cause),
        is_held=bool(row.is_held),
        is_decided=is_decided,
        is_dismissed=row.dismissed_at is not None,
        dismissed_by=row.dismissed_by or "",
        dismissed_at=row.dismissed_at,
        reason=row.reason or "",
        is_retrying=row.due_at is not None,
        attempts=row.attempts,
        next_retry_at=row.due_at,
        since=row.since if row.since > _NEVER else row.at,
        note=said.get("text"),
        note_by=said.get("by", ""),
        noted_at=datetime.fromisoformat(said["at"]) if "at" in said else None,
        message_there=bool(row.has_message),
        document=who.document,
    )
