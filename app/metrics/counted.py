"""What is counted as it happens, by every process, and kept for all of them together in the database.

Three kinds of them are counted in the commit that records a change, the rest (`app/metrics/counts.py`) within seconds.
"""

from app.metrics.metric import Metric, Type
from app.sync.records import Kind, Side

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
RINGS_MISSED = Metric(
    "chronobridge_rings_missed_total", Type.COUNTER, "Rings that Redis did not take; the sweep makes up for them"
)
END_TO_END = Metric(
    "chronobridge_end_to_end_seconds",
    Type.HISTOGRAM,
    "From a delivery's arrival until what it told of is on both sides and recorded, by who delivered",
    {"side": SIDES},
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
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
    "chronobridge_conflicts_total", Type.COUNTER, "Fields that both sides had changed, decided by a rule", _BY_KIND
)
PUT_BACKS = Metric(
    "chronobridge_put_backs_total", Type.COUNTER, "Fields of one way that were put back on the other side", _BY_KIND
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
    {"cause": ("break", "virtual", "never_here")},
)
CONTRADICTED = Metric(
    "chronobridge_contradicted_deliveries_total",
    Type.COUNTER,
    "Deliveries whose body DrChrono, when asked, denied",
)

BY_PROCESSES = (DELIVERIES, VENDOR_CALLS, RINGS_MISSED, END_TO_END, GROUP_SIZE)
BY_LOOKS = (APPLIED, CREATED, LINKED, CONFLICTS, PUT_BACKS, ODD_HOURS, SKIPPED, CONTRADICTED)
