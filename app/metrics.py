"""The counters of a process, all in one place; label sets are bounded, values are never a patient's."""

from prometheus_client import Counter, Gauge, Histogram

deliveries = Counter(
    "chronobridge_deliveries_total", "Deliveries answered, by what became of them", ["side", "outcome"]
)
group_size = Histogram(
    "chronobridge_inbox_group_size", "Deliveries that shared one commit", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
rings_missed = Counter("chronobridge_rings_missed_total", "Rings that Redis did not take; the sweep makes up for them")

due = Gauge("chronobridge_due_records", "Records due, by kind, lane and direction", ["kind", "lane", "direction"])
oldest_due_s = Gauge(
    "chronobridge_oldest_due_seconds", "How long the longest due record has been due", ["kind", "direction"]
)
failures = Gauge("chronobridge_failures", "Records that wait for a person", ["side", "kind", "cause"])
writes = Gauge("chronobridge_journal_writes", "Outward writes in the journal, by state", ["side", "state"])
counted = Gauge("chronobridge_counted", "Skips, put-backs, conflicts and odd hours since the first start", ["what"])
calls_left = Gauge(
    "chronobridge_calls_left", "Calls a vendor still allows: DrChrono this hour, Salesforce this day", ["side"]
)
calls_made = Gauge("chronobridge_drchrono_calls_this_hour", "Calls made of DrChrono this clock hour", ["lane"])
calls_paused_s = Gauge("chronobridge_calls_paused_seconds", "For how long a vendor is left alone", ["side"])
waiting_for_calls = Gauge("chronobridge_waiting_for_drchrono", "Records that wait for a call of DrChrono's", ["lane"])
caught_up_s = Gauge("chronobridge_drchrono_caught_up_seconds", "When those that wait will have been called; 0: now")
feed_silent = Gauge("chronobridge_feed_silent", "1 while a side has changes and does not tell of them", ["side"])
feed_heard = Gauge(
    "chronobridge_feed_last_delivery_timestamp_seconds", "When a side last delivered, in seconds since 1970", ["side"]
)
feed_found = Gauge(
    "chronobridge_feed_changes_found", "Changes found by comparing since a side has stopped telling of them", ["side"]
)
workers_alive = Gauge("chronobridge_workers_alive", "Workers whose heartbeat is 15 s old or less")
