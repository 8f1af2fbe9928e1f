"""The words of a batch: what was leased, what was observed of it, what is to be written, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from app.errors import SyncError
from app.runtime import Runtime
from app.store.journal import Entry
from app.store.work_queue import Due, LeasedBatch
from app.sync.base import Rules
from app.sync.document_file import FileFacts
from app.sync.inspection import Inspection
from app.sync.model import Fields, Kind, Lane, Link, Seen, Side, Snapshot
from app.vendors.drchrono.client import DrChrono
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.wire import RecordRefused, Saved


@dataclass(frozen=True, slots=True)
class Batch:
    """One pass over what was taken: what it works with, by which rules, and since when (monotonic).

    answered  what DrChrono has answered of documents in this pass, by id, each with the address of its file
    read      what the files of documents are known by whose bytes were read in it, by DrChrono's id
    """

    runtime: Runtime
    rules: Rules
    leased: LeasedBatch
    started: float = field(default_factory=monotonic)
    answered: dict[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    read: dict[str, str | None] = field(default_factory=dict, repr=False)

    @property
    def drchrono(self) -> DrChrono | None:
        """The practice, its calls counted in the lane of what was taken; None when it is not connected."""
        return drchrono_of(self.runtime, self.rules.table.kind, self.leased.lane)

    @property
    def salesforce(self) -> Salesforce:
        """The org, called for the lane of what was taken; nothing is taken while it is not connected."""
        assert self.runtime.salesforce is not None
        return self.runtime.salesforce.on(self.leased.lane)


def drchrono_of(runtime: Runtime, kind: Kind, lane: Lane) -> DrChrono | None:
    """Give the practice, its calls counted in a lane; None when it is not connected.

    Documents have a part of the hour, so that many at once hold up no edit; those that nobody waits for a smaller one,
    in the least urgent lane.
    """
    if runtime.drchrono is None or kind is not Kind.DOCUMENT:
        return runtime.drchrono and runtime.drchrono.on(lane)
    if lane is Lane.LIVE:
        return runtime.drchrono.on(lane, runtime.live_document_calls.on(lane))
    return runtime.drchrono.on(Lane.BACKFILL, runtime.document_calls.on(lane))


@dataclass(frozen=True, slots=True)
class ContactSearch:
    """Which Contacts, of those that name no chart, are who a chart is, as Salesforce was read under its match lease.

    who  what the chart showed then
    at   when Salesforce was asked (monotonic)
    """

    who: Fields
    met: tuple[Snapshot, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Observed:
    """One link as taken, with what both sides hold, or why that could not be seen.

    is_contradicted  DrChrono, when asked, denied a body that was believed
    delivered        what the bodies of its unfinished deliveries show, believed or not
    searched         of one that is new to Salesforce, and leased for matching, whom it met there
    """

    due: Due
    seen: Seen | SyncError
    is_contradicted: bool = False
    delivered: tuple[Snapshot, ...] = ()
    searched: ContactSearch | None = None

    @property
    def link(self) -> Link:
        """The link."""
        return self.due.link


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """One record's write, ready to be journalled and sent; `id` is the record to write to, None to create it.

    without  field -> why it was left out, after the side had refused it
    beside   raw values no row has
    message  what the side said when it first refused some of it
    content  of a document that is uploaded: what its bytes were found to be
    file     of a document: what Salesforce says of the version
    """

    link: Link
    id: str | None
    entry: Entry
    fields: Fields
    without: Mapping[str, str]
    zone: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)
    message: str = field(default="", repr=False)
    content: Inspection | None = None
    file: FileFacts | None = None

    @property
    def side(self) -> Side:
        """Where it goes."""
        return self.entry.side


@dataclass(frozen=True, slots=True)
class Written:
    """A record took the fields; those in `without` it refused, for that reason.

    shown    how it answered it now is
    message  what the side said when it first refused some of it
    """

    id: str
    created: bool
    fields: Fields
    without: Mapping[str, str]
    shown: Snapshot | None = None
    message: str = field(default="", compare=False, repr=False)


WriteAnswer = Written | RecordRefused | SyncError


Answered = Saved | Written | RecordRefused | SyncError


def read_only_batch(runtime: Runtime, kind: Kind, lane: Lane, due: Sequence[Due] = ()) -> Batch:
    """Give a pass over records that nobody has leased: it may look, and writes nothing."""
    return Batch(runtime, runtime.rules(kind), LeasedBatch(kind, lane, "", runtime.now(), tuple(due)))
