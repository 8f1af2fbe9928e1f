"""Who is synced at all: what the mapping leaves out stays as it is on both sides, and comes back by itself."""

from dataclasses import replace
from importlib import resources

import pytest

from app.sync.model import Kind, Lane, Side
from tests.flow.calendar import (
    VISITS,
    books,
    compares,
    deletes,
    enters,
    forgets,
    has_visit,
    in_drchrono,
    moves,
    records,
    tells,
    visit_of,
)
from tests.flow.checked import changed
from tests.flow.clinic import OPERATOR
from workers.compare.preview import preview

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
ONLY_ACTIVE = 'include = [{ drchrono = "patient_status", is = ["A"] }, { salesforce = "Is_Test__c", is = [false] }]'
BEARER = {"authorization": f"Bearer {OPERATOR}"}


@pytest.fixture(scope="session")
def ours(tmp_path_factory):
    """A mapping that syncs active patients alone, and no Contact that is marked as a test."""
    shipped = (resources.files("app.sync.mappings") / "default.toml").read_text()
    path = tmp_path_factory.mktemp("include") / "ours.toml"
    path.write_text(shipped.replace("[patient]\n", f"[patient]\n{ONLY_ACTIVE}\n", 1))
    return path


@pytest.fixture
def known(known, ours, empty_vendors):
    marks = {"name": "Is_Test__c", "kind": "boolean"}
    empty_vendors.salesforce.post("/_control/objects/Contact/fields", json=marks).raise_for_status()
    return changed(known, mapping_file=ours)


async def state(clinic, side, kind, record_id):
    """How a record stands, and what leaves it out."""
    found = (await clinic.web.get(f"/api/v1/records/{side}/{kind}/{record_id}", headers=BEARER)).json()
    return found["state"], found["excluded_by"]


async def of(clinic, patient):
    return await state(clinic, "drchrono", "patient", patient["id"])


async def queue(clinic):
    return (await clinic.web.get("/api/v1/queue", headers=BEARER)).json()


async def leaves(clinic, **status):
    """A patient is linked, and leaves the set."""
    patient = await clinic.has_linked()
    await clinic.arrives(await clinic.edits(patient, patient_status="I"))
    forgets(clinic)
    return patient


async def test_a_chart_that_is_left_out_makes_no_contact_and_no_failure_and_comes_in_with_what_it_holds_then(clinic):
    demo = await clinic.registers(first_name="Dana", last_name="Demo", patient_status="I")
    await clinic.arrives(demo, event="PATIENT_CREATE")
    left = (clinic.contacts(), await clinic.failures(), clinic.calls("drchrono", "GET"), await of(clinic, demo))
    counted = await queue(clinic)
    metrics = (await clinic.web.get("/metrics")).text
    page = (await clinic.web.get(f"/records/drchrono/patient/{demo['id']}", headers=BEARER)).text

    await clinic.arrives(await clinic.edits(demo, patient_status="A"))

    assert left == ([], [], 0, ("excluded", ["drchrono"]))
    assert (counted["excluded"], counted["counted"]["skipped_excluded"]) == (1, 1)
    assert "by what DrChrono holds of it" in page
    assert 'chronobridge_excluded_records{kind="patient"} 1' in metrics
    assert 'chronobridge_records_skipped_total{cause="excluded"} 1' in metrics
    assert (clinic.contact()["LastName"], await of(clinic, demo)) == ("Demo", ("in_step", []))


async def test_a_pair_that_leaves_is_written_on_neither_side_and_is_merged_against_its_base_when_it_is_back(clinic):
    patient = await leaves(clinic)
    await clinic.arrives(await clinic.edits(patient, first_name="Nova", cell_phone="(555) 010-0111"))
    clinic.human_edits_contact(Email="new@example.com", MobilePhone="(555) 010-0222")
    await clinic.hears()
    await clinic.settles()
    while_out = (clinic.writes(), clinic.calls("drchrono", ""), await of(clinic, patient), await clinic.failures())

    await clinic.arrives(await clinic.edits(patient, patient_status="A"))
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    chart, contact = clinic.chart(patient), clinic.contact()
    assert while_out == ([], 0, ("excluded", ["drchrono"]), [])
    assert (chart["email"], contact["FirstName"]) == ("new@example.com", "Nova")
    assert chart["cell_phone"] == contact["MobilePhone"] == "(555) 010-0222", "both changed it: its owner decides"
    assert (await of(clinic, patient), await clinic.failures()) == (("in_step", []), [])


