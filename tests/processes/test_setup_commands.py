"""The commands that set an installation up and keep its keys fresh, as a person at a terminal meets them."""

import asyncio
import io
import re
import signal
import stat
import subprocess

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from ulid import ULID

from app.cli import init
from app.ports import SealedColumn
from app.settings.env_file import fresh, render
from app.store.clock import db_now
from app.store.database import Database
from app.store.encryption import Vault
from app.store.migrate import migrate
from app.store.tables import audit, deliveries
from tests.processes.commands import as_a_process, chronobridge, ordinary, started

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


def made(folder):
    """What a `.env` holds, commented lines included."""
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z_0-9]*)=(.*)$", (folder / ".env").read_text(), re.MULTILINE))


def in_a_database(folder, work):
    """Do something with the database of a folder, as another process."""

    async def run():
        async with Database(f"sqlite+aiosqlite:///{folder}/var/chronobridge.db").opened() as database:
            return await work(database)

    return asyncio.run(run())


def keep_bodies(folder, key, count):
    """Put deliveries into the database whose bodies are sealed with a key."""
    vault = Vault((key.encode(),))
    rest = {"side": "drchrono", "event": "PATIENT_MODIFY", "outcome": "kept"}

    def a_row(at):
        id_ = str(ULID())
        body = vault.seal(f"Canary {at}", SealedColumn.DELIVERY_BODY.of(id_))
        return {"id": id_, "delivery_key": str(ULID()), "body": body, **rest}

    async def work(connection):
        await connection.execute(sa.insert(deliveries).values(received_at=db_now()), [a_row(at) for at in range(count)])

    in_a_database(folder, lambda database: database.transact(work))


def sealed_bodies(folder, count=None):
    """Give the bodies as they lie there and their places, in the order in which they are sealed anew."""
    statement = sa.select(deliveries.c.id, deliveries.c.body).order_by(deliveries.c.id).limit(count)
    found = in_a_database(folder, lambda database: database.read(statement))
    return [(row.body, SealedColumn.DELIVERY_BODY.of(row.id)) for row in found]


@pytest.fixture
def folder(tmp_path):
    """A folder as `init` and `migrate` leave it; the encryption keys a test says itself."""
    init.write(tmp_path / ".env", render(fresh("https://sync.example.com")))
    in_a_database(tmp_path, migrate)
    return tmp_path


def test_init_alone_is_enough_for_a_first_start(tmp_path):
    begun = as_a_process(tmp_path, ordinary(), "init")

    assert begun.returncode == 0
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    migrated = as_a_process(tmp_path, ordinary(), "migrate")
    assert (migrated.returncode, migrated.stdout, migrated.stderr) == (0, "the database is up to date\n", "")


def test_init_prints_no_secret(tmp_path):
    begun = chronobridge(tmp_path, ordinary(), "init", "--public-url", "https://sync.example.com/")

    assert "https://sync.example.com/webhooks/drchrono" in begun.stdout
    values = {name: value for name, value in made(tmp_path).items() if len(value) >= 43 and "://" not in value}
    assert values.keys() >= {"ENCRYPTION_KEYS", "HASH_KEYS", "OPERATOR_TOKEN", "DRCHRONO_WEBHOOK_SECRETS"}
    assert [name for name, value in values.items() if value in begun.stdout + begun.stderr] == []


def test_init_changes_no_file_that_is_there(tmp_path):
    chronobridge(tmp_path, ordinary(), "init")
    before = (tmp_path / ".env").read_bytes()

    again = chronobridge(tmp_path, ordinary(), "init", "--public-url", "https://sync.example.com")

    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "chronobridge: .env is already there and stays as it is\n"
    assert (tmp_path / ".env").read_bytes() == before


@pytest.mark.parametrize("url", ["http://sync.example.com", "sync.example.com", ""])
def test_init_refuses_a_wrong_address_in_one_line_and_writes_nothing(tmp_path, url):
    refused = chronobridge(tmp_path, ordinary(), "init", "--public-url", url)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.fullmatch(r"chronobridge: --public-url is wrong \(.*\): expected .*; for example .*\n", refused.stderr)
    assert list(tmp_path.iterdir()) == []


def test_after_rotating_the_keys_the_new_one_is_enough(folder):
    keep_bodies(folder, OLD, 3)

    rotated = chronobridge(folder, ordinary(ENCRYPTION_KEYS=f"{NEW},{OLD}"), "rotate-keys")

    assert (rotated.returncode, rotated.stderr) == (0, "")
    assert rotated.stdout.splitlines()[:4] == [
        "deliveries.body: 3 of 3 rows",
        "deliveries.body, once more: 3 of 3 rows",
        "3 re-encrypted",
        "the newest key opens everything: the older keys can now be removed",
    ]
    alone = chronobridge(folder, ordinary(ENCRYPTION_KEYS=NEW), "rotate-keys")
    assert (alone.returncode, alone.stdout.splitlines()[1]) == (0, "0 re-encrypted")


