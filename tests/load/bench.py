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
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.cli.supervise import Child, free_port, stop_all, wait_for_port
from tests.harness.cluster import ROOT, Town, town
from tests.load.driver import Measured, send_all, webhook

CONNECTIONS = 32
DELIVERIES = 6_000
ROUNDS = 4
PATIENTS = 2_000
BURSTS = 3
IDLE = 40
CUT = 40
BACK = 1_000
# measure -> (how it must compare, target); the others are shown for reading
TARGETS = {
    "acks_ratio": (">=", 0.4),
    "p99_ratio": ("<=", 7.0),
    "changes_per_s_80ms": (">=", 800.0),
    "calls_per_1000_80ms": ("<=", 20.0),  # of new patients, each batch also searched for by birth date
    "idle_p50_ms": ("<=", 30.0),
    "rename_p50_ms": ("<=", 150.0),  # DrChrono is asked before anybody is taken for somebody else
    "cut_p99_s": ("<=", 15.0),  # a call of ours whose line is cut, until both sides agree
    "drchrono_writes_per_1000": ("<=", 1050.0),
    "drchrono_reads_per_100_webhooks": ("<=", 5.0),
}

console = Console(stderr=True)


def patients(first: int, count: int) -> list[dict[str, Any]]:
    """So many distinct invented patients, in the full shape of the API."""
    shape = json.loads((Path(__file__).parents[1] / "samples" / "drchrono" / "patient.json").read_text())
    return [
        shape | {"id": first + n, "first_name": f"Load{n}", "chart_id": f"LOAD{n:06d}", "email": f"load{n}@example.com"}
        for n in range(count)
    ]


def hooks(here: Town, first: int, count: int) -> list[bytes]:
    """The deliveries of so many new patients."""
    return [
        webhook(here.webhook_secret, patient, event="PATIENT_CREATE", delivery=f"d{patient['id']}")
        for patient in patients(first, count)
    ]


def acks(here: Town, ports: dict[str, int]) -> dict[str, Any]:
    """Durable acknowledgements beside the same app storing nothing; alternating rounds, the median of each."""
    rounds: dict[str, list[Measured]] = {name: [] for name in ("stored", *ports)}
    for n in range(ROUNDS):
        for name, port in (*ports.items(), ("stored", here.ports["web"])):
            first = 10_000_000 + n * DELIVERIES
            rounds[name].append(asyncio.run(send_all(port, hooks(here, first, DELIVERIES), CONNECTIONS)))
    assert all(one.statuses == {200: DELIVERIES} for one in rounds["stored"]), "a delivery was not acknowledged"
    found: dict[str, Any] = {}
    for name, measured in rounds.items():
        found[f"{name}_acks_per_s"] = statistics.median(one.per_s for one in measured)
        found[f"{name}_p50_ms"] = statistics.median(one.percentile_ms(0.5) for one in measured)
        found[f"{name}_p99_ms"] = statistics.median(one.percentile_ms(0.99) for one in measured)
    found["acks_ratio"] = found["stored_acks_per_s"] / found["same_app_acks_per_s"]
    found["p99_ratio"] = found["stored_p99_ms"] / found["same_app_p99_ms"]
    return found


def burst(here: Town, first: int, latency_s: float) -> dict[str, float]:
    """2,000 distinct new patients, from the first webhook sent to the last Contact written."""
    here.salesforce.put("/_control/settings", json={"latency_s": latency_s})
    here.salesforce.request("DELETE", "/_control/calls")
    here.salesforce.request("DELETE", "/_control/writes")
    requests = hooks(here, first, PATIENTS)
    started = time.time()
    sent = asyncio.run(send_all(here.ports["web"], requests, CONNECTIONS))
    assert sent.statuses == {200: PATIENTS}, sent.statuses
    here.wait_until(lambda: here.queue()["depth"] == 0, "the queue to be empty", 60, every_s=0.1)
    writes = [one for one in here.writes() if one["object"] == "Contact"]  # a doctor may come to be compared meanwhile
    assert len(writes) == PATIENTS, f"{len(writes)} writes for {PATIENTS} patients"
    elapsed = max(datetime.fromisoformat(write["at"]).timestamp() for write in writes) - started
    counts = here.salesforce.get("/_control/calls").json()["counts"]
    calls = sum(n for name, n in counts.items() if "/data/" in name)
    here.salesforce.put("/_control/settings", json={"latency_s": 0})
    return {"changes_per_s": PATIENTS / elapsed, "calls_per_1000": calls * 1000 / PATIENTS}


