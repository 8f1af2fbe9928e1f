"""A copy of the database, under another INSTANCE_ID: whatever is started on it calls no vendor until it is resumed."""

import contextlib
import sqlite3
from pathlib import Path

import httpx
import pytest

from app.cli.supervise import Child, free_port, stop_all
from tests.processes.commands import COMMAND, chronobridge

COMMANDS = (
    ("reconcile",),
    ("reconcile", "--dry-run"),
    ("backfill", "--kind", "patient"),
    ("check",),
    ("connect", "drchrono", "--wait", "0"),
    ("disconnect", "drchrono"),
)


class Copy:
    """The copied database, the environment of whoever is started on it, and its web and worker."""

    def __init__(self, here, folder):
        self.path, self.port = folder / "copy.db", free_port()
        with (
            contextlib.closing(sqlite3.connect(here.settings().database_url.partition(":///")[2])) as original,
            contextlib.closing(sqlite3.connect(self.path)) as copy,
        ):
            original.backup(copy)
            copy.execute("UPDATE connections SET refresh_at = 0")  # whoever may ask for a token asks first
            copy.commit()
        self.env = here.env | {
            "DATABASE_URL": f"sqlite+aiosqlite:///{self.path}", "INSTANCE_ID": "copy", "PORT": str(self.port),
            "REDIS_URL": "",
        }  # fmt: skip
        self.serve, self.work = (
            Child(name, [*COMMAND, name], self.env, folder / f"{name}.log", Path(folder)) for name in ("serve", "work")
        )

    def asked(self, question):
        with contextlib.closing(sqlite3.connect(self.path)) as opened:
            return opened.execute(question).fetchone()[0]

    def has_polled(self):
        """Whether a worker has beaten twice: by then it has polled, and began everything that is regular."""
        return bool(self.asked("SELECT count(*) FROM workers WHERE seen_at > started_at + 2500"))


@pytest.fixture
def copied(here, tmp_path):
    """A copy with a patient that is due, of a service that has stopped since."""
    here.work.ask_to_stop()
    here.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": "Fenced"})
    here.wait_until(lambda: here.queue()["depth"], "the patient to be due")
    stop_all([here.serve, here.work])
    copy = Copy(here, tmp_path)
    yield copy
    stop_all([copy.serve, copy.work])


def calls(here):
    return sum(sum(each.get("/_control/calls").json()["counts"].values()) for each in (here.drchrono, here.salesforce))


def test_whatever_is_started_alone_on_a_copy_calls_no_vendor_until_all_is_resumed(here, copied, tmp_path):
    before, contacts = calls(here), len(here.contacts())

    ended = {words: chronobridge(tmp_path, copied.env, *words) for words in COMMANDS}
    by_commands = calls(here)
    copied.work.start()
    here.wait_until(copied.has_polled, "the worker to have looked for work")
    by_work = calls(here)
    copied.serve.start()
    bearer = {"authorization": f"Bearer {here.operator_token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{copied.port}", headers=bearer, timeout=30) as web:
        here.wait_until(lambda: answers(web), "the copy's web to be ready")
        lanes = web.get("/api/v1/queue").json()["lanes"]
        by_serve = calls(here)
        web.post("/api/v1/lanes/all/resume").raise_for_status()
        here.wait_until(lambda: len(here.contacts()) > contacts, "the copy to work once it is resumed")

    assert (by_commands, by_work, by_serve) == (before, before, before)
    assert {words: one.returncode for words, one in ended.items()} == dict.fromkeys(COMMANDS, 1)
    assert all("another PUBLIC_URL or INSTANCE_ID" in one.stdout + one.stderr for one in ended.values())
    assert all(lane["paused"] for lane in lanes)


def answers(web):
    with contextlib.suppress(httpx.HTTPError):
        return web.get("/readyz").is_success
    return False
