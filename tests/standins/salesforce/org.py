"""The whole state of the stand-in: records, sessions, allowance, settings and the journals tests read.

One object, in memory, changed only from the event loop. Time comes in as a function, and never runs backwards.
"""

import copy
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.salesforce.metadata.shape import custom_permissions, kinds_of
from tests.standins.salesforce.metadata.xml_parts import text
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.values import stamp
from tests.standins.screens import Watched

ORG_ID = "00DSYN0000000012BA"
OTHER_ORG_ID = "00DOTHER00000012HA"
HUMAN = "005SYN000000001YBA"
INTEGRATION_USER = "005SYN000000002YBA"
ADMIN = "admin@example.test"
INTEGRATION_SETS = frozenset({"DrChrono_Integration"})
WRITES_KEPT = 50_000
CURSORS_KEPT = 200
EMPTY = Catalog()
_PROFILES = ("System Administrator", "Minimum Access - API Only Integrations")


_ITSELF = {
    "Name": "Synthetic Clinic",
    "TimeZoneSidKey": "America/New_York",
    "DefaultLocaleSidKey": "en_US",
    "LanguageLocaleKey": "en_US",
    "OrganizationType": "Enterprise Edition",
    "InstanceName": "SYN1",
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
    file_storage_full: bool = False  # no new files
    daily_versions: int = 200_000  # how many versions of files may be published in a day
    daily_versions_code: str = "LIMIT_EXCEEDED"  # inferred; Apex is told UnexpectedException: UNKNOWN_EXCEPTION, a 500
    limits_stale: bool = False  # /limits was seen to lag behind in what is left of versions
    blocked_extensions: list[str] = field(default_factory=list)  # in small letters: what Setup lets nobody upload
    versions_inherit: bool = True  # a new version has the custom fields of the one before it, where it says nothing
    query_all_files: bool | None = None  # the integration user's permission; None: as its permission sets say
    files_set_by_record: bool = True  # who may edit a record may edit the files that people upload to it
    most_body_bytes: int = 52_428_800  # of a body that is not multipart
    file_keep_bytes: int = 33_554_432  # the bytes of larger uploads are counted and forgotten
    file_spoiled: bool = False  # every download of a file is another one, of the same length
    file_checksums: bool = True  # versions say the MD5 of their bytes
    file_type: str = "application/octetstream"  # what a download says every file is
    file_chunked: bool = False  # a download does not say how long it is
    most_in_transaction: int = 0  # the org's trigger copes with so many records of an object at once; 0: with any
    trigger_fails_on: str = ""  # a LastName: a transaction that has one of it fails as a whole
    under_approval: list[str] = field(default_factory=list)  # Ids of records that are locked
    owner_left: list[str] = field(default_factory=list)  # Ids of records whose owner is an inactive user
    rewrites: dict[str, str] = field(default_factory=dict)  # Object.Field -> what a trigger makes of it: upper, digits
    # each: object, field, like (a pattern of the whole value), message; active unless it says false
    validation_rules: list[dict[str, Any]] = field(default_factory=list)
    deploy_looks: int = 2  # so many looks at a deploy find it under way
    integration_may_deploy: bool = False
    production: bool = False  # tests must run, and flows arrive as drafts
    flows_deploy_active: bool = False  # in a production org, too
    apex_coverage: int = 90
    failing_tests: dict[str, str] = field(default_factory=dict)  # Class.method -> why it fails

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

    user = INTEGRATION_USER  # whose view of the org this is

    def __init__(
        self,
        credentials: Credentials,
        *,
        latency_s: float = 0.0,
        now: Callable[[], datetime] | None = None,
        package: Catalog = EMPTY,
    ):
        self.credentials = credentials
        self._package = package
        self._latency_s = latency_s
        self._now = now or (lambda: datetime.now(UTC))
        self._last = datetime.min.replace(tzinfo=UTC)
        self._kept: dict[str, dict[str, Table]] = {}
        self.followers: list[Callable[[], None]] = []  # told when other components are deployed
        self.reset()

    def reset(self) -> None:
        """As on the first day, sessions included; the latency given at start comes back."""
        self.settings = Settings(latency_s=self._latency_s)
        self.catalog = self._package
        self._kinds = kinds_of(
            self.catalog, frozenset({one.name for one in self.catalog.of("PermissionSet")} & INTEGRATION_SETS)
        )
        self.tables = {name: Table(kind) for name, kind in self._kinds.items()}
        self._add("organization", Id=self.credentials.org_id, IsSandbox=True, **_ITSELF)
        self._add_people()
        self.deploys: dict[str, Any] = {}
        self.retrievals: dict[str, Any] = {}
        self.devices: dict[str, Any] = {}
        self.principals: dict[tuple[str, str], dict[str, Any]] = {}  # external credential, principal -> its values
        self.signed_in: dict[str, str] = {}  # sessions of others than the integration user
        self.sessions: dict[str, datetime] = {}
        self.logins = 0
        self.calls_used = 0
        self.versions_made = 0
        self.cursors: dict[str, Any] = {}
        self.cursors_made = 0
        self.jobs: dict[str, Any] = {}
        self.record_faults: list[RecordFault] = []
        self.edits: list[dict[str, Any]] = []
        self.watched = Watched()
        # told of every change: (call, table, row, op, changed)
        self.listeners: list[Callable[..., None]] = [self._hear_assignment]
        self.writes: deque[tuple[str, str, str, str, list[str], list[str]]] = deque(maxlen=WRITES_KEPT)

    def change_settings(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Takes the new values and gives all that now hold; the org says of itself what they make of it."""
        held = self.settings.change(wanted)
        for row in self.tables["organization"].live():
            row["IsSandbox"] = not self.settings.production
        return held

    def _add(self, name: str, **values: Any) -> Row:
        table = self.tables[name]
        row = table.blank()
        row.update(values)
        table.add(row)
        return row

    def _add_people(self) -> None:
        for name in _PROFILES:
            self._add("profile", Name=name)
        profiles = list(self.tables["profile"].rows)
        people = {HUMAN: ("Administrator", ADMIN), INTEGRATION_USER: ("Integration User", self.credentials.username)}
        for (user, (name, username)), profile in zip(people.items(), profiles, strict=True):
            self._add("user", Id=user, Name=name, Username=username, Email=ADMIN, IsActive=True, ProfileId=profile)
        self._follow_permission_sets()
        self._follow_flows()
        for row in list(self.tables["permissionset"].live()):
            if row["Name"] in INTEGRATION_SETS:
                self._add("permissionsetassignment", AssigneeId=INTEGRATION_USER, PermissionSetId=row["Id"])

    def _follow_permission_sets(self) -> None:
        """The permission sets that are deployed are rows, and no others are."""
        table = self.tables["permissionset"]
        there = {row["Name"]: row for row in table.live()}
        for one in self.catalog.of("PermissionSet"):
            if (row := there.pop(one.name, None)) is None:
                row = self._add("permissionset", Name=one.name, IsCustom=True, Type="Regular")
            row["Label"] = text(one.part, "label")
        for row in there.values():
            table.forget(row)

    def _follow_flows(self) -> None:
        """What Setup shows of the flows that are deployed."""
        table = self.tables["flowdefinitionview"]
        table.rows.clear()
        for one in self.catalog.of("Flow"):
            self._add("flowdefinitionview", ApiName=one.name, IsActive=text(one.part, "status") == "Active")

    def adopt(self, catalog: Catalog) -> None:
        """The org has these components from now on: its objects are those, and values of other fields are gone."""
        self.catalog = catalog
        self._follow_permission_sets()
        self._follow_flows()
        self._reshape()
        for follow in self.followers:
            follow()

    def _reshape(self) -> None:
        before, self._kinds = self._kinds, kinds_of(self.catalog, frozenset(self.sets_of(INTEGRATION_USER)))
        for name in before.keys() - self._kinds.keys():
            del self.tables[name]
        for name, kind in self._kinds.items():
            table = self.tables.get(name)
            if table is None:
                self.tables[name] = Table(kind)
            elif kind is not before.get(name):
                # What an admin made in Setup stays, unless the same field was deployed.
                old = before[name].own if name in before else ()
                known = {column.name for column in (*old, *kind.own)}
                more = tuple(column for column in table.kind.own if column.name not in known)
                table.reshape(replace(kind, own=(*kind.own, *more)) if more else kind)

    def _hear_assignment(self, _call: Any, table: Table, _row: Row, _op: str, _changed: list[str]) -> None:
        if table.kind.name == "PermissionSetAssignment":
            self._reshape()

    def sets_of(self, user: str) -> set[str]:
        """The names of the permission sets that are assigned to the user."""
        sets = self.tables["permissionset"].rows
        given = self.tables["permissionsetassignment"].live()
        return {sets[row["PermissionSetId"]]["Name"] for row in given if row["AssigneeId"] == user}

    def permissions_of(self, user: str) -> frozenset[str]:
        """The custom permissions that the user has, in lower case."""
        return custom_permissions(self.catalog, frozenset(self.sets_of(user)))

    def is_active_user(self, username: str) -> bool:
        users = self.tables["user"].live()
        return any(row["Username"].lower() == username.lower() and row["IsActive"] for row in users)

    def is_assigned(self, permission_set: str) -> bool:
        given = self.tables["permissionsetassignment"].live()
        sets = self.tables["permissionset"].rows
        return any(sets[row["PermissionSetId"]]["Name"] == permission_set for row in given)

    def has_duplicates(self, kind: str, field: str) -> bool:
        held = [row[field] for row in self.tables[kind.lower()].live() if row.get(field) is not None]
        return len(held) != len(set(held))

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

    def log_in(self, user: str = INTEGRATION_USER) -> str:
        token = f"{self.org_id[:15]}!{secrets.token_urlsafe(60)}"
        self.sessions[token] = self.now()
        if user != INTEGRATION_USER:
            self.signed_in[token] = user
        self.logins += 1
        return token

    def user_of(self, token: str) -> str:
        """Whose session it is."""
        return self.signed_in.get(token, INTEGRATION_USER)

    def user_named(self, username: str) -> str:
        """The id of the user of this name, in any case.

        Raises
            ApiError  NOT_FOUND: there is none

        """
        for row in self.tables["user"].live():
            if row["Username"].lower() == username.lower():
                return str(row["Id"])
        raise not_found(f"no user {username}")

    @property
    def admin(self) -> str:
        return HUMAN

    def name_of(self, user: str) -> str:
        return str(self.tables["user"].rows[user]["Name"])

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