def bursts(here: Town) -> dict[str, float]:
    """The median of some bursts, with Salesforce answering at once and in 80 ms."""
    found = {}
    for at, (name, latency_s) in enumerate((("0ms", 0.0), ("80ms", 0.08))):
        console.print(f"{BURSTS} x 2,000 patients, Salesforce answering in {name} …")
        runs = [burst(here, 20_000_000 + (at * BURSTS + n) * PATIENTS, latency_s) for n in range(BURSTS)]
        found |= {f"{key}_{name}": statistics.median(run[key] for run in runs) for key in runs[0]}
    return found


def idle(here: Town) -> dict[str, float]:
    """One edit at a time in an idle service: from the webhook sent to the write being done at Salesforce."""
    (patient,) = patients(90_000_000, 1)
    latencies = []
    for n in range(IDLE):
        changed = patient | {"cell_phone": f"(555) 010-{n:04d}", "updated_at": f"2026-04-01T10:{n:02d}:00"}
        request = webhook(here.webhook_secret, changed, delivery=f"idle{n}")
        here.salesforce.request("DELETE", "/_control/writes")
        sent_at = time.time()
        asyncio.run(send_all(here.ports["web"], [request], 1))
        here.wait_until(lambda: _writes(here) != [], "an idle edit to be written", 10)
        latencies.append((datetime.fromisoformat(_writes(here)[0]["at"]).timestamp() - sent_at) * 1000)
        time.sleep(0.1)  # back to idle
    return {"idle_p50_ms": statistics.median(latencies), "idle_p95_ms": sorted(latencies)[int(IDLE * 0.95)]}


def renamed(here: Town) -> dict[str, float]:
    """One patient renamed in DrChrono at a time: from the webhook sent to the write being done at Salesforce."""
    patient_id, latencies = _registered(here, "Rename"), []
    for n in range(IDLE):
        here.salesforce.request("DELETE", "/_control/writes")
        here.drchrono.put("/_control/clock", json={"offset_s": 2})  # whose stamps tell no second from itself
        saved = {"last_name": f"Renamed{n}"}
        answer = here.drchrono.patch(f"/_control/patients/{patient_id}?silent=true", json=saved).raise_for_status()
        request = webhook(here.webhook_secret, answer.json(), delivery=f"rename{n}")
        sent_at = time.time()
        asyncio.run(send_all(here.ports["web"], [request], 1))
        here.wait_until(lambda: _writes(here) != [], "a new name to be written", 20)
        latencies.append((datetime.fromisoformat(_writes(here)[0]["at"]).timestamp() - sent_at) * 1000)
        time.sleep(0.1)  # back to idle
    return {"rename_p50_ms": statistics.median(latencies), "rename_p95_ms": sorted(latencies)[int(IDLE * 0.95)]}


def cut(here: Town) -> dict[str, float]:
    """One edit at a time whose call is cut at the vendor before anything is done, on either side in turn."""
    patient_id, waits = _registered(here, "Cut"), []
    contact = next(one for one in here.contacts() if one["DrChrono_Patient_Id__c"] == str(patient_id))
    for n in range(CUT):
        vendor, match = (here.salesforce, "PATCH /services") if n % 2 else (here.drchrono, "PATCH /api/patients")
        rule = {"match": match, "do": "drop_before", "next": 1}
        vendor.post("/_control/faults", json=rule).raise_for_status()
        sent_at = time.time()
        if n % 2:
            here.drchrono.patch(f"/_control/patients/{patient_id}", json={"city": f"Cut{n}"}).raise_for_status()
        else:
            edit = {"Email": f"cut{n}@example.com"}
            here.salesforce.patch(f"/_control/records/Contact/{contact['Id']}", json=edit).raise_for_status()
        here.wait_until(lambda n=n: _agrees(here, patient_id, contact["Id"], n), "an edit to arrive", 60, every_s=0.05)
        waits.append(time.time() - sent_at)
    return {"cut_p50_s": statistics.median(waits), "cut_p99_s": sorted(waits)[int(CUT * 0.99)]}


def _registered(here: Town, name: str) -> int:
    """Register a patient who is in step; gives the id."""
    person = {"first_name": name, "last_name": "Load", "date_of_birth": "1970-01-01", "gender": "Female"}
    made = here.drchrono.post("/_control/patients", json=person).raise_for_status().json()
    here.wait_until(here.is_quiet, "a patient to be known", 60)
    return int(made["id"])


def _agrees(here: Town, patient_id: int, contact_id: str, n: int) -> bool:
    if n % 2:
        held = here.salesforce.get(f"/_control/records/Contact/{contact_id}").json()
        return bool(held["MailingCity"] == f"Cut{n}")
    return bool(here.patients()[str(patient_id)]["email"] == f"cut{n}@example.com")


