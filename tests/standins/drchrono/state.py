"""Everything the stand-in remembers, in memory, in one place; a reset is a new beginning of it."""

import copy
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.standins.calls import Calls, templated
from tests.standins.drchrono.appointments import Appointments
from tests.standins.drchrono.bulk_jobs import Jobs
from tests.standins.drchrono.clock import Clock
from tests.standins.drchrono.documents import Documents
from tests.standins.drchrono.people import People
from tests.standins.drchrono.quota import Quota, throttled
from tests.standins.drchrono.records import Patients
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.tokens import Tokens
from tests.standins.drchrono.webhooks import Dispatcher
from tests.standins.faults import Faults
from tests.standins.screens import Watched

CHOICES = {
    "next_links": ("own", "http", "inner"),
    "users_current_redirect": ("absolute", "relative", "elsewhere"),
    "deleted_get": ("gone", "flagged"),
    "delete_event": ("APPOINTMENT_DELETE", "APPOINTMENT_MODIFY"),
    "document_host": ("store", "own"),
    "document_metatags": ("text", "list"),
}
_VIRTUAL = re.compile(r"(?<=/)\d{4}-\d\d-\d\d_\d+(?=/|$)")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a test may turn; the defaults are the vendor's."""

    expires_in: int = 172_800
    code_lifetime_s: float = 60.0
    calls_per_hour: int = 500  # 0: no quota
    quota_hour_s: float = 3600.0  # how long the quota's hour lasts here
    burst_rule: bool = False
    prevent_duplicates: bool = False
    reauthorize_revokes: bool = True  # a new authorization by the same user kills the tokens before it
    refresh_gives_refresh_token: bool = True  # False: a refresh answers without one, and the old one stays good
    grant_error_status: int = 401  # of invalid_grant; newer OAuth libraries answer 400
    token_scope_key: bool = True  # that `scope` is among the keys of a token answer is inferred
    users_current_redirect: str = "absolute"  # relative: a path only; elsewhere: to a host that is not this one
    moved: tuple[str, ...] = ()  # calls, as METHOD /path-prefix, that have moved: 302 to the same path with a slash
    next_links: str = "own"  # http: a proxy has ended TLS; inner: at a host that nobody outside can reach
    token_lag_s: float = 0.0  # how long a token that was given is not known everywhere, and refused
    hide_inactive: bool = True  # a list shows inactive and deceased patients only with show_inactive
    list_stale_s: float = 0.0
    latency_s: float = 0.0
    page_size: int = 250
    verbose_page_size: int = 50
    appointment_page_size: int = 20  # the editions of the reference disagree: 20, or up to 250
    verbose_appointment_page_size: int = 25
    deleted_get: str = "gone"  # a deleted appointment read by its id: a 404, or "flagged": the object, marked
    delete_event: str = "APPOINTMENT_DELETE"  # or APPOINTMENT_MODIFY, as before the vendor knew that event
    consistent_recurrence_id: bool = True  # False: recurrence_instance_key is null everywhere
    since_counts_time: bool = False  # that a time of day is ignored is our assumption
    phones_as_digits: bool = False  # a phone number is kept as its digits alone
    limit_headers: bool = False  # answers say how many calls are left
    bulk_polls: int = 1  # how often a bulk list says "In progress" before it is complete
    bulk_makes_s: float = 0.0  # how long a page of a bulk list takes to be made, several of them side by side
    bulk_page_size: int = 1000
    bulk_takes_show_inactive: bool = True  # nowhere said
    bulk_life_s: float = 3600.0
    bulk_fails: bool = False  # a bulk list that is looked at now has failed, for good
    document_null_on_create: bool = True  # the answer to a new document does not know its file
    document_looks: int = 1  # so many looks at a new document, in lists too, do not find its file; -1: none ever does
    document_host: str = "store"  # the file lies at another host name; own: at this one
    document_url_s: float = 3600.0  # how long the address of a file is good
    document_redirect: str = ""  # a download is sent on; moved: to the file host's next address; else: to this one
    document_type: str = ""  # what the file host says every file is; unless said, what its name says
    document_chunked: bool = False  # the file host does not say how long a file is
    document_spoiled: bool = False  # every download of a file is another one, of the same length
    document_most_bytes: int = 26_214_400  # of a body: the vendor names no size; 0: any
    document_keep_bytes: int = 33_554_432  # the bytes of larger uploads are counted and forgotten
    document_metatags: str = "text"  # tags are a JSON array as text, or "list": as an array
    document_patch_takes_json: bool = False  # nowhere said
    archived_documents_listed: bool = True  # nowhere said
    archived_documents_readable: bool = True  # by id; nowhere said
    archiving_is_a_change: bool = True  # updated_at moves; nowhere said
    redirect_uris: tuple[str, ...] = ()  # of the first application
    other_redirect_uris: tuple[str, ...] = ()  # of every further one

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: one of {', '.join(choices)}")


