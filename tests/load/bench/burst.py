"""Many changes: a burst of new patients, updates of linked ones, a trickle, other rates of arrival, two workers.

The yardsticks of a burst take the same deliveries in the same round, one after the other, and write to a Salesforce of
their own: a receiver with a job per event, and a flow of Node-RED's. Both make a call for each event, and keep nothing.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from app.cli.supervise import Child, stop_all
from tests.harness.cluster import Town, town
from tests.load.bench.measuring import (
    CONNECTIONS,
    UNPACED,
    Bench,
    CpuMeter,
    Found,
    calls_of,
    contacts_written,
    edit_hooks,
    forget,
    hooks,
    warm,
)
from tests.load.driver import send_all
from tests.load.yardsticks import start
from tests.postgresql import running_postgresql, said

PATIENTS = 2_000
SLOW_S = 0.08  # what Salesforce's answers take where they take their time
TRICKLE_PER_S = 200.0
RATES = (10, 25, 50, 100, 200, 400, 800)
RATE_S = 5
LIMIT_S = 120.0
_FIRST = 20_000_000


def burst(bench: Bench) -> Found:
    """2,000 new patients, Salesforce answering in 80 ms and at once, beside both yardsticks; then an edit of each."""
    with ExitStack() as stack:
        here = stack.enter_context(warm(bench, "burst"))
        beside = stack.enter_context(town(bench.place("yardsticks"), UNPACED, service=False))
        yardsticks = {
            name: one
            for name, running in (("arq", start.arq_receiver), ("node_red", start.node_red))
            if (one := stack.enter_context(running(beside))) is not None
        }

        def measure(n: int) -> Found:
            first = _FIRST + n * 2 * PATIENTS
            slow = applied(here, hooks(here, first, PATIENTS), SLOW_S)
            found = {f"burst_{name}_80ms": value for name, value in slow.items()}
            fast = applied(here, hooks(here, first + PATIENTS, PATIENTS), 0.0)
            found |= {f"burst_{name}_0ms": value for name, value in fast.items()}
            edits = applied(here, edit_hooks(here, first, PATIENTS, n), SLOW_S)
            found |= {f"updates_{name}": value for name, value in edits.items()}
            for name, yardstick in yardsticks.items():
                begin = first if name == "arq" else first + PATIENTS
                theirs = sent_on(beside, yardstick, hooks(beside, begin, PATIENTS))
                found |= {f"{name}_{key}": value for key, value in theirs.items()}
                found[f"burst_of_{name}"] = slow["changes_per_s"] / theirs["changes_per_s"]
            return found

        return bench.medians("2,000 new patients, edits of them, and the yardsticks", measure)


def trickle(bench: Bench) -> Found:
    """2,000 new patients at 200 a second, Salesforce answering at once."""
    with warm(bench, "trickle") as here:

        def measure(n: int) -> Found:
            found = applied(here, hooks(here, _FIRST + n * PATIENTS, PATIENTS), 0.0, per_s=TRICKLE_PER_S)
            return {f"trickle_{name}": found[name] for name in ("calls_per_1000", "worker_cpu_s", "web_cpu_s")}

        return bench.medians("2,000 new patients at 200 a second", measure)


def arrival(bench: Bench) -> Found:
    """New patients at other rates, for the plot: changes a second and calls per 1,000, Salesforce answering at once."""
    points: list[list[float]] = []
    with warm(bench, "arrival") as here:
        first = _FIRST
        for rate in RATES:
            count = rate * RATE_S
            found = applied(here, hooks(here, first, count), 0.0, per_s=float(rate))
            points.append([float(rate), found["changes_per_s"], found["calls_per_1000"], found["worker_cpu_s"]])
            first += count
    bench.series["arrival"] = points
    return {}


def workers(bench: Bench) -> Found:
    """A burst on PostgreSQL with one worker and with two, Salesforce answering in 80 ms."""
    with ExitStack() as stack:
        here = stack.enter_context(warm(bench, "workers", postgresql(stack, "workers")))
        second = Child("second", here.work.command, here.env, here.folder / "second.log", here.folder)

        def measure(n: int) -> Found:
            first = _FIRST + n * 2 * PATIENTS
            one = applied(here, hooks(here, first, PATIENTS), SLOW_S)
            second.start()
            try:
                time.sleep(2)  # a worker is at it a second after its start
                two = applied(here, hooks(here, first + PATIENTS, PATIENTS), SLOW_S)
            finally:
                stop_all([second])
            return {
                "postgresql_changes_per_s": one["changes_per_s"],
                "postgresql_worker_cpu_s": one["worker_cpu_s"],
                "two_workers_changes_per_s": two["changes_per_s"],
                "two_workers_gain": two["changes_per_s"] / one["changes_per_s"],
            }

        return bench.medians("one worker and two on PostgreSQL", measure)


def postgresql(stack: ExitStack, name: str) -> dict[str, str]:
    """Start a PostgreSQL that is as durable as in production, until the stack ends; gives the setting for it."""
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    server = stack.enter_context(running_postgresql(place, is_durable=True))
    said(server.url + "postgres", f"CREATE DATABASE {name}")
    return {"DATABASE_URL": server.url + name}


def applied(here: Town, requests: Sequence[bytes], latency_s: float, *, per_s: float | None = None) -> Found:
    """Send deliveries of as many records, and wait until each is written at Salesforce.

    Gives  changes a second, from the first sent to the last written; calls and CPU seconds per 1,000: of the worker
           until nothing is due, of the web until the last was acknowledged
    """
    here.salesforce.put("/_control/settings", json={"latency_s": latency_s})
    forget(here)
    of_web, of_worker, started = CpuMeter(here.serve), CpuMeter(here.work), time.time()
    sent = asyncio.run(send_all(here.ports["web"], requests, CONNECTIONS, per_s=per_s))
    web_cpu_s = of_web.read()["serve"]
    assert sent.statuses == {200: len(requests)}, sent.statuses
    here.wait_until(lambda: here.queue()["depth"] == 0, "the queue to be empty", LIMIT_S, every_s=0.25)
    worker_cpu_s = of_worker.read()["work"]
    elapsed_s = last_written(here, len(requests)) - started
    calls = calls_of(here)
    here.salesforce.put("/_control/settings", json={"latency_s": 0.0})
    thousands = len(requests) / 1000
    return {
        "changes_per_s": len(requests) / elapsed_s,
        "calls_per_1000": calls / thousands,
        "worker_cpu_s": worker_cpu_s / thousands,
        "web_cpu_s": web_cpu_s / thousands,
        "cpu_s": (worker_cpu_s + web_cpu_s) / thousands,
    }


def sent_on(here: Town, yardstick: start.Yardstick, requests: Sequence[bytes]) -> Found:
    """Send the same to a yardstick, and wait until each is written at Salesforce; CPU seconds of all its processes."""
    here.salesforce.put("/_control/settings", json={"latency_s": SLOW_S})
    forget(here)
    meter, started = CpuMeter(*yardstick.children), time.time()
    sent = asyncio.run(send_all(yardstick.port, requests, CONNECTIONS))
    assert sent.statuses == {200: len(requests)}, sent.statuses
    wanted = len(requests)
    here.wait_until(lambda: len(contacts_written(here)) >= wanted, "a yardstick to write", LIMIT_S, every_s=0.25)
    cpu_s = sum(meter.read().values())
    elapsed_s = last_written(here, wanted) - started
    calls = calls_of(here)
    here.salesforce.put("/_control/settings", json={"latency_s": 0.0})
    thousands = wanted / 1000
    return {"changes_per_s": wanted / elapsed_s, "calls_per_1000": calls / thousands, "cpu_s": cpu_s / thousands}


def last_written(here: Town, count: int) -> float:
    """Give when the last of so many Contacts was written, in seconds of the epoch."""
    writes = contacts_written(here)
    assert len(writes) == count, f"{len(writes)} writes for {count} patients"
    return max(datetime.fromisoformat(write["at"]).timestamp() for write in writes)
