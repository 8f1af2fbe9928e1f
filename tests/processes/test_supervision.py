"""Something odd in the database and in Redis makes a job of a real worker fail: it is named, and nothing else ends."""

import contextlib
import sqlite3

import pytest
import redis

from app.wakeup import QUEUE

KINDS = ("doctor", "office", "patient", "appointment")
ODD = (
    'INSERT OR REPLACE INTO scans (name, id, started_at, state, saved_at) VALUES (?, ?, ?, \'{"Canary": "Canary"}\', ?)'
)


@pytest.fixture
def odd_scans(here):
    """A comparison of each kind that stands where no version of ours ever was, and is due."""
    path = here.settings().database_url.partition(":///")[2]
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as opened:
        now = opened.execute("SELECT max(seen_at) FROM workers").fetchone()[0]
        for kind in KINDS:
            opened.execute(ODD, (f"compare_{kind}", f"odd {kind}", now, now))
        opened.execute("UPDATE schedules SET next_at = 0 WHERE name LIKE 'compare_%'")
        opened.commit()
        yield
        opened.execute("DELETE FROM scans WHERE id LIKE 'odd %'")
        opened.commit()


def test_a_job_that_fails_is_named_by_the_web_and_live_edits_go_on_in_the_same_process(here, odd_scans):
    worker, contacts = here.work.process.pid, len(here.contacts())

    with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        client.zadd(QUEUE, {b"\xff\xfe": 1})
        here.wait_until(lambda: not client.exists(QUEUE), "the odd ring to be gone")
    here.wait_until(lambda: jobs(here)["state"] == "degraded", "the failing job to be named")
    named = jobs(here)["advice"]
    here.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": "Supervised"})
    here.wait_until(lambda: len(here.contacts()) > contacts, "a live edit to be applied")

    assert f"/{worker} (" in named
    assert (here.work.is_running, here.work.process.pid) == (True, worker)
    here.wait_until(lambda: all(f'"cause": "{name}"' in here.work.log.read_text() for name in ("listen", "reconcile")),
                    "both jobs to be said to fail")  # fmt: skip
    said = here.work.log.read_text()
    assert "Canary" not in said
    assert "Traceback" not in said


def jobs(here):
    return here.web.get("/healthz").json()["parts"]["jobs"]
