"""The preview of a first load tells the truth, writes nothing at a vendor, and keeps numbers alone."""

import json
from contextlib import redirect_stdout
from io import StringIO

import pytest

from app.cli.dry_run import compare_or_preview
from app.operations.backfill import states
from app.operations.failures import Group, dismiss
from app.ports import By
from app.sync.failure_causes import GONE_IN_DRCHRONO, IS_TAKEN, MISSING
from app.sync.model import Kind, Lane, Side
from tests.flow.calendar import books, compares, forgets, points_out
from tests.flow.clinic import SEARCH_GAP
from workers.compare.listing import EVER
from workers.compare.preview import preview

PATIENTS = Kind.PATIENT
SAMPLE = {"last_name": "Sample", "gender": "Female"}


async def unheard(_found):
    """Nobody listens."""


async def counts(clinic, kind=PATIENTS):
    """What the preview of a first load counts; made beside it that nothing was written at a vendor."""
    forgets(clinic)
    found = await preview(clinic.runtime, kind, None, Lane.BACKFILL, unheard)
    assert clinic.writes() == []
    assert clinic.calls("drchrono", "PATCH") == clinic.calls("drchrono", "POST /api/patients") - clinic.calls(
        "drchrono", "POST /api/patients_list"
    )
    return found.counts


def told(counts):
    return counts.linked, counts.matched, dict(counts.created), dict(counts.decide), dict(counts.unfit)


async def came_to(clinic):
    """What the first load itself comes to."""
    before = {one["Id"] for one in clinic.contacts()}, len(clinic.charts())
    await points_out(clinic, PATIENTS, since=EVER, lane=Lane.BACKFILL)
    await clinic.settles()
    made = {Side.SALESFORCE: len({one["Id"] for one in clinic.contacts()} - before[0])}
    return made | {Side.DRCHRONO: len(clinic.charts()) - before[1]}


async def test_each_record_is_counted_once_as_what_a_first_load_makes_of_it(clinic):
    ada = await clinic.has_linked(first_name="Ada")
    born = {"date_of_birth": "1990-02-03", **SAMPLE}
    for name in ("Met", "Named", "Twice", "Alone"):
        chart = await clinic.registers(first_name=name, **born)
        if name == "Named":
            clinic.human_enters_contact(FirstName="Other", DrChrono_Patient_Id__c=str(chart["id"]))
        for _ in range({"Met": 1, "Twice": 2}.get(name, 0)):
            clinic.human_enters_contact(FirstName=name, LastName="Sample", Birthdate="1990-02-03")
    clinic.human_ticks_contact(FirstName="New")
    clinic.human_ticks_contact(FirstName="Lacks", DrChrono_Gender__c=None)
    again = next(one for one in clinic.contacts() if one["DrChrono_Patient_Id__c"] == str(ada["id"]))
    clinic.human_ticks_contact(**{name: again[name] for name in ("FirstName", "LastName", "Birthdate")})

    found = await counts(clinic)

    assert told(found) == (
        1,
        2,
        {Side.SALESFORCE: 1, Side.DRCHRONO: 1},
        {"several_contacts": 1, IS_TAKEN: 1},
        {MISSING: 1},
    )
    assert (found.there[Side.DRCHRONO], found.there[Side.SALESFORCE]) == (5, len(clinic.contacts()))
    assert await came_to(clinic) == dict(found.created)
    assert sorted(cause for _, cause, _ in await clinic.failures()) == sorted({**found.decide, **found.unfit})


