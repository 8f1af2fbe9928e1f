"""`make bench`: throughput, latency and cost on this machine, beside yardsticks of the same run; writes bench.json.

Everything is a real process: web, worker, Valkey, the stand-ins and the yardsticks share the cores with the driver. A
measure is the median of five rounds, a ratio is taken within a round. Exit 1 where a target is missed.

    make bench ARGS="--only idle,burst"    some parts; what bench.json has of the others stays
    make bench ARGS=--quick                fewer rounds, which meets and misses nothing
    make bench ARGS=--all                  also the first load of 100,000 patients, and a million deliveries
    make bench ARGS=--page                 runs nothing, and writes bench.json into performance.md, with its plots;
                                           beside --all or --only: also what was run
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.load import first_load as loading
from tests.load.bench import acks, burst, edits, idle, memory, page, stored
from tests.load.bench.measuring import Bench, Found, console
from tests.load.bench.rows import show

RESULTS = Path("bench.json")
QUICK_ROUNDS, QUICK_DELIVERIES, QUICK_LINKS, QUICK_PATIENTS = 2, 10_000, 10_000, 5_000


def first_load(bench: Bench) -> Found:
    """A first load, and comparing with nothing changed."""
    load, reconcile, again = loading.measured(bench.patients)
    return {
        "first_load_patients": float(bench.patients),
        "first_load_s": load.took_s,
        "first_load_calls": float(load.salesforce),
        "reconcile_s": reconcile.took_s,
        "again_s": again.took_s,
    }


PARTS: dict[str, Callable[[Bench], Found]] = {
    "idle": idle.idle,
    "start": idle.start,
    "burst": burst.burst,
    "trickle": burst.trickle,
    "arrival": burst.arrival,
    "applying": acks.applying,
    "acks": acks.acks,
    "edits": edits.edits,
    "memory": memory.memory,
    "stored": stored.stored,
    "workers": burst.workers,
    "first-load": first_load,
}
LONG = {"first-load"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, show what was found, keep it, and give 1 when a target is missed."""
    given = _asked(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is stopped
    names = given.only.split(",") if given.only else [name for name in PARTS if given.all or name not in LONG]
    if unknown := set(names) - PARTS.keys():
        console.print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    kept, measures = _kept(), {}
    if given.page and not (given.only or given.all or given.quick):
        names = []
    for at, name in enumerate(names, 1):
        began, load = time.monotonic(), os.getloadavg()[0]
        console.print(f"[bold]{name}[/] ({at} of {len(names)}): {(PARTS[name].__doc__ or '').splitlines()[0]}")
        folder = Path(tempfile.mkdtemp(prefix=f"chronobridge-bench-{name}-"))  # stays where a part fails, for its logs
        bench = Bench(folder, given.rounds, given.deliveries, given.links, given.patients)
        measures |= (found := PARTS[name](bench))
        shutil.rmtree(folder)
        kept[name] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "took_s": round(time.monotonic() - began),
            "is_quick": given.quick,
            "rounds": given.rounds,
            "machine": {"cores": os.cpu_count(), "python": sys.version.split()[0], "load": load},
            "measures": found,
            "series": bench.series,
        }
        RESULTS.write_text(json.dumps(kept, indent=2) + "\n")  # at once: a run that is broken off has its parts
    if given.page:
        console.print(f"written: {', '.join(page.write(kept))}")
    if not names:
        return 0
    return show(measures, names, names if given.only else PARTS, is_quick=given.quick)


def _kept() -> dict[str, dict[str, object]]:
    """Give what earlier runs have left of the parts."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    asked = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--only", metavar="PARTS", help=f"some of {', '.join(PARTS)}")
    asked.add_argument("--all", action="store_true", help="also what takes long")
    asked.add_argument("--quick", action="store_true", help="fewer rounds and smaller numbers")
    asked.add_argument("--page", action="store_true", help="write performance.md and its plots from bench.json")
    asked.add_argument("--rounds", type=int, help="how often each measure is taken")
    asked.add_argument("--deliveries", type=int, help="how many the memory is measured over")
    asked.add_argument("--links", type=int, help="how many are stored at last")
    asked.add_argument("--patients", type=int, help="how many are loaded at first")
    given = asked.parse_args(arguments)
    usual = Bench(Path())
    given.rounds = given.rounds or (QUICK_ROUNDS if given.quick else usual.rounds)
    given.deliveries = given.deliveries or (
        QUICK_DELIVERIES if given.quick else 1_000_000 if given.all else usual.deliveries
    )
    given.links = given.links or (QUICK_LINKS if given.quick else usual.links)
    given.patients = given.patients or (QUICK_PATIENTS if given.quick else usual.patients)
    given.quick = given.quick or any(
        getattr(given, name) < getattr(usual, name) for name in ("rounds", "deliveries", "links", "patients")
    )
    return given


if __name__ == "__main__":
    sys.exit(main())
