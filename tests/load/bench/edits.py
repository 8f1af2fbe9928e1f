"""Edits one by one: renames, which DrChrono is asked about first; calls that are cut; 1,000 edits in Salesforce."""

import asyncio
import statistics
import time
from datetime import datetime

from tests.harness.cluster import Town
from tests.load.bench.measuring import (
    Bench,
    Found,
    contacts_written,
    forget,
    warm,
)
from tests.load.driver import percentile, send_all, webhook

RENAMES, CUT, BACK = 40, 40, 1_000


def edits(bench: Bench) -> Found:
    """Renames, calls that are cut, and 1,000 Contacts changed in Salesforce: each once, of many edits."""
    with warm(bench, "edits") as here:
        return renamed(here) | cut(here) | back(here)


def renamed(here: Town) -> Found:
    """One patient renamed in DrChrono at a time: from the webhook sent to the write being done at Salesforce."""
    patient_id, latencies = _registered(here, "Rename"), []
    for n in range(RENAMES):
        forget(here)
        here.drchrono.put("/_control/clock", json={"offset_s": 2})  # whose stamps tell no second from itself
        saved = {"last_name": f"Renamed{n}"}
        answer = here.drchrono.patch(f"/_control/patients/{patient_id}?silent=true", json=saved).raise_for_status()
        request = webhook(here.webhook_secret, answer.json(), delivery=f"rename{n}")
        sent_at = time.time()
        asyncio.run(send_all(here.ports["web"], [request], 1))
        here.wait_until(lambda: contacts_written(here) != [], "a new name to be written", 20)
        latencies.append((datetime.fromisoformat(contacts_written(here)[0]["at"]).timestamp() - sent_at) * 1000)
        time.sleep(0.1)  # back to idle
    return {"rename_p50_ms": statistics.median(latencies), "rename_p95_ms": percentile(latencies, 0.95)}


def cut(here: Town) -> Found:
    """One edit at a time whose call is cut at the vendor before anything is done, on either side in turn."""
    patient_id, waits = _registered(here, "Cut"), []
    contact = next(one for one in here.contacts() if one["DrChrono_Patient_Id__c"] == str(patient_id))
    for n in range(CUT):
        vendor, match = (here.salesforce, "PATCH /services") if n % 2 else (here.drchrono, "PATCH /api/patients")
        rule = {"match": match, "do": "drop_before", "next": 1}
        vendor.post("/_control/faults", json=rule).raise_for_status()
        sent_at = time.time()
        if n % 2:
            here.drchrono.patch(f"/_control/patients/{patient_id}", json={"city": f"Cut{n}"}).raise_for_status()
        else:
            edit = {"Email": f"cut{n}@example.com"}
            here.salesforce.patch(f"/_control/records/Contact/{contact['Id']}", json=edit).raise_for_status()
        here.wait_until(lambda n=n: _agrees(here, patient_id, contact["Id"], n), "an edit to arrive", 60, every_s=0.05)
        waits.append(time.time() - sent_at)
    return {"cut_p50_s": statistics.median(waits), "cut_p99_s": percentile(waits, 0.99)}


def _registered(here: Town, name: str) -> int:
    """Register a patient who is in step; gives the id."""
    person = {"first_name": name, "last_name": "Load", "date_of_birth": "1970-01-01", "gender": "Female"}
    made = here.drchrono.post("/_control/patients", json=person).raise_for_status().json()
    here.wait_until(here.is_quiet, "a patient to be known", 60)
    return int(made["id"])


def _agrees(here: Town, patient_id: int, contact_id: str, n: int) -> bool:
    if n % 2:
        held = here.salesforce.get(f"/_control/records/Contact/{contact_id}").json()
        return bool(held["MailingCity"] == f"Cut{n}")
    return bool(here.patients()[str(patient_id)]["email"] == f"cut{n}@example.com")


def back(here: Town) -> Found:
    """1,000 Contacts changed in Salesforce: what DrChrono is called for them, and for the webhooks they raise."""
    here.drchrono.post("/_control/patients/bulk", json={"count": BACK, "prefix": "Back"}).raise_for_status()
    here.wait_until(here.is_quiet, "the patients to arrive", 120, every_s=0.5)
    charts = here.patients()
    contacts = [one for one in here.contacts() if str(one["DrChrono_Patient_Id__c"]) in charts]
    here.drchrono.request("DELETE", "/_control/calls")
    told = here.delivered()
    for n, contact in enumerate(contacts):
        edit = {"Email": f"back{n}@example.com"}
        here.salesforce.patch(f"/_control/records/Contact/{contact['Id']}", json=edit).raise_for_status()
    here.wait_until(here.is_quiet, "the edits to arrive", 240, every_s=0.5)
    emails = {chart["email"] for chart in here.patients().values()}
    assert emails >= {f"back{n}@example.com" for n in range(BACK)}, "an edit did not arrive"
    counts = here.drchrono.get("/_control/calls").json()["counts"]
    writes = sum(n for name, n in counts.items() if name.startswith(("PATCH /api", "POST /api", "PUT /api")))
    reads = sum(n for name, n in counts.items() if name.startswith("GET /api/patients"))
    return {
        "drchrono_writes_per_1000": writes * 1000 / BACK,
        "drchrono_reads_per_100_webhooks": reads * 100 / max(here.delivered() - told, 1),
    }