async def test_a_stale_body_brings_nobody_back(clinic):
    patient = await clinic.has_linked()
    before = clinic.chart(patient)
    await clinic.arrives(await clinic.edits(patient, patient_status="I"))

    await clinic.arrives(before)
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert await of(clinic, patient) == ("excluded", ["drchrono"])


async def test_a_contact_that_is_left_out_makes_no_chart_until_it_is_in(clinic):
    id_ = clinic.human_ticks_contact(Is_Test__c=True)
    await clinic.hears_of(id_)
    await clinic.settles()
    left = (clinic.charts(), await clinic.failures(), await state(clinic, "salesforce", "patient", id_))

    clinic.human_edits_contact(Is_Test__c=False)
    await clinic.hears_of(id_)
    await clinic.settles()

    assert left == ([], [], ("excluded", ["salesforce"]))
    assert len(clinic.charts()) == 1


async def test_what_drchrono_said_while_salesforce_left_a_patient_out_is_asked_for_when_it_is_back(clinic):
    patient = await clinic.has_linked()
    clinic.human_edits_contact(Is_Test__c=True)
    await clinic.hears()
    await clinic.settles()
    await clinic.arrives(await clinic.edits(patient, first_name="Nova"))
    left = (clinic.contact()["FirstName"] == "Nova", await of(clinic, patient))

    clinic.human_edits_contact(Is_Test__c=False)
    await clinic.hears()
    await clinic.settles()

    assert left == (False, ("excluded", ["salesforce"]))
    assert (clinic.contact()["FirstName"], await of(clinic, patient)) == ("Nova", ("in_step", []))


async def test_a_visit_of_a_patient_that_is_left_out_waits_for_nobody_and_is_booked_when_the_patient_is_back(clinic):
    demo = await clinic.registers(first_name="Dana", last_name="Demo", patient_status="I")
    visit = await books(clinic, demo)
    await clinic.arrives(visit, event="APPOINTMENT_CREATE")
    left = (records(clinic, VISITS), clinic.contacts(), await clinic.failures())
    stands = await state(clinic, "drchrono", "appointment", visit["id"])

    await clinic.arrives(await clinic.edits(demo, patient_status="A"))

    assert left == ([], [], [])
    assert stands == ("excluded", ["parent"])
    assert [one["Patient__c"] for one in records(clinic, VISITS)] == [clinic.contact()["Id"]]
    assert await clinic.failures() == []


async def test_a_linked_visit_of_a_patient_that_left_is_written_on_neither_side_until_the_patient_is_back(clinic):
    visit = await has_visit(clinic)
    patient = clinic.charts()[0]
    await clinic.arrives(await clinic.edits(patient, patient_status="I"))
    forgets(clinic)
    await clinic.arrives(await moves(clinic, visit, duration=45), event="APPOINTMENT_MODIFY")
    there = records(clinic, VISITS)[0]
    clinic.salesforce.patch(f"/_control/records/{VISITS}/{there['Id']}", json={"Reason__c": "Moved"})
    await tells(clinic, Kind.APPOINTMENT, there["Id"])
    while_out = (clinic.writes(), clinic.calls("drchrono", "PATCH"), await clinic.failures())

    await clinic.arrives(await clinic.edits(patient, patient_status="A"))

    assert while_out == ([], 0, [])
    assert records(clinic, VISITS)[0]["Duration_Minutes__c"] == 45
    assert (visit_of(clinic, visit)["reason"], await clinic.failures()) == ("Moved", [])