async def test_a_linked_record_that_failed_or_is_held_is_counted_as_that(clinic):
    failed, held, _well = [await clinic.has_linked(first_name=name) for name in ("Failed", "Held", "Well")]
    rule = {"object": "Contact", "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["MobilePhone"]}
    rule |= {"external_id": str(failed["id"]), "next": 100}
    clinic.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
    await clinic.arrives(await clinic.edits(failed, cell_phone="(555) 010-0000"))
    clinic.drchrono.delete(f"/_control/patients/{held['id']}?silent=true").raise_for_status()
    await compares(clinic, PATIENTS)
    await clinic.time_passes(SEARCH_GAP)
    await clinic.settles()

    found = await counts(clinic)

    assert told(found) == (3, 0, {}, {}, {})
    assert (dict(found.failed), dict(found.held)) == ({"FIELD_CUSTOM_VALIDATION_EXCEPTION": 1}, {GONE_IN_DRCHRONO: 1})


async def test_what_still_fails_or_was_dismissed_is_no_news_and_the_real_run_writes_what_was_counted(clinic):
    names = ("Failed", "Dismissed")
    linked = {name: await clinic.has_linked(first_name=name) for name in names}
    rule = {"object": "Contact", "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "next": 1000}
    phone = {**rule, "fields": ["MobilePhone"], "match": {"field": "MobilePhone", "equals": "(555) 010-0000"}}
    clinic.salesforce.post("/_control/record-faults", json=phone).raise_for_status()
    for patient in linked.values():
        await clinic.arrives(await clinic.edits(patient, cell_phone="(555) 010-0000"))
    unwanted = {**rule, "match": {"field": "LastName", "equals": "Unwanted"}}
    clinic.salesforce.post("/_control/record-faults", json=unwanted).raise_for_status()
    for name in names:
        linked[f"Lone {name}"] = new = await clinic.registers(first_name=name, last_name="Unwanted")
        await clinic.arrives(new, event="PATIENT_CREATE")
    ids = [(await clinic.link(linked[name])).id for name in ("Dismissed", "Lone Dismissed")]
    await dismiss(clinic.runtime, Group(ids=frozenset(ids)), None, By("operator", "test"), "it may stay")
    await clinic.edits(linked["Failed"], zip_code="99999")

    dry = await preview(clinic.runtime, PATIENTS, None, Lane.BACKFILL, unheard)
    forgets(clinic)
    made = await came_to(clinic)

    assert told(dry.counts) == (2, 0, {}, {}, {})
    assert (sum(dry.counts.failed.values()), dry.counts.dismissed) == (2, 2)
    assert (dry.prospect.records, dict(dry.prospect.fields)) == (1, {(Side.SALESFORCE, "zip_code"): 1})
    assert (made, clinic.writes()) == ({Side.SALESFORCE: 0, Side.DRCHRONO: 0}, ["updated"])
    assert {one["FirstName"]: one["MailingPostalCode"] for one in clinic.contacts()}["Failed"] == "99999"


async def test_a_contact_that_names_a_chart_nobody_shows_needs_a_decision(clinic):
    clinic.human_enters_contact(FirstName="Lost", DrChrono_Patient_Id__c="999999")

    assert dict((await counts(clinic)).decide) == {GONE_IN_DRCHRONO: 1}


async def test_a_contact_and_a_chart_of_one_person_are_one_match_whoever_of_them_asks(clinic):
    await clinic.registers(first_name="Tess", date_of_birth="1990-02-03", **SAMPLE)
    clinic.human_ticks_contact()

    found = await counts(clinic)

    assert told(found) == (0, 1, {}, {}, {})
    assert await came_to(clinic) == {Side.SALESFORCE: 0, Side.DRCHRONO: 0}


async def test_breaks_and_deleted_visits_are_left_out_of_what_there_is(clinic):
    patient = await clinic.has_linked()
    await books(clinic, patient)
    pause = {"doctor": 310001, "office": 410001, "scheduled_time": "2026-12-03T09:00:00", "duration": 60}
    clinic.drchrono.post("/_control/breaks?silent=true", json=pause).raise_for_status()

    found = await counts(clinic, Kind.APPOINTMENT)

    assert (found.there[Side.DRCHRONO], found.left_out, dict(found.created)) == (1, 1, {Side.SALESFORCE: 1})


# a command of its own asks for DrChrono's whole list, which is looked for after ten seconds
@pytest.mark.parametrize("since_ever", [pytest.param(True, marks=pytest.mark.long), False])
async def test_a_script_reads_the_numbers_and_those_of_all_there_is_are_kept(clinic, since_ever):
    await clinic.registers(first_name="Canary", last_name="Canary")
    out = StringIO()

    with redirect_stdout(out):
        await compare_or_preview(clinic.runtime.settings, PATIENTS, since_ever=since_ever, dry_run=True, as_json=True)

    (said,) = json.loads(out.getvalue()[out.getvalue().index("{\n") :])["kinds"]
    assert (said["kind"], said["would_create"]) == ("patient", {"drchrono": 0, "salesforce": 1})
    kept = next(one for one in await states(clinic.runtime) if one.kind is PATIENTS).counts
    assert bool(kept) is since_ever
    assert "Canary" not in out.getvalue() + str(kept)
