"""What every part of the bench measures with: rounds and their medians, CPU seconds and memory of processes."""

import asyncio
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import track

from app.cli.supervise import Child
from tests.harness.cluster import Town, town
from tests.load.driver import send_all, webhook

CONNECTIONS = 32
ROUNDS = 5
FIRST_OF_ALL = 1_000_000
# what is counted is how many calls are made; DrChrono's own pace of a few a second would only draw it out
UNPACED = {"DRCHRONO_CALLS_PER_SECOND": "400", "DRCHRONO_CALLS_PER_HOUR": "1000000", "RECONCILE_EVERY": "P1D"}
SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"

console = Console(stderr=True)

Found = dict[str, float]


@dataclass(slots=True)
class Bench:
    """How much is measured, and what was kept beside the medians: series for the plots.

    rounds  how often each measure is taken; its median counts
    """

    folder: Path
    rounds: int = ROUNDS
    deliveries: int = 30_000
    links: int = 1_000_000
    patients: int = 100_000
    series: dict[str, list[list[float]]] = field(default_factory=dict)

    def place(self, name: str) -> Path:
        """Give a new folder for a town."""
        folder = self.folder / name
        folder.mkdir()
        return folder

    def medians(self, words: str, measure: Callable[[int], Mapping[str, float]]) -> Found:
        """Take a measure round by round, and give the median of each value; `measure` is told which round it is."""
        found = [measure(n) for n in track(range(self.rounds), words, console=console, transient=True)]
        return {name: statistics.median(one[name] for one in found if name in one) for name in _names(found)}


def _names(found: Sequence[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for one in found for name in one))


def process_of(child: Child) -> psutil.Process:
    """Give the process of a child that was started."""
    assert child.process is not None
    return psutil.Process(child.process.pid)


def cpu_s(child: Child) -> float:
    """Give the CPU seconds that a process has used, user and system."""
    used = process_of(child).cpu_times()
    return used.user + used.system


def held_mb(child: Child) -> float:
    """Give the memory that a process holds now, resident, in MB."""
    return process_of(child).memory_info().rss / 2**20


class CpuMeter:
    """The CPU seconds that some processes have used since it was made."""

    def __init__(self, *children: Child) -> None:
        self._began = [(child, cpu_s(child)) for child in children]

    def read(self) -> dict[str, float]:
        """Give the seconds of each process, by its name."""
        return {child.name: cpu_s(child) - began for child, began in self._began}


@contextmanager
def warm(bench: Bench, name: str, settings: Mapping[str, str] | None = None) -> Iterator[Town]:
    """Run a town that has nothing to do, whose hours at DrChrono have no end, and that knows the patients' doctor."""
    with town(bench.place(name), UNPACED | (settings or {})) as here:
        here.drchrono.put("/_control/settings", json={"calls_per_hour": 0}).raise_for_status()
        asyncio.run(send_all(here.ports["web"], hooks(here, FIRST_OF_ALL, 1), 1))
        here.wait_until(lambda: contacts_written(here) != [] and here.queue()["depth"] == 0, "a first patient")
        yield here


def patients(first: int, count: int) -> list[dict[str, Any]]:
    """So many distinct invented patients, in the full shape of the API."""
    shape = json.loads((SAMPLES / "patient.json").read_text())
    return [
        shape
        | {
            "id": id_,
            "first_name": f"Load{id_}",
            "date_of_birth": f"{1930 + id_ % 80}-{id_ // 80 % 12 + 1:02d}-{id_ // 960 % 28 + 1:02d}",
            "chart_id": f"LOAD{id_:09d}",
            "email": f"load{id_}@example.com",
        }
        for id_ in range(first, first + count)
    ]


def hooks(here: Town, first: int, count: int) -> list[bytes]:
    """The deliveries of so many new patients."""
    return [
        webhook(here.webhook_secret, patient, event="PATIENT_CREATE", delivery=f"d{patient['id']}")
        for patient in patients(first, count)
    ]


def edit_hooks(here: Town, first: int, count: int, edit: int) -> list[bytes]:
    """The deliveries of one edit each of patients that were new before; `edit`: the how manieth it is."""
    stamp = f"2026-04-01T{10 + edit // 3600:02d}:{edit // 60 % 60:02d}:{edit % 60:02d}"
    changed = {"cell_phone": f"(555) 010-{1000 + edit:04d}", "updated_at": stamp}
    return [
        webhook(here.webhook_secret, patient | changed, delivery=f"e{edit}-{patient['id']}")
        for patient in patients(first, count)
    ]


def calls_of(here: Town) -> int:
    """Give how many calls the data API of Salesforce was asked since they were last forgotten."""
    counts = here.salesforce.get("/_control/calls").json()["counts"]
    return sum(n for name, n in counts.items() if "/data/" in name)


def contacts_written(here: Town) -> list[dict[str, Any]]:
    """Give the writes of Contacts since they were last forgotten; a doctor may come to be compared meanwhile."""
    return [one for one in here.writes() if one["object"] == "Contact"]


def forget(here: Town) -> None:
    """Have Salesforce forget which calls and writes it took."""
    here.salesforce.request("DELETE", "/_control/calls")
    here.salesforce.request("DELETE", "/_control/writes")
