"""Ports: what two floors share and neither owns, each once and typed.

The store keeps deliveries, acts, tokens and counts of calls; the web, the operations and the vendors' clients speak of
them, and none of these floors may import another. So the values are here, and the protocols of what gives and takes
them; `runtime.py` joins the two ends.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from ulid import ULID

from app.sync.model import Kind, Lane, Side

# Sealed texts: web, operations, workers and store


class SealedColumn(StrEnum):
    """Where sealed texts lie: table and column, or what carries one outside of the database."""

    DELIVERY_BODY = "deliveries.body"
    WRITE_REPLACED = "journal.replaced"
    WRITE_SENT = "journal.sent"
    CONFLICT_KEPT = "conflicts.kept"
    FAILURE_MESSAGE = "failures.message"
    FAILURE_NOTE = "failures.note"
    CONNECTION_TOKEN = "connections.token"  # noqa: S105 - a column's name
    CONNECTION_PENDING = "connections.pending"
    PATIENTS_CURSOR = "cursor of patients"
    PATIENTS_SEARCH = "cookie of a search"
    SIGN_IN_COOKIE = "cookie of a sign-in"

    def of(self, key: str) -> str:
        """Name the place of one sealed text, by the primary key of its row."""
        return f"{self.value} {key}"


# The inbox: web, workers and store

LISTED = "LISTED"  # the event of a delivery we made to ourselves, from a vendor's list


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """What a delivery says of one record.

    lane     in which it falls due by it, None where it does not yet
    request  what a person asked for on the record's card, as text
    """

    side: Side
    kind: Kind
    record_id: str
    version: str = ""
    lane: Lane | None = Lane.LIVE
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request a vendor made to us, ready to be kept.

    key      unique: a keyed hash over side, event, vendor's delivery id and body
    body     sealed
    outcome  kept, skipped (an event we do not sync) or unreadable
    """

    side: Side
    event: str
    vendor_id: str | None
    key: str
    body: str
    outcome: str
    events: tuple[RecordEvent, ...] = ()
    id: str = field(default_factory=lambda: str(ULID()))


Committed = Callable[[Sequence[Delivery]], None]


class Inbox(Protocol):
    """What a webhook needs of the inbox."""

    async def keep(self, delivery: Delivery) -> None:
        """Return once the delivery is durable.

        Raises  StoreUnavailable when it could not be made so: nothing may be acknowledged
        """

    async def probe(self) -> None:
        """Return once all that keeping a delivery takes was done with one of no vendor, and undone.

        Raises  StoreUnavailable when it could not be: a delivery could not be kept either
        """

    async def close(self) -> None:
        """Let go of the database, after what waits is written."""


# The jobs of a process: the supervisor, the store and the health page


@dataclass(frozen=True, slots=True)
class FailingJob:
    """A job that fails, with the class of its error; `worker`: host and process id, empty where it is this process."""

    name: str
    error: str
    since: datetime
    worker: str = ""


# The audit: web, operations and store


class Action(StrEnum):
    """What can be done here, and what the audit notes of itself."""

    SIGN_IN = "sign_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_OUT = "sign_out"
    LIST = "list"
    SEARCH = "search"
    SHOW = "show"
    PAUSE = "pause"
    RESUME = "resume"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    REVEAL = "reveal"
    REPLAY = "replay"
    LOOK = "look"
    RETRY = "retry"
    DISCARD = "discard"
    NOTE = "note"
    RESTORE = "restore"
    SETTLE = "settle"
    MERGE = "merge"
    UNDO = "undo"
    RECONCILE = "reconcile"
    BACKFILL = "backfill"
    PREVIEW = "preview"
    TRY_OUT = "try_out"
    ROTATE_KEYS = "rotate_keys"
    EXPORT = "export"
    ANCHOR = "anchor"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class By:
    """Who acts.

    who      which session, bearer or command it was
    name     the account, or for a command the user of the operating system; empty where nobody is known
    is_poll  a page looked again by itself: nobody need be sitting in front of it
    """

    role: str
    who: str
    name: str = ""
    is_poll: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Act:
    """One act.

    about    what it was done to, by name or id: a lane, a side, `patient 123`
    records  how many records or deliveries it touched
    reason   why, in the person's words
    ids      the records or rows that were shown
    """

    by: By
    action: Action
    about: str
    records: int = 1
    reason: str = ""
    ids: tuple[str, ...] = ()