def test_a_key_that_is_missing_is_asked_for_and_the_older_ones_must_stay(folder):
    keep_bodies(folder, LOST, 2)
    keep_bodies(folder, OLD, 1)
    before = sealed_bodies(folder)

    rotated = chronobridge(folder, ordinary(ENCRYPTION_KEYS=f"{NEW},{OLD}"), "rotate-keys")

    assert rotated.returncode == 1
    assert rotated.stderr == (
        "2 are encrypted with a key that ENCRYPTION_KEYS lacks: put it at the end and run this again\n"
    )
    assert "can now be removed" not in rotated.stdout
    assert len(set(before) & set(sealed_bodies(folder))) == 2


def test_without_a_schema_it_says_what_to_run(tmp_path):
    chronobridge(tmp_path, ordinary(), "init")

    rotated = chronobridge(tmp_path, ordinary(), "rotate-keys")

    assert rotated.returncode == 1
    assert rotated.stderr == "chronobridge: the database's schema is behind; run: chronobridge migrate\n"


def test_killed_in_the_middle_it_loses_nothing_and_is_run_again(folder):
    keep_bodies(folder, OLD, 4000)
    env = ordinary(ENCRYPTION_KEYS=f"{NEW},{OLD}")
    newest, both = Vault((NEW.encode(),)), Vault((NEW.encode(), OLD.encode()))

    with started(folder, env, "rotate-keys", stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not newest.is_current(*sealed_bodies(folder, 1)[0]):
            pass
        process.send_signal(signal.SIGKILL)

    halfway = sealed_bodies(folder)
    assert sorted(both.open(*body) for body in halfway) == sorted(f"Canary {at}" for at in range(4000))
    again = chronobridge(folder, env, "rotate-keys")
    assert again.returncode == 0
    assert [body for body in sealed_bodies(folder) if not newest.is_current(*body)] == []


def test_what_a_command_writes_is_nobody_elses_to_read(tmp_path):
    env = ordinary(DATABASE_URL="sqlite+aiosqlite:///var/chronobridge.db")

    chronobridge(tmp_path, env, "init")
    chronobridge(tmp_path, env, "migrate")

    written = [tmp_path / ".env", tmp_path / "var", *(tmp_path / "var").iterdir()]
    assert len(written) >= 3
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in written if path.stat().st_mode & 0o077} == {}


def test_the_hash_of_a_secret_is_printed_and_an_account_takes_it(folder, monkeypatch):
    secret = "0123456789abcdef-fedcba9876543210"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))

    hashed = chronobridge(folder, ordinary(), "hash-secret")

    assert (hashed.returncode, secret in hashed.stdout + hashed.stderr) == (0, False)
    known = chronobridge(folder, ordinary(OPERATORS=f"anna:{hashed.stdout.strip()}"), "audit", "verify")
    assert known.returncode == 0


def test_a_secret_that_can_be_guessed_is_not_hashed(folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))

    hashed = chronobridge(folder, ordinary(), "hash-secret")

    assert (hashed.returncode, hashed.stdout) == (2, "")
    assert "32 characters" in hashed.stderr


def test_the_audit_is_verified_exported_and_verified_again_after_it_was_changed(folder):
    exported = chronobridge(folder, ordinary(), "audit", "export", "--output", "audit.csv", "--since", "2020-01-01")
    again = chronobridge(folder, ordinary(), "audit", "export", "--output", "audit.csv")
    whole = chronobridge(folder, ordinary(), "audit", "verify")
    lie = sa.update(audit).values(name="somebody else")
    in_a_database(folder, lambda database: database.transact(lambda connection: connection.execute(lie)))
    broken = chronobridge(folder, ordinary(), "audit", "verify")

    assert (exported.returncode, (folder / "audit.csv").stat().st_mode & 0o777) == (0, 0o600)
    assert (folder / "audit.csv").read_text().startswith("position,id,at,role,name,who,action,")
    assert (again.returncode, "audit.csv cannot be written" in again.stderr) == (1, True)
    assert (whole.returncode, whole.stdout.splitlines()[0]) == (0, "whole: 1 rows, each vouched for")
    assert (broken.returncode, broken.stdout.startswith("broken: row 1 (")) == (1, True)


def test_rotating_keys_is_noted_so_that_the_old_key_may_go(folder):
    rotated = chronobridge(folder, ordinary(ENCRYPTION_KEYS=f"{NEW},{OLD}"), "rotate-keys")

    verified = chronobridge(folder, ordinary(ENCRYPTION_KEYS=NEW), "audit", "verify")

    assert (rotated.returncode, verified.returncode) == (0, 0)
