"""What a change costs with few and with many links stored: CPU seconds of web and worker for the same burst.

The links that are only stored are copies of one that came to be in the ordinary way, under ids of their own.
"""

import sqlite3
from contextlib import closing

from app.store import tables
from tests.harness.cluster import Town, town
from tests.load.bench.burst import applied
from tests.load.bench.measuring import UNPACED, Bench, Found, edit_hooks, hooks

PATIENTS = 1_000
FIRST = 40_000_000
_OWN = {
    "id": "printf('0FILL%021d', n)",
    "drchrono_id": "printf('9%011d', n)",
    "salesforce_id": "printf('003F%014d', n)",
    "person": "printf('fill%060d', n)",
    "due_at": "NULL",
    "status_due_at": "NULL",
}


def stored(bench: Bench) -> Found:
    """1,000 links at first, then tenfold again and again; after each, new patients and edits of them."""
    points: list[list[float]] = []
    with town(bench.place("stored"), UNPACED) as here:
        applied(here, hooks(here, FIRST, PATIENTS), 0.0)  # the first 1,000
        count, at = PATIENTS, FIRST + PATIENTS
        while count <= bench.links:
            _fill(here, count)

            def measure(n: int, at: int = at) -> Found:
                first = at + n * PATIENTS
                new = applied(here, hooks(here, first, PATIENTS), 0.0)
                edited = applied(here, edit_hooks(here, first, PATIENTS, 0), 0.0)
                return {name: new[name] + edited[name] for name in ("worker_cpu_s", "web_cpu_s")}

            found = bench.medians(f"{count:,} links", measure)
            points.append([float(count), found["worker_cpu_s"] / 2, found["web_cpu_s"] / 2])
            at, count = at + bench.rounds * PATIENTS, count * 10
    bench.series["stored"] = points
    per_change = [worker + web for _, worker, web in points]
    return {
        "stored_links": points[-1][0],
        "change_cpu_ms_few": per_change[0],
        "change_cpu_ms_many": per_change[-1],
        "change_cpu_growth": per_change[-1] / per_change[0],
    }


def _fill(here: Town, count: int) -> None:
    """Store copies of a link until there are so many."""
    columns = [column.name for column in tables.links.c]
    chosen = ", ".join(f"{_OWN[name]} AS {name}" if name in _OWN else name for name in columns)
    filled = f"""
        WITH RECURSIVE one AS (SELECT * FROM links WHERE salesforce_id IS NOT NULL AND kind = 'patient' LIMIT 1),
            number (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM number WHERE n < ?)
        INSERT INTO links ({", ".join(columns)}) SELECT {chosen} FROM one, number"""
    known = "INSERT INTO identities (person, link_id) SELECT person, id FROM links WHERE id >= ? AND id <= ?"
    path = here.settings().database_url.partition(":///")[2]
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        (there,) = connection.execute("SELECT count(*) FROM links").fetchone()
        for first in range(there, count, 20_000):  # not in one transaction: the service goes on beside it
            last = min(first + 20_000, count) - 1
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(filled, (first, last))
            connection.execute(known, (f"0FILL{first:021d}", f"0FILL{last:021d}"))
            connection.execute("COMMIT")
