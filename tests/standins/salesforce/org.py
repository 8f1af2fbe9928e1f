"""The whole state of the stand-in: records, sessions, allowance, settings and the journals tests read.

One object, in memory, changed only from the event loop. Time comes in as a function, and never runs backwards.
"""

import copy
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.objects import KINDS
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.values import stamp

ORG_ID = "00DSYN0000000012BA"
OTHER_ORG_ID = "00DOTHER00000012HA"
HUMAN = "005SYN000000001YBA"
INTEGRATION_USER = "005SYN000000002YBA"
WRITES_KEPT = 50_000
CURSORS_KEPT = 200


_ITSELF = {
    "Name": "Synthetic Clinic",
    "TimeZoneSidKey": "America/New_York",
    "DefaultLocaleSidKey": "en_US",
    "LanguageLocaleKey": "en_US",
    "OrganizationType": "Enterprise Edition",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom the org lets in."""

    client_id: str = "standin-client-id"
    client_secret: str = "standin-client-secret"
    org_id: str = ORG_ID
    username: str = "integration@example.test"
    public_key: str | None = None


@dataclass(slots=True)
class Settings:
    """What a test may turn while the org runs."""

    latency_s: float = 0.0
    daily_calls: int = 115_000
    session_s: float = 7200.0
    duplicate_rule: str = "off"
    stamp_ms: int = 1
    page_rows: int = 2000
    ingest_looks: int = 0  # so many looks at a closed job find it queued
    ingest_ends: str = "JobComplete"  # how jobs end
    ingest_does: int | None = None  # so many records a job comes to before its end; all without
    missing_parent: str = "INVALID_FIELD"  # what a parent that no external id finds is called
    versions: list[str] = field(default_factory=list)  # the only ones offered; empty: the newest listed, any answered
    login_error: str = ""  # what every login is refused with
    foreign_org: bool = False  # a login leads into another org than the credentials' own
    read_only: bool = False  # a maintenance: whoever writes by API is refused, record by record
    storage_full: bool = False  # no new records
    most_in_transaction: int = 0  # the org's trigger copes with so many records of an object at once; 0: with any
    trigger_fails_on: str = ""  # a LastName: a transaction that has one of it fails as a whole
    under_approval: list[str] = field(default_factory=list)  # Ids of records that are locked
    owner_left: list[str] = field(default_factory=list)  # Ids of records whose owner is an inactive user
    rewrites: dict[str, str] = field(default_factory=dict)  # Object.Field -> what a trigger makes of it: upper, digits

    def change(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Takes the new values and gives all that now hold; an unknown name or value is refused."""
        unknown = wanted.keys() - {known.name for known in fields(self)}
        if unknown:
            raise ApiError("INVALID_FIELD", f"no such setting: {', '.join(sorted(unknown))}")
        if wanted.get("duplicate_rule", "off") not in {"off", "alert", "block"}:
            raise ApiError("INVALID_FIELD", "duplicate_rule: off, alert or block")
        for name, value in wanted.items():
            setattr(self, name, value)
        return asdict(self)


@dataclass(slots=True)
class RecordFault:
    """A record whose next writes are refused."""

    object: str
    statusCode: str  # noqa: N815 -- the rule speaks as the answer does
    message: str = "synthetic"
    fields: list[str] = field(default_factory=list)
    external_id: str | None = None
    id: str | None = None
    match: dict[str, Any] | None = None
    next: int = 1

    def fits(self, kind: str, row: Row, keys: tuple[str, ...]) -> bool:
        if kind != self.object:
            return False
        if self.id is not None:
            return row.get("Id") == self.id
        if self.external_id is not None:
            return any(row.get(key) == self.external_id for key in keys)
        return self.match is not None and row.get(self.match["field"]) == self.match["equals"]


class Org:
    """One Salesforce org."""

    def __init__(self, credentials: Credentials, *, latency_s: float = 0.0, now: Callable[[], datetime] | None = None):
        self.credentials = credentials
        self._latency_s = latency_s
        self._now = now or (lambda: datetime.now(UTC))
        self._last = datetime.min.replace(tzinfo=UTC)
        self._kept: dict[str, dict[str, Table]] = {}
        self.reset()

    def reset(self) -> None:
        """As on the first day, sessions included; the latency given at start comes back."""
        self.settings = Settings(latency_s=self._latency_s)
        self.tables = {name: Table(kind) for name, kind in KINDS.items()}
        itself = self.tables["organization"].blank()
        itself.update(_ITSELF, Id=self.credentials.org_id)
        self.tables["organization"].add(itself)
        self.sessions: dict[str, datetime] = {}
        self.logins = 0
        self.calls_used = 0
        self.cursors: dict[str, Any] = {}
        self.cursors_made = 0
        self.jobs: dict[str, Any] = {}
        self.record_faults: list[RecordFault] = []
        self.edits: list[dict[str, Any]] = []
        self.listeners: list[Callable[..., None]] = []  # told of every change: (call, table, row, op, changed)
        self.writes: deque[tuple[str, str, str, str, list[str], list[str]]] = deque(maxlen=WRITES_KEPT)

    def keep(self, name: str) -> None:
        """Remembers the objects that have records, beyond a reset."""
        self._kept[name] = copy.deepcopy({kind: table for kind, table in self.tables.items() if table.rows})

    def put_back(self, name: str) -> None:
        """The objects that had records then are as they were; raises KeyError for a name that was never kept."""
        self.tables.update(copy.deepcopy(self._kept[name]))

    def now(self) -> datetime:
        self._last = max(self._last, self._now())
        return self._last

    def stamp(self) -> str:
        """This moment, as it is written on records; `stamp_ms` says how coarsely."""
        now = self.now()
        step_us = max(1, self.settings.stamp_ms) * 1000
        return stamp(now.replace(microsecond=now.microsecond - now.microsecond % step_us))

    def table(self, name: str) -> Table:
        """The object's table; the object's name may come in any case.

        Raises
            ApiError  NOT_FOUND: there is no such object, or the integration user may not see it

        """
        table = self.visible(name)
        if table is None:
            raise not_found()
        return table

    def visible(self, name: str) -> Table | None:
        table = self.tables.get(name.lower())
        return None if table is None or table.kind.hidden else table

    def log_in(self) -> str:
        token = f"{self.org_id[:15]}!{secrets.token_urlsafe(60)}"
        self.sessions[token] = self.now()
        self.logins += 1
        return token

    def greet(self, token: str) -> bool:
        """Whether the session lives; being used keeps it alive."""
        used_at, now = self.sessions.get(token), self.now()
        if used_at is None or now - used_at > timedelta(seconds=self.settings.session_s):
            self.sessions.pop(token, None)
            return False
        self.sessions[token] = now
        return True

    @property
    def org_id(self) -> str:
        """The org that logins lead into."""
        return OTHER_ORG_ID if self.settings.foreign_org else self.credentials.org_id

    def live_sessions(self) -> int:
        oldest = self.now() - timedelta(seconds=self.settings.session_s)
        return sum(used_at >= oldest for used_at in self.sessions.values())

    def keep_cursor(self, pages: Any) -> str:
        self.cursors_made += 1
        locator = f"01gSYN{self.cursors_made:09d}AAA"
        self.cursors[locator] = pages
        if len(self.cursors) > CURSORS_KEPT:
            del self.cursors[next(iter(self.cursors))]
        return locator
