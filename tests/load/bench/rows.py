"""The table: what each row says, which measure it shows beside which yardstick of the same run, and its target.

A ratio was taken round by round, so noise that both sides of it met is not in it. A row whose part was not run says so;
it is neither met nor missed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    target  what the measure must not go beyond: at most, or at least where `at_least`; None: shown for reading
    beside  the yardstick's measure of the same rounds
    """

    part: str
    measure: str
    words: str
    target: float | None = None
    at_least: bool = False
    beside: str | None = None

    @property
    def target_words(self) -> str:
        """The target as it is shown; empty without one."""
        return "" if self.target is None else f"{'≥' if self.at_least else '≤'} {self.target:g}"

    def is_met(self, value: float) -> bool:
        """Say whether a value is within the target."""
        assert self.target is not None
        return value >= self.target if self.at_least else value <= self.target


ROWS = (
    Row("burst", "burst_worker_cpu_s_80ms", "CPU s of a worker per 1,000 new patients applied, 80 ms", 0.5),
    Row("burst", "burst_web_cpu_s_80ms", "CPU s of the web per 1,000 deliveries acknowledged in it", 0.3),
    Row("burst", "burst_cpu_s_80ms", "  of both, beside Node-RED", beside="node_red_cpu_s"),
    Row("burst", "burst_cpu_s_80ms", "  of both, beside a job per event", beside="arq_cpu_s"),
    Row("burst", "burst_of_node_red", "changes a second, 80 ms, of Node-RED's", 1.0, at_least=True),
    Row("burst", "burst_changes_per_s_80ms", "  a second, beside Node-RED", beside="node_red_changes_per_s"),
    Row("burst", "burst_changes_per_s_80ms", "  a second, beside a job per event", beside="arq_changes_per_s"),
    Row("burst", "burst_of_arq", "  of a job per event's"),
    Row("burst", "burst_changes_per_s_0ms", "  a second, Salesforce answering at once"),
    Row("burst", "burst_calls_per_1000_80ms", "Salesforce calls per 1,000 of it", 12, beside="node_red_calls_per_1000"),
    Row("burst", "updates_calls_per_1000", "Salesforce calls per 1,000 updates of linked records", 11),
    Row("burst", "updates_changes_per_s", "  updates a second, 80 ms"),
    Row("burst", "updates_worker_cpu_s", "  CPU s of a worker per 1,000"),
    Row("trickle", "trickle_calls_per_1000", "Salesforce calls per 1,000 at 200 a second, at once", 25),
    Row("trickle", "trickle_worker_cpu_s", "  CPU s of a worker per 1,000"),
    Row("trickle", "trickle_web_cpu_s", "  CPU s of the web per 1,000"),
    Row("acks", "acks_of_bare_asgi", "durable acknowledgements, of a bare ASGI app's", 0.27, at_least=True),
    Row("acks", "stored_acks_per_s", "  a second, beside the bare ASGI app", beside="bare_asgi_acks_per_s"),
    Row("acks", "stored_acks_per_s", "  a second, beside bare FastAPI", beside="bare_fastapi_acks_per_s"),
    Row("acks", "acks_web_cpu_s", "  CPU s per 1,000, beside the bare ASGI app", beside="acks_bare_asgi_cpu_s"),
    Row("acks", "acks_of_same_app", "  of the same app's that keeps nothing", 0.4, at_least=True),
    Row("acks", "acks_p99_of_same_app", "  their p99, of the same app's", 7.0),
    Row("acks", "acks_postgresql_of_sqlite", "durable acknowledgements on PostgreSQL, of SQLite's", 0.5, at_least=True),
    Row("acks", "postgresql_acks_per_s", "  a second on PostgreSQL, beside SQLite", beside="stored_acks_per_s"),
    Row("applying", "applying_ack_p99_ms", "acknowledgement while applying, p99 ms", 40, beside="alone_ack_p99_ms"),
    Row("applying", "applying_ack_p50_ms", "  p50 ms, beside one that has no worker", beside="alone_ack_p50_ms"),
    Row("idle", "idle_p50_ms", "idle: webhook to write, p50 ms", 8),
    Row("idle", "idle_p95_ms", "  p95 ms"),
    Row("idle", "idle_p99_ms", "  p99 ms", 25),
    Row("idle", "lone_edit_calls", "  Salesforce calls for each"),
    Row("idle", "lone_edit_cpu_ms", "  CPU ms of web and worker for each, what idling costs meanwhile included"),
    Row("idle", "idle_worker_cpu_percent", "idle CPU of a worker, % of a core", 1.5),
    Row("idle", "idle_web_cpu_percent", "  of the web"),
    Row("memory", "web_idle_mb", "memory of the web, MB: idle", 110),
    Row("memory", "web_peak_mb", "  peak", 110),
    Row("memory", "web_grown_mb", "  grown from 1,000 deliveries to all", 12),
    Row("memory", "worker_idle_mb", "memory of a worker, MB: idle", 130),
    Row("memory", "worker_peak_mb", "  peak", 130),
    Row("memory", "worker_grown_mb", "  grown from 1,000 deliveries to all", 12),
    Row("memory", "memory_deliveries", "  deliveries"),
    Row("first-load", "first_load_s", "first load of 100,000 patients, s", 300),
    Row("first-load", "first_load_calls", "  Salesforce calls", 1_100),
    Row("first-load", "reconcile_s", "reconcile, nothing changed, s", 20),
    Row("first-load", "again_s", "backfill again, nothing changed, s", 90),
    Row("first-load", "first_load_patients", "  patients"),
    Row("stored", "change_cpu_growth", "cost of a change with 1,000,000 links, of that with 1,000", 1.3),
    Row("stored", "change_cpu_ms_many", "  CPU ms of web and worker, beside few links", beside="change_cpu_ms_few"),
    Row("stored", "stored_links", "  links"),
    Row("start", "start_web_s", "cold start to ready, s: web", 1.5),
    Row("start", "start_worker_s", "  worker", 1.5),
    Row("start", "start_web_cpu_s", "  CPU s until then: web"),
    Row("start", "start_worker_cpu_s", "  worker"),
    Row("edits", "rename_p50_ms", "a rename, webhook to write, p50 ms", 150),  # DrChrono is asked who it is now
    Row("edits", "cut_p99_s", "a call of ours whose line is cut, until both sides agree, p99 s", 15),
    Row("edits", "drchrono_writes_per_1000", "DrChrono writes per 1,000 edits in Salesforce", 1_050),
    Row("edits", "drchrono_reads_per_100_webhooks", "DrChrono reads per 100 of its own webhooks", 5),
    Row("workers", "two_workers_gain", "two workers on PostgreSQL, of one's changes a second"),
    Row("workers", "two_workers_changes_per_s", "  a second, beside one", beside="postgresql_changes_per_s"),
)  # fmt: skip


def show(measures: Mapping[str, float], ran: Collection[str], asked: Collection[str], *, is_quick: bool) -> int:
    """Print the table; give 1 when a target is missed. A quick run meets and misses nothing.

    ran, asked  parts that were run, and those whose rows are shown
    """
    table = Table("measure", "here", "yardstick", "target", "")
    missed, left = [], {row.part for row in ROWS} - set(ran)
    for row in (row for row in ROWS if row.part in asked):
        value, target = measures.get(row.measure), row.target_words
        if value is None:
            table.add_row(row.words, "", "", target, "not run" if row.part not in ran else "skipped")
            continue
        verdict = ""
        if row.target is not None:
            is_met = row.is_met(value)
            verdict = "quick" if is_quick else "[green]met" if is_met else "[red]missed"
            missed += [] if is_met or is_quick else [row.words.strip()]
        table.add_row(row.words, said(value), said(measures.get(row.beside or "")), target, verdict)
    console = Console(width=110)
    console.print(table)
    if left:
        console.print(f"not run: {', '.join(sorted(left))}")
    if is_quick:
        console.print("a quick run: fewer rounds, so nothing here meets or misses a target")
    return 1 if missed else 0


def said(value: float | None) -> str:
    """Say a measure with as many digits as mean something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