@pytest.mark.parametrize("is_ticked", [True, False])
async def test_a_visit_entered_for_a_contact_that_is_left_out_is_left_out_as_well(clinic, is_ticked):
    id_ = clinic.human_ticks_contact(Is_Test__c=True, Sync_To_DrChrono__c=is_ticked)
    visit = enters(clinic, Patient__c=id_)
    await compares(clinic, Kind.APPOINTMENT, Kind.PATIENT)
    left = (in_drchrono(clinic), clinic.charts(), await clinic.failures())
    stands = await state(clinic, "salesforce", "appointment", visit)

    clinic.human_edits_contact(Is_Test__c=False, Sync_To_DrChrono__c=True)
    await clinic.hears_of(id_)
    await clinic.settles()

    assert (left, stands) == (([], [], []), ("excluded", ["parent"]))
    assert (len(clinic.charts()), len(in_drchrono(clinic)), await clinic.failures()) == (1, 1, [])


async def test_comparing_looks_at_nobody_who_is_left_out_and_finds_who_left_or_came_back_untold(clinic):
    stays, goes = await clinic.has_linked(first_name="Ada"), await clinic.has_linked(first_name="Ben")
    await clinic.registers(first_name="Dana", last_name="Demo", patient_status="I")
    await clinic.edits(goes, patient_status="I")
    await compares(clinic, Kind.PATIENT)
    gone = await of(clinic, goes)
    await clinic.edits(goes, first_name="Nova")
    await compares(clinic, Kind.PATIENT)
    names = [one["FirstName"] for one in clinic.contacts()]
    await clinic.edits(goes, patient_status="A")
    await compares(clinic, Kind.PATIENT)
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert (gone, sorted(names)) == (("excluded", ["drchrono"]), ["Ada", "Ben"])
    assert sorted(one["FirstName"] for one in clinic.contacts()) == ["Ada", "Nova"]
    assert (await of(clinic, stays), await of(clinic, goes)) == (("in_step", []), ("in_step", []))


async def test_visits_deleted_while_their_patient_is_left_out_are_not_marked_and_pull_no_brake(clinic):
    patient = await clinic.has_linked()
    visits = [await books(clinic, patient, scheduled_time=f"2026-12-01T{hour}:00:00") for hour in ("10", "11")]
    await compares(clinic, Kind.APPOINTMENT)
    await clinic.arrives(await clinic.edits(patient, patient_status="I"))
    settings = clinic.runtime.settings.model_copy(update={"brake_deletes": 1})
    clinic.runtime = replace(clinic.runtime, settings=settings)
    for visit in visits:
        deletes(clinic, visit)

    await compares(clinic, Kind.APPOINTMENT, since=None)
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert [one["Deleted__c"] for one in records(clinic, VISITS)] == [False, False]
    assert [one["lane"] for one in (await queue(clinic))["lanes"] if one["paused"]] == []
    assert await state(clinic, "drchrono", "appointment", visits[0]["id"]) == ("excluded", ["parent"])
    assert await clinic.failures() == []


async def test_a_contact_deleted_while_it_is_left_out_holds_nobody_up_and_is_told_when_it_is_back(clinic):
    patient = await leaves(clinic)
    clinic.salesforce.delete(f"/_control/records/Contact/{clinic.contact()['Id']}").raise_for_status()
    await compares(clinic, Kind.PATIENT)
    left = (await clinic.failures(), clinic.calls("drchrono", "PATCH"), await of(clinic, patient))

    await clinic.arrives(await clinic.edits(patient, patient_status="A"))

    assert left == ([], 0, ("excluded", ["drchrono"]))
    assert await clinic.failures() == [("salesforce", "gone_in_salesforce", "")]


async def test_a_preview_counts_what_is_left_out_as_excluded_and_as_nothing_else(clinic):
    await leaves(clinic)
    await clinic.registers(first_name="Dana", patient_status="I")
    await clinic.registers(first_name="Ada")
    clinic.human_ticks_contact(FirstName="Tim", Is_Test__c=True)

    async def unheard(_found):
        """Nobody listens."""

    counts = (await preview(clinic.runtime, Kind.PATIENT, None, Lane.BACKFILL, unheard)).counts

    assert (counts.excluded, counts.left_out, counts.linked, counts.matched) == (3, 0, 1, 0)
    assert (dict(counts.created), dict(counts.decide), dict(counts.unfit)) == ({Side.SALESFORCE: 1}, {}, {})
