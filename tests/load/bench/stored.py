"""What a change costs with few and with many links stored: CPU seconds of web and worker for the same burst.

The links that are only stored are copies of one that came to be in the ordinary way, under ids of their own.
"""

import sqlite3
from contextlib import closing

from app.store import tables
from tests.harness.cluster import Town
from tests.load.bench.burst import applied
from tests.load.bench.measuring import (
    Bench,
    Found,
    edit_hooks,
    hooks,
    warm,
)

PATIENTS, NEW = 1_000, 500
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
    """Edits and new patients with 1,000 links stored, and tenfold again and again; at last beside one that has few."""
    points: list[list[float]] = []
    with warm(bench, "many") as many, warm(bench, "few") as few:
        for here in (many, few):
            applied(here, hooks(here, FIRST, PATIENTS), 0.0)
        count, edit = PATIENTS, 0
        while count <= bench.links:
            _fill(many, count)

            def measure(n: int, edit: int = edit, is_last: bool = count * 10 > bench.links) -> Found:
                worker_ms, web_ms = _cost_of_a_change(many, edit + n)
                found = {"worker": worker_ms, "web": web_ms, "many": worker_ms + web_ms}
                if is_last:
                    found["few"] = sum(_cost_of_a_change(few, edit + n))
                    found["growth"] = found["many"] / found["few"]
                return found

            found = bench.medians(f"{count:,} links", measure)
            points.append([float(count), found["worker"], found["web"]])
            count, edit = count * 10, edit + bench.rounds
    bench.series["stored"] = points
    return {
        "stored_links": points[-1][0],
        "change_cpu_ms_few": found["few"],
        "change_cpu_ms_many": found["many"],
        "change_cpu_growth": found["growth"],
    }


def _cost_of_a_change(here: Town, edit: int) -> tuple[float, float]:
    """Give the CPU ms of worker and web for each of many changes: edits of linked patients, and new ones."""
    edited = applied(here, edit_hooks(here, FIRST, PATIENTS, edit), 0.0)
    new = applied(here, hooks(here, FIRST + PATIENTS + edit * NEW, NEW), 0.0)
    share = NEW / (NEW + PATIENTS)
    worker_s, web_s = (new[name] * share + edited[name] * (1 - share) for name in ("worker_cpu_s", "web_cpu_s"))
    return worker_s, web_s  # seconds per 1,000 are milliseconds each


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
