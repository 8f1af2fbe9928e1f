"""The part of the story in which Salesforce speaks too: edits, a new patient, visits that move, a conflict, pictures.

Every message of Salesforce's comes five times; what DrChrono is called for is counted, and must not be more for it.
"""

import base64
import hashlib
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.harness.cluster import Town
from tests.harness.demo.work import contact_of, edit_both

COPIES = 5
ENTERED = 1  # Contacts that become patients
Say = Callable[[str], None]


def both_ways(here: Town, ids: list[int], say: Say) -> None:
    """Tell it, with some of the patients of the morning.

    Raises  RuntimeError when a side did not end as it should, or was called more often than it should
    """
    here.salesforce.put("/_control/outbound", json={"duplicate": COPIES}).raise_for_status()
    _corrected(here, ids[:5], say)
    _becomes_a_patient(here, say)
    _appointments(here, ids[5:7], say)
    _conflict(here, ids[7], say)
    _pictures(here, ids[8], say)
    here.salesforce.put("/_control/outbound", json={"duplicate": 1}).raise_for_status()


def _corrected(here: Town, ids: list[int], say: Say) -> None:
    say(f"somebody in Salesforce corrects five e-mails; every message comes {COPIES} times")
    before, started = here.called("PATCH /api/patients"), time.monotonic()
    wanted = {str(patient_id): f"corrected{n}@example.com" for n, patient_id in enumerate(ids)}
    for patient_id, email in wanted.items():
        here.edits_record("Contact", contact_of(here, int(patient_id))["Id"], Email=email)
    here.wait_until(lambda: all(here.patients()[one]["email"] == wanted[one] for one in wanted), "the e-mails", 60)
    took_ms = (time.monotonic() - started) * 1000
    here.wait_until(here.is_quiet, "the messages to end", 60)
    _must_be(here.called("PATCH /api/patients") - before, len(wanted), "PATCHes for five edits")
    say(f"all five are in their charts after {took_ms:.0f} ms: 5 PATCHes, of that field alone")


def _becomes_a_patient(here: Town, say: Say) -> None:
    say(f"a new Contact is ticked to become a patient; its message comes {COPIES} times")
    before, started = here.called("POST /api/patients"), time.monotonic()
    entered = {
        "FirstName": "Nora",
        "LastName": "Newcomer",
        "Birthdate": "1991-02-03",
        "DrChrono_Gender__c": "Female",
        "Email": "nora@example.com",
        "Sync_To_DrChrono__c": True,
    }
    contact_id = here.enters_record("Contact", **entered)

    def key() -> Any:
        (contact,) = (one for one in here.records("Contact") if one["Id"] == contact_id)
        return contact["DrChrono_Patient_Id__c"]

    here.wait_until(lambda: key() is not None, "the new chart", 60)
    took_ms = (time.monotonic() - started) * 1000
    here.wait_until(here.is_quiet, "the messages to end", 60)
    charts = [one for one, chart in here.patients().items() if chart["last_name"] == "Newcomer"]
    if charts != [key()]:
        raise RuntimeError(f"the new Contact became {len(charts)} charts")
    _must_be(here.called("POST /api/patients") - before, 1, "POSTs for one new patient")
    say(f"it is chart {charts[0]} after {took_ms:.0f} ms: one POST, its id written back")


def _appointments(here: Town, ids: list[int], say: Say) -> None:
    doctor = next(iter(here.drchrono.get("/_control/doctors").json()["doctors"].values()))
    say(f"two appointments are booked in DrChrono (its clock is {doctor['timezone']}); each side moves one of them")
    booked = [
        here.drchrono.post(
            "/_control/appointments",
            json={"patient": ids[n], "scheduled_time": f"2027-03-1{5 + n}T10:30:00", "duration": 30},
        ).json()["id"]
        for n in range(2)
    ]
    here.wait_until(lambda: all(one in _appointments_of(here) for one in booked), "the appointments", 60)
    here.wait_until(here.is_quiet, "the appointments to settle", 60)
    here.drchrono.put("/_control/clock", json={"offset_s": 240})
    here.drchrono.patch(f"/_control/appointments/{booked[0]}", json={"scheduled_time": "2027-03-15T14:00:00"})
    here.edits_record(
        "DrChrono_Appointment__c", _appointments_of(here)[booked[1]]["Id"], Start__c="2027-03-16T19:15:00Z"
    )

    def is_there() -> bool:
        moved = here.drchrono.get("/_control/appointments").json()["appointments"][booked[1]]["scheduled_time"]
        local = [_appointments_of(here)[one]["Local_Start__c"] for one in booked]
        return bool(moved == local[1] and local[0] == "2027-03-15T14:00:00")

    here.wait_until(is_there, "the appointments to move", 60)
    here.wait_until(here.is_quiet, "the appointments to settle", 60)
    for one in booked:
        there = _appointments_of(here)[one]
        say(f"appointment {one}: {there['Local_Start__c']} in DrChrono, {there['Start__c'][:16]}Z in Salesforce")


