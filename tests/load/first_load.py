"""`make first-load PATIENTS=100000`: a first load from nothing, then comparing with nothing changed.

Prints what each command took: seconds, calls to each vendor, and the most memory that each process of ours held.
Everything is a real process, beside the driver: stand-ins, Valkey, web, one worker, and the command.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from app.cli.supervise import Child
from tests.harness.cluster import Town, town

AT_ONCE = 5_000
LONG_AGO_S = -400 * 86_400
MOST_MB, MOST_CALLS_EQUAL = 300.0, 45  # the calls: of ten thousand patients of whom none has changed
LIMIT_S = 3_600.0
TEN_THOUSAND = 10_000

console = Console(width=110)


@dataclass(frozen=True, slots=True)
class Run:
    """What one command took.

    peaks_mb  process -> the most it held by then, resident
    cpu_s     process -> the seconds of a core it used meanwhile
    """

    name: str
    took_s: float
    drchrono: int
    salesforce: int
    peaks_mb: Mapping[str, float]
    said: str
    by_call: Mapping[str, int] = field(default_factory=dict)
    cpu_s: Mapping[str, float] = field(default_factory=dict)


def registered_long_ago(here: Town, count: int) -> None:
    """So many patients that were registered more than a year ago, silently; one of them has left the practice."""
    here.drchrono.put("/_control/clock", json={"offset_s": LONG_AGO_S}).raise_for_status()
    gone = {"first_name": "Gone", "last_name": "Away", "patient_status": "I"}
    here.drchrono.post("/_control/patients?silent=true", json=gone).raise_for_status()
    for first in range(1, count, AT_ONCE):
        some = {"count": min(AT_ONCE, count - first), "prefix": f"Load{first // AT_ONCE}x", "silent": True}
        here.drchrono.post("/_control/patients/bulk", json=some).raise_for_status()
    here.drchrono.put("/_control/clock", json={"now": None}).raise_for_status()


def peak_mb(child: Child) -> float:
    """The most memory a process has held, resident; 0 when it is gone."""
    assert child.process is not None
    try:
        status = Path(f"/proc/{child.process.pid}/status").read_text()
    except OSError:
        return 0.0
    lines = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return next((int(line.split()[1]) / 1024 for line in lines), 0.0)


def cpu_s(child: Child) -> float:
    """The seconds of a core a process has used, in its own code and the system's; 0 when it is gone."""
    assert child.process is not None
    try:
        stat = Path(f"/proc/{child.process.pid}/stat").read_text()
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def calls(client: httpx.Client) -> dict[str, int]:
    """What a stand-in was called, by method and path."""
    return dict(client.get("/_control/calls").json()["counts"])


def run(here: Town, name: str, *arguments: str) -> Run:
    """Run a command of ours to its end, and what it leaves to the worker."""
    for client in (here.drchrono, here.salesforce):
        client.delete("/_control/calls").raise_for_status()
    out = here.folder / f"{name}.log"
    command = Child(name, [sys.executable, "-m", "app.cli", *arguments], here.env, out, here.folder)
    ours = {
        "worker": here.work,
        "web": here.serve,
        "DrChrono": here.drchrono_process,
        "Salesforce": here.salesforce_process,
    }
    before = {one: cpu_s(child) for one, child in ours.items()}
    started, peak, used_s = time.monotonic(), 0.0, 0.0
    command.start()
    assert command.process is not None
    while command.is_running and time.monotonic() - started < LIMIT_S:
        peak, used_s = max(peak, peak_mb(command)), max(used_s, cpu_s(command))
        time.sleep(0.1)
    if command.process.poll() != 0:
        raise RuntimeError(f"{name} ended with {command.process.poll()}: {out.read_text()}")
    here.wait_until(lambda: here.queue()["depth"] == 0, "nothing to be due", LIMIT_S, every_s=0.5)
    took_s = time.monotonic() - started
    drchrono, salesforce = calls(here.drchrono), calls(here.salesforce)
    peaks = {name: peak, "worker": peak_mb(here.work), "web": peak_mb(here.serve)}
    by_call = {
        f"{where} {call}": count
        for where, found in (("D", drchrono), ("S", salesforce))
        for call, count in found.items()
    }
    cpu = {"command": used_s, **{one: cpu_s(child) - before[one] for one, child in ours.items()}}
    return Run(name, took_s, sum(drchrono.values()), sum(salesforce.values()), peaks, out.read_text(), by_call, cpu)