class State:
    """The practices, the API applications, and the records of both.

    The first application is the one whose webhook is called; each has a secret, a quota and tokens of its own.
    """

    def __init__(self, client_id: str, client_secret: str, settings: Settings, others: Mapping[str, str]) -> None:
        self.client_id = client_id
        self.secrets = {client_id: client_secret, **others}
        self._first_settings = settings
        self.calls = Calls(lambda path: templated(_VIRTUAL.sub("{id}", path)))
        self.faults = Faults(lambda: throttled(self.quota.left_s(self.settings.quota_hour_s)))
        self.clock = Clock()
        self.dispatcher = Dispatcher(self.clock, self._record)
        self._kept: dict[str, Tokens] = {}
        self.begin()

    def begin(self) -> None:
        """Forgets everything but the client's credentials and the settings of the start."""
        self.settings = self._first_settings
        self.clock.__init__()
        self.calls.clear()
        self.faults.rules.clear()
        self.dispatcher.clear()
        self.patients = Patients(self.clock)
        self.appointments = Appointments(self.clock)
        self.documents = Documents(self.clock)
        self.bulk = Jobs()
        self._obey()
        self.people = People()
        self.tokens = Tokens()
        self.quotas = {application: Quota() for application in self.secrets}
        self.watched = Watched()
        self.edits: list[dict[str, Any]] = []

    @property
    def quota(self) -> Quota:
        """The first application's."""
        return self.quotas[self.client_id]

    def redirect_uris(self, client_id: str) -> tuple[str, ...]:
        """Gives what is registered for an application."""
        return self.settings.redirect_uris if client_id == self.client_id else self.settings.other_redirect_uris

    def keep(self, name: str) -> None:
        """Remembers who is let in now, beyond a reset."""
        self._kept[name] = copy.deepcopy(self.tokens)

    def put_back(self, name: str) -> None:
        """Lets in whom it let in then, and nobody else. Raises KeyError for a name that was never kept."""
        self.tokens = copy.deepcopy(self._kept[name])

    def _obey(self) -> None:
        for table in (self.patients, self.appointments, self.documents):
            table.list_stale_s = self.settings.list_stale_s
        self.appointments.consistent_recurrence_id = self.settings.consistent_recurrence_id

    def _record(self, record_id: int | str) -> Record | None:
        """Gives what a delivery says of a patient, whose id is a number, or of an appointment, whose id is text."""
        if isinstance(record_id, int):
            return self.patients.records.get(record_id)
        record = self.appointments.records.get(record_id)
        return record and self.appointments.shown(record)

    def announce(self, event: str, appointment: Record) -> None:
        self.dispatcher.raise_event(event, self.appointments.shown(appointment))

    def turn(self, change: dict[str, Any]) -> None:
        """Raises ValueError for a setting there is not, or a value it cannot have."""
        unknown = change.keys() - {field.name for field in fields(Settings)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        self.settings = replace(self.settings, **change)
        self._obey()

    def allow(self, redirect_uri: str, scope: str, user: str = "", client_id: str = "") -> str:
        """Gives the code of a press of Allow: by whoever is in the browser, for the first application, unless told."""
        user, client_id = user or self.people.in_browser, client_id or self.client_id
        return self.tokens.allow(user, redirect_uri, scope, self.settings.code_lifetime_s, client_id)

    def note_edit(self, kind: str, record_id: int | str, changed: Record, *, thing: str = "patient") -> None:
        """Keeps what a human did, in order: what a simulation checks the outcome against."""
        self.edits.append({"at": time.time(), "kind": kind, "object": thing, "id": record_id, "fields": changed})


def state_of(request: Request) -> State:
    return request.app.state.standin


class RefusedError(Exception):
    """Ends a call with the vendor's own refusal."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


async def refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return JSONResponse(error.body, error.status)
