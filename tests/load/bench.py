"""`make bench`: throughput, latency and cost on this machine, as ratios of one run; prints a table, writes bench.json.

Everything is a real process: web, worker, Valkey and the stand-ins share the cores with the driver.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from app.demo.town import ROOT, Town, town
from app.processes import Child, free_port, stop_all, wait_for_port
from tests.load.driver import Measured, send_all, webhook

CONNECTIONS = 32
DELIVERIES = 6_000
PATIENTS = 2_000
IDLE = 40

console = Console(stderr=True)


def _patients(first: int, count: int, phone: int = 0) -> list[dict[str, Any]]:
    shape = json.loads((Path(__file__).parents[1] / "samples" / "drchrono" / "patient.json").read_text())
    return [
        shape
        | {
            "id": first + n,
            "chart_id": f"LOAD{n:06d}",
            "first_name": f"Load{n}",
            "last_name": f"Tester{first}",
            "email": f"load{n}@example.com",
            "cell_phone": f"(555) {phone % 1000:03d}-{n % 10000:04d}",
            "updated_at": f"2026-03-{1 + phone % 28:02d}T10:00:00",
        }
        for n in range(count)
    ]


def _deliveries(secret: str, patients: list[dict[str, Any]], event: str = "PATIENT_CREATE") -> list[bytes]:
    return [webhook(secret, patient, event=event, delivery=f"{event}{patient['id']}") for patient in patients]


def _memory_mb(child: Child) -> float:
    assert child.process is not None
    status = Path(f"/proc/{child.process.pid}/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    return psutil.Process(child.process.pid).memory_info().rss / 2**20


def acks(here: Town, plain_port: int) -> dict[str, Any]:
    """Durable acknowledgements beside the same framework storing nothing; best of three rounds each, alternating."""
    rounds: dict[str, list[Measured]] = {"stored": [], "plain": []}
    for round_ in range(3):
        requests = _deliveries(here.webhook_secret, _patients(10_000_000 + round_ * DELIVERIES, DELIVERIES))
        rounds["plain"].append(asyncio.run(send_all(plain_port, requests, CONNECTIONS)))
        rounds["stored"].append(asyncio.run(send_all(here.ports["web"], requests, CONNECTIONS)))
    stored, plain = (max(rounds[name], key=lambda one: one.per_s) for name in ("stored", "plain"))
    assert stored.statuses == {200: DELIVERIES}, stored.statuses
    return {
        "acks_per_s": stored.per_s,
        "plain_per_s": plain.per_s,
        "acks_ratio": stored.per_s / plain.per_s,
        "ack_p50_ms": stored.percentile_ms(0.5),
        "ack_p99_ms": stored.percentile_ms(0.99),
        "plain_p50_ms": plain.percentile_ms(0.5),
        "plain_p99_ms": plain.percentile_ms(0.99),
        "p99_ratio": stored.percentile_ms(0.99) / plain.percentile_ms(0.99),
    }


def burst(here: Town, first: int, latency_s: float) -> dict[str, Any]:
    """2,000 distinct new patients, from the first webhook sent to the last Contact written."""
    here.salesforce.put("/_control/settings", json={"latency_s": latency_s})
    here.salesforce.request("DELETE", "/_control/calls")
    here.salesforce.request("DELETE", "/_control/writes")
    requests = _deliveries(here.webhook_secret, _patients(first, PATIENTS))
    started = time.time()
    sent = asyncio.run(send_all(here.ports["web"], requests, CONNECTIONS))
    assert sent.statuses == {200: PATIENTS}, sent.statuses
    here.wait_until(lambda: here.queue()["depth"] == 0, "the queue to be empty", 60, every_s=0.1)
    writes = here.salesforce.get("/_control/writes").json()["writes"]
    assert len(writes) == PATIENTS, f"{len(writes)} writes for {PATIENTS} patients"
    elapsed = max(datetime.fromisoformat(write["at"]).timestamp() for write in writes) - started
    counts = here.salesforce.get("/_control/calls").json()["counts"]
    calls = sum(n for name, n in counts.items() if "/data/" in name)
    here.salesforce.put("/_control/settings", json={"latency_s": 0})
    return {"changes_per_s": PATIENTS / elapsed, "calls_per_1000": calls * 1000 / PATIENTS}


def idle(here: Town) -> dict[str, Any]:
    """One edit at a time in an idle service: from the webhook sent to the write being done at Salesforce."""
    patient = _patients(90_000_000, 1)[0]
    latencies = []
    for n in range(IDLE):
        changed = patient | {"cell_phone": f"(555) 010-{n:04d}", "updated_at": f"2026-04-01T10:{n:02d}:00"}
        request = webhook(here.webhook_secret, changed, delivery=f"idle{n}")
        seen = len(here.salesforce.get("/_control/writes").json()["writes"])
        sent_at = time.time()
        asyncio.run(send_all(here.ports["web"], [request], 1))
        writes: list[Any] = []

        def is_written(seen: int = seen) -> bool:
            writes[:] = here.salesforce.get("/_control/writes").json()["writes"][seen:]
            return bool(writes)

        here.wait_until(is_written, "an idle edit to be written", 10)
        latencies.append((datetime.fromisoformat(writes[0]["at"]).timestamp() - sent_at) * 1000)
        time.sleep(0.05)
    return {"idle_p50_ms": statistics.median(latencies), "idle_p95_ms": sorted(latencies)[int(IDLE * 0.95)]}


TARGETS = {
    "acks_ratio": (">=", 0.4),
    "p99_ratio": ("<=", 7.0),
    "changes_per_s_80ms": (">=", 800.0),
    "calls_per_1000_80ms": ("<=", 15.0),
    "idle_p50_ms": ("<=", 30.0),
}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="chronobridge-bench-") as folder:
        found: dict[str, Any] = {"cores": os.cpu_count(), "python": sys.version.split()[0]}
        plain_port = free_port()
        plain = Child(
            "plain",
            [sys.executable, "-m", "tests.load.plain_app", str(plain_port)],
            log=Path(folder) / "plain.log",
            cwd=ROOT,
        )
        with town(Path(folder)) as here:
            try:
                plain.start()
                wait_for_port(plain_port, plain)
                console.print("idle latency …")
                found |= idle(here)
                for name, latency in (("0ms", 0.0), ("80ms", 0.08)):
                    console.print(f"2,000 patients, Salesforce answering in {name} …")
                    found |= {
                        f"{key}_{name}": value
                        for key, value in burst(here, 20_000_000 + int(latency * 1e6) * 10, latency).items()
                    }
                found["worker_peak_mb"] = _memory_mb(here.work)
                here.work.ask_to_stop()
                here.work.wait(time.monotonic() + 20)
                console.print("acknowledgements, without a worker …")
                found |= acks(here, plain_port)
                found["web_peak_mb"] = _memory_mb(here.serve)
            finally:
                stop_all([plain])
    Path("bench.json").write_text(json.dumps(found, indent=2) + "\n")
    table = Table("measure", "here", "target", "")
    missed = 0
    for name, value in found.items():
        sign, target = TARGETS.get(name, ("", None))
        is_met = target is None or (value >= target if sign == ">=" else value <= target)
        missed += not is_met
        shown = f"{value:,.2f}" if isinstance(value, float) else str(value)
        table.add_row(
            name,
            shown,
            f"{sign} {target:g}" if target is not None else "",
            "" if target is None else "met" if is_met else "missed",
        )
    Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