def _conflict(here: Town, patient_id: int, say: Say) -> None:
    say("both sides change one patient's address and name before either has heard of the other")
    here.drchrono.put("/_control/clock", json={"offset_s": 300})
    theirs = {"address": "1 Desk Street", "first_name": "Deskname", "city": "Deskville"}
    edit_both(
        here,
        patient_id,
        theirs,
        {"MailingStreet": "2 Crm Street", "FirstName": "Crmname", "MobilePhone": "555-010-7777"},
    )

    def agrees() -> bool:
        chart, now = here.patients()[str(patient_id)], contact_of(here, patient_id)
        return bool(
            chart["address"] == now["MailingStreet"] and chart["first_name"] == now["FirstName"] and here.is_quiet()
        )

    here.wait_until(agrees, "both sides to agree", 60)
    chart, now = here.patients()[str(patient_id)], contact_of(here, patient_id)
    if (now["MailingCity"], chart["cell_phone"]) != ("Deskville", "555-010-7777"):
        raise RuntimeError("an edit to a field that the other side left alone was lost")
    say("the city of the one and the phone of the other both survived; of what both had changed:")
    for item in here.web.get("/api/v1/conflicts").json()["items"]:
        say(f"  {item['field']}: {item['rule']}; the other value is kept, encrypted, and can be restored")


def _pictures(here: Town, patient_id: int, say: Say) -> None:
    """Send a picture each way: one with a shared tag from the chart, one that is ticked from the Contact."""
    say("a picture is filed in a chart, with the tag that shares it; another one is uploaded to the Contact and ticked")
    contact, started = contact_of(here, patient_id)["Id"], time.monotonic()
    filed = {
        "patient": patient_id,
        "description": "X-ray, left hand",
        "date": "2026-11-03",
        "metatags": '["Share with CRM"]',
        "name": "x-ray.png",
        "made": {"kind": "png", "size": 300_000, "seed": 7},
    }
    here.drchrono.post("/_control/documents", json=filed).raise_for_status()
    card = _PNG + random.Random(7).randbytes(100_000)  # noqa: S311 - the same picture every time
    here.enters_record(
        "ContentVersion",
        Title="Insurance card",
        PathOnClient="card.png",
        VersionData=base64.b64encode(card).decode(),
        FirstPublishLocationId=contact,
        Send_To_DrChrono__c=True,
    )
    here.web.post(f"/api/v1/records/drchrono/patient/{patient_id}/recheck").raise_for_status()
    here.wait_until(lambda: len(_documents_of(here)) == len(_files_of(here)) == BOTH, "both pictures", 60)
    took_ms = (time.monotonic() - started) * 1000
    here.wait_until(here.is_quiet, "the pictures to settle", 60)
    there, here_now = _documents_of(here), _files_of(here)
    is_same = {one["md5"] for one in there} == {one["Checksum"] for one in here_now}
    if not is_same or hashlib.md5(card, usedforsecurity=False).hexdigest() not in {one["md5"] for one in there}:
        raise RuntimeError("a picture is another one over there")
    say(f"both are on both sides after {took_ms:.0f} ms, byte for byte; no process has kept them")


_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
BOTH = 2


def _documents_of(here: Town) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.drchrono.get("/_control/documents").json()["documents"]
    return found


def _files_of(here: Town) -> list[dict[str, Any]]:
    return [one for one in here.records("ContentVersion") if one["DrChrono_Document_Id__c"]]


def _appointments_of(here: Town) -> Mapping[str, dict[str, Any]]:
    return {one["DrChrono_Id__c"]: one for one in here.records("DrChrono_Appointment__c")}


def _must_be(count: int, wanted: int, what: str) -> None:
    if count != wanted:
        raise RuntimeError(f"{count} {what}")
