"""Memory of web and worker: idle, at the peak, and whether it stays flat however many deliveries came before."""

import asyncio
import time

from app.cli.supervise import Child
from tests.harness.cluster import Town
from tests.load.bench.burst import applied
from tests.load.bench.measuring import (
    CONNECTIONS,
    Bench,
    Found,
    console,
    edit_hooks,
    held_mb,
    hooks,
    warm,
)
from tests.load.driver import send_all
from tests.load.first_load import peak_mb

PATIENTS, FIRST, BEFORE = 2_000, 80_000_000, 500
SETTLED_S, LIMIT_S = 5.0, 600.0


def memory(bench: Bench) -> Found:
    """Idle; after 1,000 deliveries, new patients and edits; and after so many more edits of 2,000 patients."""
    with warm(bench, "memory") as here:
        of = {"web": here.serve, "worker": here.work}
        found = {f"{name}_idle_mb": mb for name, mb in _settled(of).items()}
        applied(here, hooks(here, FIRST, BEFORE), 0.0)
        applied(here, edit_hooks(here, FIRST, BEFORE, 0), 0.0)
        first = _settled(of)
        applied(here, hooks(here, FIRST + BEFORE, PATIENTS - BEFORE), 0.0)
        points, sent = [], PATIENTS
        while sent < bench.deliveries:
            _edited(here, sent // PATIENTS)
            sent += PATIENTS
            points.append([float(sent), *(held_mb(child) for child in of.values())])
            if sent % 20_000 == 0:
                console.print(f"  {sent:,} deliveries: web {points[-1][1]:.0f} MB, worker {points[-1][2]:.0f} MB")
        here.wait_until(lambda: here.queue()["depth"] == 0, "the queue to be empty", LIMIT_S, every_s=0.25)
        last = _settled(of)
        bench.series["memory"] = points
        found |= {f"{name}_peak_mb": peak_mb(child) for name, child in of.items()}
        found |= {f"{name}_grown_mb": last[name] - first[name] for name in of}
        return found | {"memory_deliveries": float(sent)}


def _settled(of: dict[str, Child]) -> dict[str, float]:
    """Give what each process holds once nothing has happened for a while."""
    time.sleep(SETTLED_S)
    return {name: held_mb(child) for name, child in of.items()}


def _edited(here: Town, edit: int) -> None:
    """Send one edit of each patient; a worker may be at those before."""
    sent = asyncio.run(send_all(here.ports["web"], edit_hooks(here, FIRST, PATIENTS, edit), CONNECTIONS))
    assert sent.statuses == {200: PATIENTS}, sent.statuses
