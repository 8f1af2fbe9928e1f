"""Real processes, killed as the power would: whatever was acknowledged is applied, and nothing twice."""

import json
import resource
import sqlite3

import pytest
import redis

from tests.flow.burst import BURST, Sender, assert_nothing_lost_nothing_doubled, burst, reaches, settle
from tests.harness.cluster import town
from tests.load.driver import webhook

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]


@pytest.mark.both
def test_a_killed_worker_loses_no_acknowledged_change(here):
    sender = burst(here)
    sender.start()
    for share in (0.2, 0.6):
        here.wait_until(reaches(sender, share), "the burst to be under way")
        here.work.kill()
        here.work.start()

    assert_nothing_lost_nothing_doubled(settle(here, sender))


@pytest.mark.both
def test_a_killed_web_loses_no_acknowledged_change(here):
    sender = burst(here)
    sender.start()
    here.wait_until(reaches(sender, 0.4), "the burst to be under way")
    here.serve.kill()
    here.serve.start()

    assert_nothing_lost_nothing_doubled(settle(here, sender))


def test_a_wiped_and_a_vanished_redis_lose_no_acknowledged_change(here):
    sender = burst(here)
    sender.start()
    here.wait_until(reaches(sender, 0.2), "the burst to be under way")
    with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        client.flushall()
    here.wait_until(reaches(sender, 0.5), "the burst to go on")
    here.valkey.kill()

    assert_nothing_lost_nothing_doubled(settle(here, sender))
    assert sender.refused == []


def test_a_full_disk_acknowledges_nothing_and_work_goes_on_once_there_is_room(tmp_path):
    with town(tmp_path) as here:
        size = (tmp_path / "chronobridge.db-wal").stat().st_size
        limit = max(size, (tmp_path / "chronobridge.db").stat().st_size)
        old = resource.prlimit(here.serve.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        here.drchrono.put("/_control/delivery-policy", json={"drop": 1.0})
        here.drchrono.post("/_control/patients/bulk", json={"count": BURST, "silent": True})
        patients = list(here.patients().items())
        statuses = set()
        for key, patient in patients[:600]:
            statuses.add(one_post(here, webhook(here.webhook_secret, patient, delivery=key)))
        resource.prlimit(here.serve.process.pid, resource.RLIMIT_FSIZE, old)
        sender = Sender(here.ports["web"], [webhook(here.webhook_secret, p, delivery=k) for k, p in patients])
        sender.start()

        found = settle(here, sender)

    assert 503 in statuses
    assert statuses <= {200, 503}
    assert_nothing_lost_nothing_doubled(found)


def test_a_full_disk_is_told_by_readyz_and_so_is_its_end(tmp_path):
    with town(tmp_path) as here:
        pid = here.serve.process.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

        here.wait_until(lambda: not here.accepts(), "/readyz to tell of the full disk", 30)

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        here.wait_until(here.accepts, "/readyz to tell that there is room again", 30)


def one_post(here, request):
    body = request.split(b"\r\n\r\n", 1)[1]
    headers = {"x-drchrono-event": "PATIENT_MODIFY", "x-drchrono-signature": here.webhook_secret}
    return here.web.post("/webhooks/drchrono", content=body, headers=headers).status_code


def test_a_patient_named_canary_is_found_in_no_log_no_valkey_no_error_and_not_in_clear_on_disk(tmp_path):
    values = {
        "first_name": "Canary", "last_name": "Canarysson", "email": "canary@canary.example", "city": "Canaryville",
        "cell_phone": "(555) 010-2468", "address": "9 Canary Wharf", "date_of_birth": "1951-02-03",
    }  # fmt: skip
    with town(tmp_path) as here:
        patient = here.drchrono.post("/_control/patients", json=values).json()
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
                "match": "GET /services/data",
                "do": "error",
                "next": 1,
                "status": 500,
                "body": "<html>Canarysson</html>",
            },
        )
        here.drchrono.patch(f"/_control/patients/{patient['id']}", json={"last_name": "Canary-Smith"})
        broken = json.dumps({"object": {"first_name": "Canary", "id": None}}).encode()
        headers = {"x-drchrono-event": "PATIENT_MODIFY", "x-drchrono-signature": here.webhook_secret}
        here.web.post("/webhooks/drchrono", content=broken, headers=headers)
        answers = "".join(
            here.web.get(path).text for path in ("/healthz", "/metrics", "/api/v1/queue", "/api/v1/failures")
        )
        here.wait_until(lambda: here.is_quiet() or here.queue()["failed"], "the edits to end", 60)
        answers += here.web.get("/api/v1/failures").text
        with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
            in_valkey = repr([(key, client.dump(key)) for key in client.scan_iter()])
        logs = {log.name: log.read_text(errors="replace") for log in tmp_path.glob("*.log")}
        here.serve.ask_to_stop()
        here.work.ask_to_stop()
    aof = "".join(p.read_text(errors="replace") for p in (tmp_path / "valkey").rglob("*") if p.is_file())
    on_disk = "".join(p.read_bytes().decode("latin-1") for p in tmp_path.glob("chronobridge.db*"))

    assert "record.synced" in logs["work.log"]
    for place, text in {"answers": answers, "valkey": in_valkey, "aof": aof, "disk": on_disk, **logs}.items():
        if place.startswith(("drchrono", "salesforce")):
            continue  # the vendors' own
        for word in ("Canary", "canary", "010-2468", "1951-02-03"):
            assert word not in text, f"{word} is in {place}"


def test_no_secret_or_token_is_logged_or_lies_in_clear_on_disk(tmp_path):
    with town(tmp_path) as here:
        here.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": "Test"})
        here.wait_until(here.is_quiet, "the patient to arrive")
        secrets = [here.webhook_secret, here.operator_token, here.given["ENCRYPTION_KEYS"], "standin-secret"]
    with sqlite3.connect(tmp_path / "chronobridge.db") as database:
        tokens = [row[0] for row in database.execute("SELECT token FROM connections")]
    database.close()
    texts = [p.read_bytes().decode("latin-1") for p in (*tmp_path.glob("serve.log"), *tmp_path.glob("work.log"))]
    texts += [p.read_bytes().decode("latin-1") for p in tmp_path.glob("chronobridge.db*")]

    assert len(tokens) == 2
    assert not [secret for secret in secrets for text in texts if secret in text]
    assert all(token.startswith("gAAAA") for token in tokens)
