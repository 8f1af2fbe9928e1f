"""What the metrics for Prometheus are: a name, a type, a meaning, and for each label every value it may have.

A label has no other value, so that nothing anybody sends or does makes more series: what is not among them counts as
`other`. So no id, code or text of a vendor's can come in, and never a patient's value. Counters are counted as it
happens, by every process, and kept for all of them together in the database: three kinds of them in the commit that
records a change, the rest within seconds (`app/store/counters.py`). Gauges are read off at a scrape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.sync.model import FailureClass, Kind, Lane, Side

OTHER = "other"


class Type(StrEnum):
    """What Prometheus may do with it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `labels`: label -> every value it may have; `buckets`: the upper bounds of a histogram's."""

    name: str
    type: Type
    help: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    buckets: tuple[float, ...] = ()

    def bounded(self, given: Sequence[str]) -> tuple[str, ...]:
        """Give the values of the labels, in their order, `other` in place of each that is none of them."""
        known = zip(given, self.labels.values(), strict=True)
        return tuple(str(value) if value in allowed else OTHER for value, allowed in known)

    @property
    def most_series(self) -> int:
        """How many series there can be of it."""
        most = 1
        for allowed in self.labels.values():
            most *= len({*allowed, OTHER})
        return most * (len(self.buckets) + 3 if self.buckets else 1)


SIDES = tuple(side.value for side in Side)
KINDS = tuple(kind.value for kind in Kind)
_BY_KIND = {"kind": KINDS}
_BY_BOTH = {"side": SIDES, "kind": KINDS}

DELIVERIES = Metric(
    "chronobridge_deliveries_total",
    Type.COUNTER,
    "Deliveries answered, by what became of them",
    {"side": SIDES, "outcome": ("kept", "skipped", "unreadable", "refused", "ping", "not_kept")},
)
VENDOR_CALLS = Metric(
    "chronobridge_vendor_calls_total",
    Type.COUNTER,
    "Requests made of a vendor, by the class of its answer's status; none: no answer came",
    {"side": SIDES, "status": ("2xx", "3xx", "4xx", "429", "5xx", "none")},
)
FORWARDED = Metric(
    "chronobridge_untrusted_forwards_total",
    Type.COUNTER,
    "Requests that a proxy said to have passed on, which TRUSTED_PROXIES does not name",
)
WRONG_SECRETS = Metric(
    "chronobridge_wrong_secrets_total",
    Type.COUNTER,
    "Requests with a wrong secret, by what it was to open: a page, the API, or a webhook",
    {"secret": ("login", "bearer", "webhook", "outbound", "event")},
)
RINGS_MISSED = Metric(
    "chronobridge_rings_missed_total", Type.COUNTER, "Wake-ups that Redis did not take; the poll makes up for them"
)
END_TO_END = Metric(
    "chronobridge_end_to_end_seconds",
    Type.HISTOGRAM,
    "From a delivery's arrival until what it told of is on both sides and recorded, by who delivered",
    {"side": SIDES},
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
)
UNREADABLE_ROWS = Metric(
    "chronobridge_list_rows_unreadable_total",
    Type.COUNTER,
    "Rows of a vendor's lists that were passed over, because they were no record with a usable id",
    _BY_BOTH,
)
GROUP_SIZE = Metric(
    "chronobridge_inbox_group_size",
    Type.HISTOGRAM,
    "Deliveries that shared one commit",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)

