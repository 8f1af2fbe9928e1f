"""What must not be found where processes leave something (logs, Redis, disk): values, documents, secrets."""

import asyncio
import base64
import contextlib
import hashlib
import json
import sqlite3

import httpx
import pytest
import redis

from app.runtime import open_runtime
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.build import mapping_with_documents
from tests.harness.cluster import town
from tests.processes.commands import PATIENCE_S

VALUES = {
    "first_name": "Canary", "last_name": "Canarysson", "email": "canary@canary.example", "city": "Canaryville",
    "cell_phone": "(555) 010-2468", "address": "9 Canary Wharf", "date_of_birth": "1951-02-03",
}  # fmt: skip
LETTER = b"%PDF-1.7\nCanary, page one\n%%EOF\n"
PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR Canary, a face"
PROGRAM = b"MZ Canary is no document"
OURS = ("serve.log", "work.log")
PAGES = ("/healthz", "/metrics", "/api/v1/queue", "/api/v1/failures")


def on_disk(here):
    return {path.name: path.read_bytes().decode("latin-1") for path in here.folder.glob("chronobridge.db*")}


def tokens_on_disk(here):
    with contextlib.closing(sqlite3.connect(here.folder / "chronobridge.db")) as database:
        return [row[0] for row in database.execute("SELECT token FROM connections")]


def logs(here):
    return {name: (here.folder / name).read_text(errors="replace") for name in OURS}


def answers_of(here):
    return "".join(here.web.get(path).text for path in PAGES)


def what_is_left(here):
    """Stop the service and its Valkey; gives what they left, by place."""
    with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        in_valkey = repr([(key, client.dump(key)) for key in client.scan_iter()])
    for child in (here.serve, here.work, here.valkey):
        child.ask_to_stop()
        child.process.wait(PATIENCE_S)
    aof = "".join(p.read_text(errors="replace") for p in (here.folder / "valkey").rglob("*") if p.is_file())
    return {"valkey": in_valkey, "aof": aof, **on_disk(here), **logs(here)}


def found(words, places):
    return [(word, name) for name, text in places.items() for word in words if word in text]


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
    answers = answers_of(here)
    here.wait_until(lambda: here.is_quiet() or here.queue()["failed"] > failed, "the edits to end", 60)
    answers += here.web.get("/api/v1/failures").text

    places = {"answers": answers, **what_is_left(here)}
    assert "record.synced" in places["work.log"]
    assert "chronobridge:rings" in places["aof"]
    assert found(("Canary", "canary", "010-2468", "1951-02-03"), places) == []


@pytest.fixture
def sharing(tmp_path_factory):
    """A cluster of its own, whose clinic shares documents, and whose processes have a folder for temporary files."""
    folder = tmp_path_factory.mktemp("sharing")
    temporary = folder / "tmp"
    temporary.mkdir()
    mapping = mapping_with_documents(folder / "mapping.toml")
    with town(folder, {"MAPPING_FILE": str(mapping), "TMPDIR": str(temporary)}, service=False) as it:
        it.start_connected()
        it.loads()
        yield it


def files(here, patient, content, description):
    filed = {
        "patient": patient["id"], "description": description, "metatags": json.dumps(["Share with CRM", "Canary tag"]),
        "name": "canary.pdf", "file": base64.b64encode(content).decode(),
    }  # fmt: skip
    here.drchrono.post("/_control/documents", json=filed).raise_for_status()


def uploads(here, contact, content, title):
    said = {"Title": title, "PathOnClient": "canary.png", "VersionData": base64.b64encode(content).decode()}
    here.enters_record("ContentVersion", **said, Send_To_DrChrono__c=True, FirstPublishLocationId=contact["Id"])


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def has_traveled(here):
    filed = {one["md5"] for one in here.drchrono.get("/_control/documents").json()["documents"]}
    both = {md5(LETTER), md5(PICTURE)}
    return both <= filed and both == {one["Checksum"] for one in here.records("ContentVersion")}


def test_a_document_named_canary_is_found_on_both_sides_and_nowhere_else(sharing):
    patient = sharing.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": "Test"}).json()
    files(sharing, patient, LETTER, "Canary letter")
    files(sharing, patient, PROGRAM, "Canary program")
    sharing.wait_until(sharing.contacts, "the patient to arrive")
    uploads(sharing, sharing.contacts()[0], PICTURE, "Canary consent")
    sharing.wait_until(sharing.is_quiet, "the patient to be linked")
    sharing.web.post(f"/api/v1/records/drchrono/patient/{patient['id']}/recheck").raise_for_status()
    sharing.wait_until(lambda: has_traveled(sharing), "a document to travel each way", 120)
    sharing.wait_until(lambda: sharing.queue()["failed"] > 0, "what is no document to be refused")

    answers, running = answers_of(sharing), on_disk(sharing)
    left = what_is_left(sharing)
    temporary = {
        str(it): it.read_bytes().decode("latin-1") for it in (sharing.folder / "tmp").rglob("*") if it.is_file()
    }
    places = {"answers": answers, **left, **temporary, **{f"{name}, running": it for name, it in running.items()}}
    assert "chronobridge.db-wal, running" in places
    assert "record.synced" in left["work.log"]
    encoded = [base64.b64encode(it).decode()[12:28] for it in (LETTER, PICTURE, PROGRAM)]
    assert found(("Canary", "canary", *encoded, *map(md5, (LETTER, PICTURE, PROGRAM))), places) == []


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