def agree(here: Town, patients: int) -> None:
    """Make sure that every patient has one Contact.

    Raises  RuntimeError
    """
    charts = [one["DrChrono_Patient_Id__c"] for one in here.contacts()]
    if sorted(charts) != sorted(here.patients()):
        raise RuntimeError(
            f"{len(charts):,} Contacts for {patients:,} patients, {len(set(charts)):,} of them different"
        )


def show(runs: list[Run], patients: int) -> int:
    """Print the table; give 1 when a target is missed."""
    table = Table("command", "seconds", "a second", "calls to DrChrono", "to Salesforce", "peak MB", "")
    missed = 0
    for one in runs:
        is_lean = max(one.peaks_mb.values()) < MOST_MB
        is_thrifty = one.name == "backfill" or one.drchrono <= MOST_CALLS_EQUAL * max(patients / TEN_THOUSAND, 1)
        missed += not (is_lean and is_thrifty)
        peaks = ", ".join(f"{name} {mb:.0f}" for name, mb in one.peaks_mb.items())
        verdict = "[green]met" if is_lean and is_thrifty else "[red]missed"
        rate = f"{patients / one.took_s:,.0f}"
        table.add_row(one.name, f"{one.took_s:.0f}", rate, f"{one.drchrono:,}", f"{one.salesforce:,}", peaks, verdict)
    for one in runs:
        console.rule(one.name, align="left")
        console.print(one.said.rstrip(), markup=False, highlight=False)
        for call, count in sorted(one.by_call.items()):
            console.print(f"  {count:>8,} {call}", markup=False, highlight=False)
        used = ", ".join(f"{process} {seconds / patients * 1_000:.2f}" for process, seconds in one.cpu_s.items())
        console.print(f"  CPU seconds per 1,000: {used}", markup=False, highlight=False)
    console.print(table)
    return 1 if missed else 0


def measured(patients: int, looks: int = 1, page_s: float = 5.0) -> list[Run]:
    """Load so many patients into nothing, then compare twice.

    looks   at which look, at the earliest, a page of a bulk list is there
    page_s  how long DrChrono takes to make one
    """
    # calls are counted, not waited for: an hour has only 500, which no first load of this size is done in
    fast = {"DRCHRONO_CALLS_PER_SECOND": "400", "DRCHRONO_CALLS_PER_HOUR": "1000000", "RECONCILE_EVERY": "P1D"}
    folder = tempfile.TemporaryDirectory(prefix="chronobridge-load-")
    with folder, town(Path(folder.name), fast, service=False) as here:
        unhurried = {"calls_per_hour": 0, "bulk_polls": looks - 1, "bulk_makes_s": page_s}
        here.drchrono.put("/_control/settings", json=unhurried).raise_for_status()
        here.salesforce.put("/_control/settings", json={"daily_calls": 10_000_000}).raise_for_status()
        console.print(f"registering {patients:,} patients …")
        registered_long_ago(here, patients)
        here.start_connected()
        runs = [run(here, "backfill", "backfill")]
        agree(here, patients)
        return [*runs, run(here, "reconcile", "reconcile"), run(here, "backfill again", "backfill")]


def main() -> int:
    """Load, compare twice, and give 1 when a target is missed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--patients", type=int, default=100_000)
    asked.add_argument(
        "--page-s", type=float, default=5.0, help="how long DrChrono takes to make a page of a bulk list"
    )
    asked.add_argument("--looks", type=int, default=1, help="at which look, at the earliest, such a page is there")
    given = asked.parse_args()
    return show(measured(given.patients, given.looks, given.page_s), given.patients)


if __name__ == "__main__":
    sys.exit(main())
