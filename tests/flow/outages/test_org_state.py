"""An org in maintenance or with full storage takes no writes: nobody is to blame, it is told once, and it passes."""

from datetime import timedelta

import pytest

READ_ONLY = "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"


async def goes_on(clinic, minutes):
    for _ in range(minutes // 10):
        await clinic.settles()
        await clinic.time_passes(timedelta(minutes=10))
    await clinic.settles()


async def health_of_salesforce(clinic):
    await clinic.app.state.health.look()
    part = (await clinic.web.get("/healthz")).json()["parts"]["salesforce"]
    return part["state"], part["advice"]


def settings(clinic, **values):
    clinic.salesforce.put("/_control/settings", json=values).raise_for_status()


async def test_a_read_only_org_costs_no_attempt_is_told_once_and_all_goes_on_when_it_is_over(clinic):
    people = [await clinic.has_linked(first_name=f"P{n}", last_name="Test") for n in range(3)]
    settings(clinic, read_only=True)
    for one in people:
        await clinic.delivers(await clinic.edits(one, city="Springfield"))
    await goes_on(clinic, 30)
    during, told = await clinic.failures(), await health_of_salesforce(clinic)
    waiting = await clinic.link(people[0])

    settings(clinic, read_only=False)
    await goes_on(clinic, 20)

    assert (during, waiting.attempts, waiting.last_error) == ([], 0, READ_ONLY)
    assert told[0] == "degraded"
    assert "maintenance" in told[1]
    assert [one["MailingCity"] for one in clinic.contacts()] == ["Springfield"] * 3
    assert await health_of_salesforce(clinic) == ("ok", None)


async def test_what_waits_goes_on_at_once_when_the_org_takes_anything(clinic):
    waiting, other = [await clinic.has_linked(first_name=f"P{n}", last_name="Test") for n in range(2)]
    settings(clinic, read_only=True)
    await clinic.arrives(await clinic.edits(waiting, city="Springfield"))
    settings(clinic, read_only=False)

    await clinic.arrives(await clinic.edits(other, city="Shelbyville"))

    assert {one["MailingCity"] for one in clinic.contacts()} == {"Springfield", "Shelbyville"}


async def test_full_storage_keeps_new_records_waiting_and_no_edit(clinic):
    known = await clinic.has_linked(first_name="Ada", last_name="Known")
    settings(clinic, storage_full=True)
    await clinic.arrives(await clinic.registers(first_name="Ben", last_name="New"), event="PATIENT_CREATE")

    await clinic.arrives(await clinic.edits(known, city="Springfield"))
    during = [one["MailingCity"] for one in clinic.contacts()], await clinic.failures()
    state, advice = await health_of_salesforce(clinic)
    settings(clinic, storage_full=False)
    await goes_on(clinic, 20)

    assert during == (["Springfield"], [])
    assert state == "degraded"
    assert "free storage" in advice
    assert len(clinic.contacts()) == 2
    assert (await health_of_salesforce(clinic))[0] == "ok"


@pytest.mark.parametrize("status", [400, 500])
async def test_an_org_that_refuses_the_whole_call_for_its_state_costs_no_attempt(clinic, status):
    known = await clinic.has_linked(first_name="Ada", last_name="Known")
    body = [{"errorCode": READ_ONLY, "message": "Updates can't be made during maintenance."}]
    path = "PATCH /services/data/v67.0/composite/sobjects"
    clinic.breaks("salesforce", path, "error", next=None, status=status, body=body)
    await clinic.delivers(await clinic.edits(known, city="Springfield"))

    await goes_on(clinic, 30)
    waiting = await clinic.link(known)
    told = await health_of_salesforce(clinic)
    clinic.salesforce.delete("/_control/faults")
    await goes_on(clinic, 20)

    assert (waiting.attempts, waiting.last_error, told[0]) == (0, READ_ONLY, "degraded")
    assert await clinic.failures() == []
    assert clinic.contact()["MailingCity"] == "Springfield"


async def test_a_record_that_names_an_orgs_state_beside_others_that_are_taken_is_refused_for_itself(clinic):
    odd = {"object": "Contact", "match": {"field": "LastName", "equals": "Odd"}, "next": 20}
    words = "acme.ContactTrigger: execution of AfterInsert caused by: first error: STORAGE_LIMIT_EXCEEDED"
    refused = {"statusCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": words}
    clinic.salesforce.post("/_control/record-faults", json=odd | refused).raise_for_status()
    for name in ("Well", "Odd"):
        await clinic.delivers(await clinic.registers(first_name="Pat", last_name=name), event="PATIENT_CREATE")
    await clinic.settles()

    (waiting,) = [one for one in await clinic.links() if one.salesforce_id is None]
    assert (waiting.attempts, waiting.last_error) == (1, "STORAGE_LIMIT_EXCEEDED")
    assert (await health_of_salesforce(clinic))[0] == "ok"