APPLIED = Metric(
    "chronobridge_changes_applied_total",
    Type.COUNTER,
    "Writes that a side has taken, by that side, of looks that ended well",
    _BY_BOTH,
)
CREATED = Metric("chronobridge_records_created_total", Type.COUNTER, "Records made, by the side they are on", _BY_BOTH)
LINKED = Metric(
    "chronobridge_records_linked_total", Type.COUNTER, "Records that turned out to be ones the other side has", _BY_KIND
)
CONFLICTS = Metric(
    "chronobridge_conflicts_total",
    Type.COUNTER,
    "Fields that both sides had changed, differently, each counted when that begins",
    _BY_KIND,
)
PUT_BACKS = Metric(
    "chronobridge_put_backs_total", Type.COUNTER, "Fields of one way that were put back on the other side", _BY_KIND
)
LATE_WRITES = Metric(
    "chronobridge_late_writes_total",
    Type.COUNTER,
    "Fields in which an unanswered write of ours showed late, over something newer, by the side it went to",
    _BY_BOTH,
)
ODD_HOURS = Metric(
    "chronobridge_odd_hours_total",
    Type.COUNTER,
    "Visits at a time that a change of clocks makes twice or never",
    {"hour": ("repeated_hour", "missing_hour"), "kind": KINDS},
)
SKIPPED = Metric(
    "chronobridge_records_skipped_total",
    Type.COUNTER,
    "Looks at records that are none of ours",
    {"cause": ("break", "virtual", "no_time", "never_here", "excluded")},
)
CONTRADICTED = Metric(
    "chronobridge_contradicted_deliveries_total",
    Type.COUNTER,
    "Deliveries whose body DrChrono, when asked, denied",
)
NOTICES = Metric(
    "chronobridge_notices_total",
    Type.COUNTER,
    "Attempts to send people a notice, by channel and what became of them; given_up: those tried for a day",
    {"channel": ("webhook", "slack", "email"), "outcome": ("sent", "failed", "given_up")},
)

BY_PROCESSES = (
    DELIVERIES,
    FORWARDED,
    WRONG_SECRETS,
    VENDOR_CALLS,
    RINGS_MISSED,
    END_TO_END,
    UNREADABLE_ROWS,
    GROUP_SIZE,
    NOTICES,
)
BY_LOOKS = (APPLIED, CREATED, LINKED, CONFLICTS, PUT_BACKS, LATE_WRITES, ODD_HOURS, SKIPPED, CONTRADICTED)


@dataclass(frozen=True, slots=True)
class Tally:
    """A count that is saved in the commit of a link's outcome, by a name that people are shown too.

    name    with a place for each label
    metric  the metric that it makes, by the same labels; None where only people are shown it
    """

    name: str
    metric: Metric | None = None

    def of(self, *labels: str) -> str:
        """Give its name for these values of its labels."""
        return self.name.format(*labels)


APPLIED_TALLY = Tally("applied_{}_{}", APPLIED)
CREATED_TALLY = Tally("created_{}_{}", CREATED)
LINKED_TALLY = Tally("linked_{}", LINKED)
UPDATED_TALLY, MERGED_TALLY = Tally("updated_{}"), Tally("merged_{}")
CONFLICT_TALLY, PUT_BACK_TALLY = Tally("conflict_{}", CONFLICTS), Tally("put_back_{}", PUT_BACKS)
LATE_TALLY = Tally("late_{}_{}", LATE_WRITES)
ODD_HOUR_TALLY = Tally("{}_{}", ODD_HOURS)
SKIPPED_TALLY = Tally("skipped_{}", SKIPPED)
CONTRADICTED_TALLY = Tally("contradicted_delivery", CONTRADICTED)
TALLIES = (
    *(APPLIED_TALLY, CREATED_TALLY, LINKED_TALLY, UPDATED_TALLY, MERGED_TALLY, CONFLICT_TALLY, PUT_BACK_TALLY),
    *(LATE_TALLY, ODD_HOUR_TALLY, SKIPPED_TALLY, CONTRADICTED_TALLY),
)


LANES = tuple(lane.value for lane in Lane)
DIRECTIONS = ("to_salesforce", "to_drchrono")
PARTS = (
    *("watch", "database", "redis", "workers", "jobs", "backlog", "reconciliation", "lanes", "notices"),
    *(f"{side}{what}" for side in SIDES for what in ("", "_token", "_feed", "_budget")),
)
_DUE = {"kind": KINDS, "lane": LANES, "direction": DIRECTIONS}
_WAITS = {"side": SIDES, "kind": KINDS, "class": tuple(one.value for one in FailureClass)}
_BY_SIDE, _BY_LANE = {"side": SIDES}, {"lane": LANES}


