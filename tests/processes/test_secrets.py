"""What must not be found where processes leave something, in logs, Redis, on disk: a patient's values, a secret."""

import asyncio
import contextlib
import json
import sqlite3

import httpx
import pytest
import redis

from app.runtime import open_runtime
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.processes.commands import PATIENCE_S

VALUES = {
    "first_name": "Canary", "last_name": "Canarysson", "email": "canary@canary.example", "city": "Canaryville",
    "cell_phone": "(555) 010-2468", "address": "9 Canary Wharf", "date_of_birth": "1951-02-03",
}  # fmt: skip
OURS = ("serve.log", "work.log")


def on_disk(here):
    return {path.name: path.read_bytes().decode("latin-1") for path in here.folder.glob("chronobridge.db*")}


def tokens_on_disk(here):
    with contextlib.closing(sqlite3.connect(here.folder / "chronobridge.db")) as database:
        return [row[0] for row in database.execute("SELECT token FROM connections")]


def logs(here):
    return {name: (here.folder / name).read_text(errors="replace") for name in OURS}


def test_a_patient_named_canary_is_found_in_no_log_no_valkey_no_error_and_not_in_clear_on_disk(here):
    failed = here.queue()["failed"]
    patient = here.drchrono.post("/_control/patients", json=VALUES).json()
    here.wait_until(here.is_quiet, "the patient to arrive")
    here.salesforce.post(
        "/_control/record-faults",
        json={
            "object": "Contact", "match": {"field": "LastName", "equals": "Canarysson"}, "next": 1,
            "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Canarysson: bad value 9 Canary Wharf",
        },
    )  # fmt: skip
    here.drchrono.patch(f"/_control/patients/{patient['id']}", json={"city": "Canary City", "email": "canary at"})
    here.salesforce.post(
        "/_control/faults",
        json={
            "match": "GET /services/data", "do": "error", "next": 1, "status": 500, "body": "<html>Canarysson</html>",
        },
    )  # fmt: skip
    here.drchrono.patch(f"/_control/patients/{patient['id']}", json={"last_name": "Canary-Smith"})
    broken = json.dumps({"object": {"first_name": "Canary", "id": None}}).encode()
    headers = {"x-drchrono-event": "PATIENT_MODIFY", "x-drchrono-signature": here.webhook_secret}
    here.web.post("/webhooks/drchrono", content=broken, headers=headers)
    answers = "".join(here.web.get(path).text for path in ("/healthz", "/metrics", "/api/v1/queue", "/api/v1/failures"))
    here.wait_until(lambda: here.is_quiet() or here.queue()["failed"] > failed, "the edits to end", 60)
    answers += here.web.get("/api/v1/failures").text
    with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        in_valkey = repr([(key, client.dump(key)) for key in client.scan_iter()])
    for child in (here.serve, here.work, here.valkey):
        child.ask_to_stop()
        child.process.wait(PATIENCE_S)
    aof = "".join(p.read_text(errors="replace") for p in (here.folder / "valkey").rglob("*") if p.is_file())

    places = {"answers": answers, "valkey": in_valkey, "aof": aof, **on_disk(here), **logs(here)}
    assert "record.synced" in places["work.log"]
    assert "chronobridge:rings" in aof
    words = ("Canary", "canary", "010-2468", "1951-02-03")
    assert [(word, name) for name, text in places.items() for word in words if word in text] == []


@pytest.fixture
def secrets(here):
    """What is configured, and both tokens as they were, were renewed, and are now."""
    named = {name: value for name, value in here.given.items() if name.endswith(("_SECRET", "_SECRETS", "_TOKEN"))}
    named |= {name: here.given[name] for name in ("ENCRYPTION_KEYS", "HASH_KEYS")}
    named |= stored_tokens(here, "first")
    with httpx.Client(base_url=here.given["PUBLIC_URL"]) as browser:
        signed_in = browser.post("/login", data={"token": here.operator_token})
        named["session"] = signed_in.cookies["chronobridge_session"]
        browser.post("/login", data={"token": "a-guess-that-is-wrong"})
        browser.get("/connect/drchrono/callback?state=a-guess-that-is-wrong&code=a-guess-that-is-wrong")
    here.drchrono.post("/_control/tokens/expire")
    patient = here.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": "Secret"}).json()
    here.wait_until(lambda: "Secret" in last_names(here), "the first sync")
    here.drchrono.patch(f"/_control/patients/{patient['id']}", json={"last_name": "Wed"})
    here.wait_until(lambda: "Wed" in last_names(here), "the confirmed edit")
    return named | stored_tokens(here, "next")


def last_names(here):
    return {one["LastName"] for one in here.contacts()}


def stored_tokens(here, which):
    async def read():
        async with open_runtime(here.settings()) as runtime:
            return (await VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO).read()).token

    pair = asyncio.run(read())
    return {f"{which} {name}": pair[name] for name in ("access_token", "refresh_token")}


def test_no_process_writes_a_secret_or_a_token_into_its_log_or_in_clear_onto_the_disk(here, secrets):
    stored, sealed = on_disk(here), tokens_on_disk(here)
    left = logs(here)["serve.log"].count("practice.left")
    here.web.post("/disconnect/drchrono")
    here.connect_practice()
    written = logs(here)

    assert written["serve.log"].count("practice.left") == left + 1
    assert secrets["first refresh_token"] != secrets["next refresh_token"]
    named = secrets | {"guess": "a-guess-that"}
    places = stored | written
    assert [(name, place) for name, value in named.items() for place, text in places.items() if value in text] == []
    assert len(sealed) == 2
    assert all(token.startswith("v2") for token in sealed)