# Vendors' tokens: the token broker and the store


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as stored.

    version         grows with every token stored; 0 when there never was one
    is_stale        past its time for an early refresh, though it may still be good
    is_expired      past the life the vendor stated
    refused_for_s   since the vendor first refused our credential for this reason; None when it did not
    ask_again_in_s  the vendor asked to be left alone for so long; 0 when it did not
    is_cut_off      somebody asked for a token and never came back with the answer
    practice        the DrChrono practice this database belongs to, kept when it is disconnected
    age_s           since it was stored; None where that was before it was noted
    expires_in_s    until the end the vendor stated, negative once it is past; None when it stated none
    is_ours         this installation may use it; a copy of the database may not
    """

    token: dict[str, Any] | None = field(default=None, repr=False)
    version: int = 0
    is_stale: bool = False
    is_expired: bool = False
    refused_for_s: float | None = None
    refused_code: str | None = None
    ask_again_in_s: float = 0.0
    is_cut_off: bool = False
    practice: str | None = None
    expires_in_s: float | None = field(default=None, compare=False)
    age_s: float | None = field(default=None, compare=False)
    is_ours: bool = True


@dataclass(frozen=True, slots=True)
class TokenLease:
    """The right to ask for the token that follows `version`; `follows_cut_off`: who had it before never came back."""

    owner: str
    version: int
    follows_cut_off: bool


class TokenStore(Protocol):
    """What the token broker needs of whoever keeps a token."""

    async def read(self) -> StoredToken:
        """Give what is stored now."""

    async def lease(self, span: timedelta, /) -> TokenLease | None:
        """Take the right to ask, for a while; None when another process has it.

        Raises  OtherInstance
        """

    async def save(
        self,
        lease: TokenLease,
        version: int,
        token: dict[str, Any],
        refresh_in: timedelta | None = None,
        lives: timedelta | None = None,
        /,
        *,
        is_doubted: bool = False,
    ) -> StoredToken:
        """Store the token that follows a version durably, and let the lease go.

        is_doubted  the refusal of the one before stays until this one is taken
        Raises  LeaseLost when another token has followed that version already
        """

    async def refuse(self, lease: TokenLease, code: str, again_in: timedelta | None = None, /) -> None:
        """Remember a refusal and let the lease go; LeaseLost when a token has followed the refused one."""

    async def trust(self, version: int, code: str, /) -> None:
        """Forget that the token of a version was refused by this code."""

    async def release(
        self, lease: TokenLease, ask_again_in: timedelta | None = None, /, *, is_answered: bool = True
    ) -> None:
        """Let the lease go without a token."""

    async def forget(self, lease: TokenLease, /) -> None:
        """Forget the token and let the lease go."""


# Calls: the rate limits and the store


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was called by a moment of the database's clock.

    at            seconds since 1970
    made          hour since 1970 -> calls, of the last hours
    in_second     what has gone of this very second, with the calls that went by because nobody made them
    closed_until  the vendor is to be left alone until then; 0 when it need not be
    failures      calls in a row that failed
    throttled_at  when the vendor last refused a call as one too many; 0 when it never did
    used, most    what the vendor said it has counted, and allows; told_at: when (0: never)
    refuses       the state for which it refuses whatever it is sent, by its cause; empty where it does not
    refuses_since, refused_at  since when, and when it last did
    """

    at: float
    made: Mapping[int, int] = field(default_factory=dict)
    in_second: int = 0
    closed_until: float = 0.0
    failures: int = 0
    throttled_at: float = 0.0
    used: int = 0
    most: int = 0
    told_at: float = 0.0
    refuses: str = ""
    refuses_since: float = 0.0
    refused_at: float = 0.0


# from how things stand: the hours a call counts in, none where it may not be made; what has gone of this second then;
# and for how many seconds nobody else may call
Admit = Callable[[Ledger], tuple[Sequence[int], int, float]]


class BreakerStore(Protocol):
    """What every rate limit needs of whoever counts: how things stand, and whether the vendor answers."""

    async def read(self) -> Ledger:
        """Give how things stand."""

    async def failed(self, closed_s: Callable[[int], float]) -> None:
        """Count a failure more in a row, and leave the vendor alone for as long as it asks for."""

    async def recovered(self) -> None:
        """Forget the failures."""

    async def throttled(self, wait_s: float, *, is_spent: bool = True) -> None:
        """Leave the vendor alone for so long, because its allowance is spent, or else because it is busy."""


class HourStore(BreakerStore, Protocol):
    """What a limit by the clock hour needs."""

    async def count(self, lane: Lane, admit: Admit) -> tuple[Ledger, bool]:
        """Count a call, if it is admitted; gives how things stood before, and whether it was.

        Raises  OtherInstance
        """

    async def promise(self, lane: Lane, urgent: Sequence[Lane], fits_at: Callable[[Mapping[int, int]], float]) -> float:
        """Promise a call a moment, behind those that were promised one, and give it."""

    async def by_lane(self, hours_ago: int = 0) -> Mapping[Lane, int]:
        """Give the calls of an hour by lane."""


class DayStore(BreakerStore, Protocol):
    """What a limit by the vendor's own count needs."""

    async def told(self, used: int, most: int) -> None:
        """Keep what the vendor says of its allowance."""

    async def refuses(self, cause: str, /) -> float:
        """Keep that the vendor refuses whatever it is sent, and give for how many seconds it has by now."""

    async def takes_again(self) -> None:
        """Forget that it does."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """A page of a list.

    next   what leads to the page behind it; None at the end
    total  how many there are on all pages; None where nobody asked
    """

    items: Sequence[T]
    next: str | None = None
    total: int | None = None


def first_of(found: Sequence[T], limit: int, place: Callable[[T], str], total: int | None = None) -> ListPage[T]:
    """Give the first `limit` of what was found; one more than that tells that there is a page behind.

    place  the name of an item's place in the list
    """
    shown = found[:limit]
    return ListPage(shown, place(shown[-1]) if len(found) > limit else None, total)