def _gauge(name: str, meaning: str, labels: dict[str, tuple[str, ...]] | None = None) -> Metric:
    return Metric(f"chronobridge_{name}", Type.GAUGE, meaning, labels or {})


READY = _gauge("ready", "1 while deliveries can be accepted, as /readyz says")
PART_OK = _gauge("part_ok", "1 while a part is as it should be, as /healthz says", {"part": PARTS})
WORKERS = _gauge("workers_alive", "Workers whose heartbeat is 15 s old or less")

DUE = _gauge("due_records", "Records due now or later", _DUE)
OLDEST_DUE = _gauge("oldest_due_seconds", "How long the longest due record has been due", _DUE)
LEASES = _gauge("leases_held", "Records that a worker works on at this moment", {"kind": KINDS})
LANE_PAUSED = _gauge("lane_paused", "1 while a lane is paused", _BY_LANE)
FAILED = _gauge("failed_records", "Records that failed and wait for a person, by what sort of thing is wrong", _WAITS)
HELD = _gauge("held_records", "Records that are held until a person decides, by what it is about", _WAITS)
DISMISSED = _gauge("dismissed_records", "Records that failed or were held, and that a person has dismissed", _BY_KIND)
EXCLUDED = _gauge("excluded_records", "Records that the mapping leaves out of the set that is synced", _BY_KIND)
UNSETTLED = _gauge(
    "unsettled_writes",
    "Writes whose outcome is not known yet",
    {"side": SIDES, "state": ("planned", "unknown")},
)

CALLS_LEFT = _gauge("calls_left", "Calls a vendor still allows: DrChrono this hour, Salesforce this day", _BY_SIDE)
CALLS_LIMIT = _gauge("calls_limit", "Calls a vendor allows: DrChrono in an hour, Salesforce in a day", _BY_SIDE)
CALLS_PAUSED = _gauge("calls_paused_seconds", "For how long a vendor is left alone", _BY_SIDE)
CALLS_THIS_HOUR = _gauge("drchrono_calls_this_hour", "Calls made of DrChrono this clock hour", _BY_LANE)
WAITING = _gauge("waiting_for_drchrono", "Records that wait for a call of DrChrono's", _BY_LANE)
CAUGHT_UP = _gauge("drchrono_caught_up_seconds", "When those that wait will have been called; 0: now")

DOCUMENT_CALLS_LEFT = _gauge("document_calls_left", "Calls this hour has left of those that documents may have")
DOCUMENT_CALLS_LIMIT = _gauge("document_calls_limit", "Calls of an hour that documents may have")

TOKEN_AGE = _gauge("token_age_seconds", "Since when the stored token is the one", _BY_SIDE)
TOKEN_LEFT = _gauge("token_expires_in_seconds", "How long the token lives yet, as the vendor stated", _BY_SIDE)
TOKEN_REFUSED = _gauge("token_refused", "1 while a vendor refuses our credential", _BY_SIDE)

FEED_SILENT = _gauge("feed_silent", "1 while a side has changes and does not tell of them", _BY_SIDE)
FEED_HEARD = _gauge(
    "feed_last_delivery_timestamp_seconds", "When a side last delivered, in seconds since 1970", _BY_SIDE
)
FEED_FOUND = _gauge(
    "feed_changes_found", "Changes found by comparing since a side has stopped telling of them", _BY_SIDE
)

OF_THE_PROBES = (READY, PART_OK)
GAUGES = (
    *(WORKERS, DUE, OLDEST_DUE, LEASES, LANE_PAUSED, FAILED, HELD, DISMISSED, EXCLUDED, UNSETTLED),
    *(CALLS_LEFT, CALLS_LIMIT, CALLS_PAUSED, CALLS_THIS_HOUR, WAITING, CAUGHT_UP),
    *(DOCUMENT_CALLS_LEFT, DOCUMENT_CALLS_LIMIT),
    *(TOKEN_AGE, TOKEN_LEFT, TOKEN_REFUSED, FEED_SILENT, FEED_HEARD, FEED_FOUND),
)
ALL = (*BY_PROCESSES, *BY_LOOKS, *OF_THE_PROBES, *GAUGES)
SUM = "sum"
