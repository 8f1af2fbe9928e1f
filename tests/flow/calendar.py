"""What stories about visits, doctors and offices are told with, beside the clinic's own words."""

import json

from app.runtime import open_inbox
from app.store.links import mark_due as due_again
from app.sync.model import Lane, Side
from tests.flow.clinic import SECRET
from workers.compare.reconcile import EVER, compare
from workers.compare.scan import no_progress

DOCTOR, OFFICE = 310001, 410001
WEEKLY = {
    "doctor": DOCTOR,
    "office": OFFICE,
    "exam_room": 1,
    "scheduled_time": "2026-12-07T09:00:00",
    "duration": 30,
    "recurring_days": ["Monday"],
    "recurs_every": 1,
    "recur_end_date": "2026-12-31",
}
VISITS = "DrChrono_Appointment__c"
TEN = "2026-12-01T10:30:00"
TEN_UTC = "2026-12-01T15:30:00.000+0000"  # the doctor's zone is US/Eastern


async def books(clinic, patient, **fields):
    """A human books a visit at DrChrono; nothing is delivered yet."""
    given = {"patient": patient["id"], "doctor": DOCTOR, "office": OFFICE, "exam_room": 1, "scheduled_time": TEN}
    return clinic.drchrono.post("/_control/appointments?silent=true", json=given | {"duration": 30} | fields).json()


def enters(clinic, **fields):
    """A human enters a visit in Salesforce; gives its Id."""
    whole = {
        "Patient__c": clinic.contact()["Id"] if "Patient__c" not in fields else None,
        "Doctor__c": records(clinic, "DrChrono_Doctor__c")[0]["Id"],
        "Office__c": records(clinic, "DrChrono_Office__c")[0]["Id"],
        "Exam_Room__c": 1,
        "Start__c": TEN_UTC,
        "Duration_Minutes__c": 30,
        "Reason__c": "Entered in Salesforce",
    }
    given = {name: value for name, value in (whole | fields).items() if value is not None}
    return clinic.salesforce.post(f"/_control/records/{VISITS}", json=given).raise_for_status().json()["Id"]


def books_weekly(clinic, patient):
    """A human books a visit of every week at DrChrono; nothing is delivered yet."""
    made = clinic.drchrono.post("/_control/appointments/series?silent=true", json={**WEEKLY, "patient": patient["id"]})
    return made.raise_for_status().json()


def a_second_passes(clinic):
    """DrChrono's clock moves on, so that its next stamp is another one."""
    clinic.drchrono.put("/_control/clock", json={"offset_s": clinic._tick()})


async def moves(clinic, visit, *, unchecked="false", **fields):
    """A human changes a visit at DrChrono, `unchecked` even to what its API does not take; nothing is delivered yet."""
    a_second_passes(clinic)
    asked = {"silent": "true", "unchecked": unchecked}
    answer = clinic.drchrono.patch(f"/_control/appointments/{visit['id']}", params=asked, json=fields)
    return answer.raise_for_status().json()


def deletes(clinic, visit):
    """A human deletes a visit at DrChrono; nothing is delivered yet."""
    a_second_passes(clinic)
    clinic.drchrono.delete(f"/_control/appointments/{visit['id']}?silent=true").raise_for_status()


def deletes_in_salesforce(clinic, record):
    """A human deletes a visit in Salesforce; nothing tells of it yet."""
    clinic.salesforce.delete(f"/_control/records/{VISITS}/{record['Id']}").raise_for_status()


async def has_visit(clinic, **fields):
    """A patient with a visit, both linked; what it took is not counted."""
    patient = await clinic.has_linked()
    visit = await books(clinic, patient, **fields)
    await clinic.arrives(visit, event="APPOINTMENT_CREATE")
    forgets(clinic)
    return visit


def forgets(clinic):
    """What was called and written up to now is not counted."""
    clinic.drchrono.delete("/_control/calls")
    clinic.salesforce.delete("/_control/writes")


def visit_of(clinic, visit):
    """A visit as DrChrono holds it now."""
    return clinic.drchrono.get("/_control/appointments").json()["appointments"][visit["id"]]


def in_drchrono(clinic):
    """Every visit DrChrono holds now."""
    return list(clinic.drchrono.get("/_control/appointments").json()["appointments"].values())


def records(clinic, kind):
    """What Salesforce holds of an object, the deleted left out."""
    found = clinic.salesforce.get(f"/_control/records/{kind}").json()["records"]
    return [record for record in found if not record.get("IsDeleted")]


def booked(clinic):
    """The only visit Salesforce holds."""
    (found,) = records(clinic, VISITS)
    return found


async def compares(clinic, *kinds, since=EVER):
    """These kinds are compared, and the workers settle it."""
    await points_out(clinic, *kinds, since=since)
    await clinic.settles()


async def points_out(clinic, *kinds, since=EVER, tell=no_progress, lane=Lane.COMPARE):
    """These kinds are compared; no worker has looked at what differs yet."""
    inbox = open_inbox(clinic.runtime, lambda _group: None)
    try:
        for kind in kinds:
            await compare(clinic.runtime, inbox, kind, since, lane, tell)
    finally:
        await inbox.close()


async def tells(clinic, kind, record_id, operation="UPDATE"):
    """Salesforce tells of a record by a platform event, and the workers settle it."""

    async def work(connection):
        await due_again(connection, kind, Side.SALESFORCE, [record_id])

    await clinic.runtime.database.transact(work)
    await clinic.settles()
    return operation


async def forged(clinic, visit, event="APPOINTMENT_MODIFY"):
    """Somebody who knows the secret delivers what DrChrono never said; gives the status."""
    clinic._sent += 1
    headers = {
        "x-drchrono-event": event,
        "x-drchrono-signature": SECRET,
        "x-drchrono-delivery": f"forged{clinic._sent}",
        "content-type": "application/json",
    }
    body = json.dumps({"receiver": {"id": 1}, "object": visit})
    return (await clinic.web.post("/webhooks/drchrono", content=body, headers=headers)).status_code