def back(here: Town) -> dict[str, float]:
    """1,000 Contacts changed in Salesforce: what DrChrono is called for them, and for the webhooks they raise."""
    here.drchrono.put("/_control/settings", json={"calls_per_hour": 0}).raise_for_status()  # an hour has only 500
    here.drchrono.post("/_control/patients/bulk", json={"count": BACK, "prefix": "Back"}).raise_for_status()
    here.wait_until(here.is_quiet, "the patients to arrive", 120, every_s=0.5)
    charts = here.patients()
    contacts = [one for one in here.contacts() if str(one["DrChrono_Patient_Id__c"]) in charts]
    here.drchrono.request("DELETE", "/_control/calls")
    told = here.delivered()
    for n, contact in enumerate(contacts):
        edit = {"Email": f"back{n}@example.com"}
        here.salesforce.patch(f"/_control/records/Contact/{contact['Id']}", json=edit).raise_for_status()
    here.wait_until(here.is_quiet, "the edits to arrive", 240, every_s=0.5)
    emails = {chart["email"] for chart in here.patients().values()}
    assert emails >= {f"back{n}@example.com" for n in range(BACK)}, "an edit did not arrive"
    counts = here.drchrono.get("/_control/calls").json()["counts"]
    writes = sum(n for name, n in counts.items() if name.startswith(("PATCH /api", "POST /api", "PUT /api")))
    reads = sum(n for name, n in counts.items() if name.startswith("GET /api/patients"))
    return {
        "drchrono_writes_per_1000": writes * 1000 / BACK,
        "drchrono_reads_per_100_webhooks": reads * 100 / max(here.delivered() - told, 1),
    }


def _writes(here: Town) -> list[dict[str, Any]]:
    return list(here.salesforce.get("/_control/writes").json()["writes"])


def peak_mb(child: Child) -> float:
    """The most memory a process held (resident), in MB."""
    assert child.process is not None
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


@contextmanager
def unstored(here: Town) -> Iterator[dict[str, int]]:
    """The same app with an inbox that keeps nothing, and a bare FastAPI app; name -> port."""
    ports, children = {}, []
    for name, which in (("same_app", "same"), ("bare_fastapi", "bare")):
        ports[name] = free_port()
        command = [sys.executable, "-m", "tests.load.unstored", which, str(ports[name])]
        children.append(Child(name, command, here.env, here.folder / f"{name}.log", ROOT))
    try:
        for child in children:
            child.start()
            wait_for_port(ports[child.name], child)
        yield ports
    finally:
        stop_all(children)


def main() -> int:
    """Run everything, show it, and give 1 when a target is missed."""
    found: dict[str, Any] = {"cores": os.cpu_count(), "python": sys.version.split()[0]}
    # what is counted is how many calls are made; DrChrono's own pace of a few a second would only draw it out
    fast = {"DRCHRONO_CALLS_PER_SECOND": "400", "DRCHRONO_CALLS_PER_HOUR": "1000000"}
    with tempfile.TemporaryDirectory(prefix="chronobridge-bench-") as folder, town(Path(folder), fast) as here:
        console.print("idle latency …")
        found |= idle(here)
        console.print("renames, and calls that are cut …")
        found |= renamed(here)
        found |= cut(here)
        found |= bursts(here)
        console.print(f"{BACK:,} Contacts changed in Salesforce …")
        found |= back(here)
        found["worker_peak_mb"] = peak_mb(here.work)
        here.work.ask_to_stop()
        here.work.wait(time.monotonic() + 20)
        console.print(f"{ROUNDS} x {DELIVERIES:,} acknowledgements at {CONNECTIONS} connections, without a worker …")
        with unstored(here) as ports:
            found |= acks(here, ports)
        found["web_peak_mb"] = peak_mb(here.serve)
    Path("bench.json").write_text(json.dumps(found, indent=2) + "\n")
    return show(found)


def show(found: dict[str, Any]) -> int:
    """Print the table; give 1 when a target is missed."""
    table = Table("measure", "here", "target", "")
    missed = 0
    for name, value in found.items():
        shown = f"{value:,.2f}" if isinstance(value, float) else str(value)
        if name not in TARGETS:
            table.add_row(name, shown)
            continue
        sign, target = TARGETS[name]
        is_met = value >= target if sign == ">=" else value <= target
        missed += not is_met
        table.add_row(name, shown, f"{sign} {target:g}", "[green]met" if is_met else "[red]missed")
    Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
