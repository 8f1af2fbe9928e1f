"""Audit: who did what, as a person or a script looks through it; every act is noted by the operation that does it.

Looking is noted too: one row for each list, search, day or record that was shown, with the ids of what stood there. A
page that looks again by itself is noted once a minute for a session and what it shows. Verifying follows the chain of
the rows; exporting writes them as CSV, without anything that a spreadsheet would carry out.
"""

import csv
import io
import os
import pwd
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TextIO
from weakref import WeakKeyDictionary

from app.ports import Act, Action, By, ListPage, first_of
from app.runtime import Runtime
from app.store import audit
from app.store.audit_chain import AuditAnchor
from app.store.database import Database
from app.sync.model import Kind, Side
from app.vendors.salesforce.wire import long_id

_POLL_S = 60.0
_MOST_POLLS = 10_000
_ANCHOR = re.compile(r"[0-9]{1,18}:[0-9a-f]{64}", re.ASCII)
_RECORD = re.compile(r"(?:documents of )?(?P<kind>[a-z]+) (?P<id>[0-9A-Za-z]+)(?:,| and |$)", re.ASCII)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of one
COLUMNS = ("position", "id", "at", "role", "name", "who", "action", "about", "records", "ids", "reason")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act as it was noted.

    name    the account, or for a command the user of the operating system; empty where nobody was known
    about   what it was done to; `records`: how many it touched; `reason`: why
    ids     the records or rows that were shown
    """

    id: str
    at: datetime
    role: str
    who: str
    name: str
    action: str
    about: str
    records: int
    reason: str
    ids: tuple[str, ...]

    @property
    def path(self) -> str | None:
        """The page of what it was done to; None where that has none."""
        if self.action in (Action.PAUSE, Action.RESUME):
            return "/queues"
        named = _RECORD.match(self.about)
        if named is None:
            return None
        kind, id_ = named["kind"], named["id"]
        if kind == "delivery":
            return f"/deliveries/{id_}"
        side = Side.DRCHRONO if id_.isdigit() else Side.SALESFORCE if long_id(id_) else None
        return f"/records/{side.value}/{kind}/{id_}" if side and kind in set(Kind) else None


async def acts(
    runtime: Runtime, limit: int, action: Action | None = None, before: str | None = None
) -> ListPage[AuditEntry]:
    """Give what was done, newest first: of one action where told, older than an id where told.

    Raises  StoreUnavailable
    """
    rows = await audit.lately(runtime.database, limit + 1, action=action, before=before)
    found = [
        AuditEntry(
            row.id,
            row.at,
            row.role,
            row.who,
            row.name,
            row.action,
            row.about,
            row.records,
            row.reason,
            tuple(row.ids.split()),
        )
        for row in rows
    ]
    return first_of(found, limit, lambda one: one.id, await audit.count(runtime.database, action))


def by_command() -> By:
    """Give who runs a command: the operating system's user, as the system says and not the environment."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return By("operator", "command", name)


async def note_command(runtime: Runtime, action: Action, about: str) -> None:
    """Note that a command of this machine acts.

    Raises  StoreUnavailable: it could not be noted, so nothing may be done
    """
    await audit.record(runtime.database, Act(by_command(), action, about, 0))


_polls: WeakKeyDictionary[Database, OrderedDict[tuple[By, Action, str], float]] = WeakKeyDictionary()


async def note_view(runtime: Runtime, by: By, action: Action, about: str, ids: Collection[str] = ()) -> None:
    """Note that somebody was shown something, before it is; of a page that looks again by itself once a minute.

    Raises  StoreUnavailable: it could not be noted, so nothing may be shown
    """
    noted, key = _polls.setdefault(runtime.database, OrderedDict()), (by, action, about)
    if by.is_poll and monotonic() - noted.get(key, -_POLL_S) < _POLL_S:
        return
    await audit.record(runtime.database, Act(by, action, about, len(ids), ids=tuple(ids)))
    if by.is_poll:
        noted[key] = monotonic()
        noted.move_to_end(key)
        while len(noted) > _MOST_POLLS:
            noted.popitem(last=False)


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What following the chain came to.

    broken  the first row that cannot be believed, and why; None where every one can
    anchor  the last row that can be: its position and digest, to be kept elsewhere
    rows    its position alone
    """

    broken: str | None
    anchor: str
    rows: int


def parse_anchor(text: str) -> AuditAnchor | None:
    """Give the row that an anchor names; None where it is none."""
    position, _, digest = text.partition(":")
    return AuditAnchor(int(position), digest) if _ANCHOR.fullmatch(text) else None


async def verify(runtime: Runtime, anchor: AuditAnchor | None = None, *, rests: bool = False) -> AuditVerdict:
    """Follow the whole chain.

    anchor  a row as it was noted elsewhere; by it alone a cut-off end shows that was hidden well
    rests   now and then, so that whoever else works goes first
    Raises  StoreUnavailable
    """
    broken, last = await audit.first_break(runtime.database, anchor, rests=rests)
    return AuditVerdict(str(broken) if broken else None, str(last), last.position)


async def export(runtime: Runtime, out: TextIO, since: datetime | None, until: datetime | None, by: By) -> int:
    """Write acts as CSV, oldest first, and note that; gives how many.

    Raises  StoreUnavailable, OSError; what was written by then stays
    """
    count = -1  # the first line is the columns' names
    async for line in csv_lines(runtime, since, until):
        out.write(line)
        count += 1
    span = f"from {since.isoformat() if since else 'the beginning'} until {until.isoformat() if until else 'now'}"
    await audit.record(runtime.database, Act(by, Action.EXPORT, f"audit {span}", count))
    return count


async def download(runtime: Runtime, by: By) -> AsyncIterator[str]:
    """Give all acts as CSV for a browser; that somebody takes them is noted first.

    Raises  StoreUnavailable: it could not be noted, so nothing may be shown
    """
    count = await audit.count(runtime.database, None)
    await audit.record(runtime.database, Act(by, Action.EXPORT, "audit, all of it", count))
    return csv_lines(runtime)


async def csv_lines(
    runtime: Runtime, since: datetime | None = None, until: datetime | None = None
) -> AsyncIterator[str]:
    """Give the columns' names and then acts, oldest first, each as a line of CSV.

    Raises  StoreUnavailable
    """
    yield _line(COLUMNS)
    async for row in audit.between(runtime.database, since, until):
        given = {**row._asdict(), "at": row.at.isoformat(timespec="milliseconds")}
        yield _line([cell(given[column]) for column in COLUMNS])


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def cell(value: object) -> str:
    """Give a value as a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
