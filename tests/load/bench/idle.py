"""An idle service: how soon a lone edit is written at Salesforce, what waiting costs, and how soon a start is over."""

import asyncio
import random
import time
from datetime import datetime

from tests.harness.cluster import Town
from tests.load.bench.burst import applied
from tests.load.bench.measuring import (
    Bench,
    CpuMeter,
    Found,
    calls_of,
    contacts_written,
    cpu_s,
    edit_hooks,
    forget,
    hooks,
    warm,
)
from tests.load.driver import percentile, send_all

EDITS, FIRST = 100, 90_000_000
EVERY_S, SETTLED_S, WATCHED_S = 0.15, 5.0, 10.0
LIMIT_S, LOOK_S = 60.0, 0.05  # to look costs the web CPU that a start has use for


def idle(bench: Bench) -> Found:
    """Lone edits of 100 linked patients, from webhook to write at Salesforce; CPU while nothing happens."""
    with warm(bench, "idle") as here:
        applied(here, hooks(here, FIRST, EDITS), 0.0)

        def measure(n: int) -> Found:
            meter = CpuMeter(here.work, here.serve)
            latencies = _lone_edits(here, n)
            busy, calls = meter.read(), calls_of(here)
            time.sleep(SETTLED_S)
            meter = CpuMeter(here.work, here.serve)
            time.sleep(WATCHED_S)
            used = meter.read()
            return {
                "lone_edit_cpu_ms": sum(busy.values()) * 1000 / EDITS,
                "lone_edit_calls": calls / EDITS,
                "idle_p50_ms": percentile(latencies, 0.5),
                "idle_p95_ms": percentile(latencies, 0.95),
                "idle_p99_ms": percentile(latencies, 0.99),
                "idle_worker_cpu_percent": used["work"] * 100 / WATCHED_S,
                "idle_web_cpu_percent": used["serve"] * 100 / WATCHED_S,
            }

        return bench.medians(f"{EDITS} lone edits, and {WATCHED_S:.0f} s of nothing", measure)


def _lone_edits(here: Town, n: int) -> list[float]:
    """Send one edit every so often; gives how many ms passed until each was written.

    Nobody asks Salesforce meanwhile: it has kept when it took each write. The pace is not that of any poll.
    """
    forget(here)
    sent_at, pauses = {}, random.Random(n)
    for at, request in enumerate(edit_hooks(here, FIRST, EDITS, n)):
        sent_at[str(FIRST + at)] = time.time()
        asyncio.run(send_all(here.ports["web"], [request], 1))
        time.sleep(EVERY_S * (0.8 + 0.4 * pauses.random()))
    here.wait_until(lambda: len(contacts_written(here)) >= EDITS, "lone edits to be written", LIMIT_S, every_s=0.25)
    charts = {one["Id"]: one["DrChrono_Patient_Id__c"] for one in here.contacts()}
    written = {charts[one["id"]]: datetime.fromisoformat(one["at"]).timestamp() for one in contacts_written(here)}
    return [(written[chart] - sent) * 1000 for chart, sent in sent_at.items()]


def start(bench: Bench) -> Found:
    """From the start of a process, its database there and its files read before, to being ready."""
    with warm(bench, "start") as here:

        def measure(_n: int) -> Found:
            here.work.ask_to_stop()
            here.work.wait(time.monotonic() + LIMIT_S)
            before, began = _starts(here), time.monotonic()
            here.work.start()
            here.wait_until(lambda: _starts(here) > before, "a worker to start", LIMIT_S, every_s=LOOK_S)
            worker_s, worker_cpu_s = time.monotonic() - began, cpu_s(here.work)
            here.serve.ask_to_stop()
            here.serve.wait(time.monotonic() + LIMIT_S)
            began = time.monotonic()
            here.serve.start()
            here.wait_until(here.accepts, "the web to be ready", LIMIT_S, every_s=LOOK_S)
            return {
                "start_web_s": time.monotonic() - began,
                "start_web_cpu_s": cpu_s(here.serve),
                "start_worker_s": worker_s,
                "start_worker_cpu_s": worker_cpu_s,
            }

        return bench.medians("starts of web and worker", measure)


def _starts(here: Town) -> int:
    """Give how often a worker has logged that all its jobs run; the web's probes look every few seconds only."""
    return (here.folder / "work.log").read_text().count("worker.started")
