"""How everything stands, read off the database at a scrape, so that it is the same whichever web answers it.

Nothing of a process that has died stays behind, because no process keeps any of it.
"""

from app.metrics.counted import BY_LOOKS, BY_PROCESSES, KINDS, SIDES
from app.metrics.metric import Metric, Type
from app.sync.failure_classes import FailureClass
from app.sync.records import Lane

LANES = tuple(lane.value for lane in Lane)
DIRECTIONS = ("to_salesforce", "to_drchrono")
PARTS = (
    *("watch", "database", "redis", "workers", "backlog", "lanes"),
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
STANDS = (
    *(WORKERS, DUE, OLDEST_DUE, LEASES, LANE_PAUSED, FAILED, HELD, UNSETTLED),
    *(CALLS_LEFT, CALLS_LIMIT, CALLS_PAUSED, CALLS_THIS_HOUR, WAITING, CAUGHT_UP),
    *(TOKEN_AGE, TOKEN_LEFT, TOKEN_REFUSED, FEED_SILENT, FEED_HEARD, FEED_FOUND),
)
ALL = (*BY_PROCESSES, *BY_LOOKS, *OF_THE_PROBES, *STANDS)
