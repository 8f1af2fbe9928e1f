"""A burst of edits in Salesforce: few reads, one PATCH each, never too many at once; and no value in any log line."""

from app.sync.model import Lane
from app.timings import REAL
from tests.flow.clinic import DRCHRONO_LIMIT

SLOW_S = 0.3


async def many_linked(clinic, count):
    """A practice of this many patients, all linked, and nothing counted of how that came."""
    ids = clinic.drchrono.post("/_control/patients/bulk", json={"count": count, "silent": True}).json()["ids"]
    charts = clinic.drchrono.get("/_control/patients").json()["patients"]
    for id_ in ids:
        await clinic.delivers(charts[str(id_)], event="PATIENT_CREATE")
    await clinic.settles()
    for side in (clinic.drchrono, clinic.salesforce):
        side.delete("/_control/calls")
    return ids


def everybody_moves(clinic):
    for contact in clinic.contacts():
        clinic.human_edits_contact(contact["Id"], MailingCity="Newtown")


async def test_a_burst_costs_one_read_of_salesforce_and_one_patch_each_and_asks_drchrono_nothing(clinic):
    ids = await many_linked(clinic, 200)
    everybody_moves(clinic)

    await clinic.hears()
    passes = await clinic.settles()

    charts = clinic.drchrono.get("/_control/patients").json()["patients"]
    assert {charts[str(id_)]["city"] for id_ in ids} == {"Newtown"}
    assert (passes, clinic.calls("drchrono", "PATCH"), clinic.calls("drchrono", "GET")) == (1, 200, 0)
    assert clinic.calls("salesforce", "") == 1
    assert await clinic.unfinished() == []


async def test_never_more_than_four_patches_are_under_way_at_once(clinic):
    await many_linked(clinic, 24)
    everybody_moves(clinic)
    clinic.breaks("drchrono", "PATCH /api/patients", "slow", delay_s=SLOW_S, next=None)

    await clinic.hears()
    await clinic.settles()

    begun = sorted(call["at"] for call in clinic.drchrono.get("/_control/calls").json()["calls"])
    assert len(begun) == 24
    assert all(fifth - first >= SLOW_S for first, fifth in zip(begun, begun[4:], strict=False))


async def test_one_patient_drchrono_refuses_holds_up_no_other(clinic):
    await many_linked(clinic, 12)
    everybody_moves(clinic)
    clinic.breaks("drchrono", "PATCH /api/patients", "error", status=400, body=["no"])

    await clinic.hears()
    await clinic.settles()

    cities = [chart["city"] for chart in clinic.drchrono.get("/_control/patients").json()["patients"].values()]
    assert cities.count("Newtown") == 11
    assert await clinic.failures() == [("drchrono", "HTTP_400", "")]


async def test_dying_in_the_middle_of_a_burst_loses_nothing(clinic):
    await many_linked(clinic, 24)
    everybody_moves(clinic)
    clinic.breaks("drchrono", "PATCH /api/patients", "slow", delay_s=SLOW_S, next=None)
    await clinic.hears()
    await clinic.dies_when(await clinic.takes(), lambda: clinic.calls("drchrono", "PATCH"))
    clinic.drchrono.delete("/_control/faults")

    for _ in range(3):
        await clinic.time_passes(2 * REAL.lease)
        await clinic.settles()
    await clinic.time_passes(DRCHRONO_LIMIT)
    await clinic.settles()

    charts = clinic.drchrono.get("/_control/patients").json()["patients"].values()
    assert {chart["city"] for chart in charts} == {"Newtown"}
    assert {row.state for row in await clinic.journal("drchrono")} <= {"confirmed", "refused"}
    assert await clinic.unfinished() == []


async def test_a_patient_named_canary_is_in_no_line_of_the_log_on_the_way_back(clinic, capsys):
    patient = await clinic.has_linked(first_name="Canary", last_name="Canarysson", city="Canaryville")
    complaint = {"city": ['"Canary Wharf" is not a valid choice.'], "email": ["canary@canary.example is not valid."]}
    clinic.breaks("drchrono", "PATCH /api/patients", "error", status=400, body=complaint)
    clinic.breaks("drchrono", "PATCH /api/patients", "error", status=400, body="<html>Canarysson</html>")
    clinic.breaks("drchrono", "PATCH /api/patients", "error", status=503, body="Canarysson is away")
    clinic.breaks("drchrono", "PATCH /api/patients", "error", status=400, body=["Canarysson"])
    clinic.breaks("drchrono", "PATCH /api/patients", "drop_after_commit")
    clinic.breaks("drchrono", "GET /api/patients", "error", status=403, body="<html>Canary</html>")
    for number in range(5):
        clinic.human_edits_contact(
            MailingCity=f"Canary Wharf {number}",
            Email=f"canary{number}@canary.example",
            HomePhone=f"555-010-246{number}",
        )
        await clinic.hears()
        await clinic.settles()
        await clinic.time_passes(DRCHRONO_LIMIT)
        await clinic.settles()
    body = {**clinic.chart(patient), "first_name": "Canarina", "updated_at": "2099-01-01T00:00:00"}
    clinic.human_edits_contact(FirstName="Canarino")
    await clinic.delivers(body)
    await clinic.hears()
    await clinic.settles()

    said = capsys.readouterr()
    for word in ("Canar", "canar", "555-010-246", "Wharf"):
        assert word not in said.out + said.err
    assert "patched=['" in said.out, "it was a log that says what it did"


async def test_a_paused_retry_lane_is_not_left_by_an_edit_that_waits_in_it(clinic):
    patient = await clinic.has_linked()
    clinic.breaks("drchrono", "PATCH /api/patients", "throttle")
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()

    await clinic.settles()

    assert (await clinic.link(patient)).lane == Lane.RETRY
