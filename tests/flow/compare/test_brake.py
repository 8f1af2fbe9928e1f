"""What comparing would change in bulk is not written before an operator has seen it; and it can be seen beforehand."""

from dataclasses import replace

from app.store import lanes
from app.sync.model import Kind, Lane, Side
from tests.flow.calendar import booked, books, compares, deletes, forgets
from tests.flow.clinic import CONFIRM_AFTER
from tests.flow.many import MANY, blank_phones, registers_many
from workers.compare.preview import preview
from workers.compare.reconcile import compare_when_due

PATIENTS, VISITS = Kind.PATIENT, Kind.APPOINTMENT


def phones(clinic):
    return sum(bool(contact["MobilePhone"]) for contact in clinic.contacts())


async def unheard(_found):
    """Nobody listens."""


async def reasons(clinic):
    return {one.lane: one.reason for one in await lanes.lane_states(clinic.runtime.database) if one.is_paused}


async def test_a_mapping_that_blanks_every_phone_waits_for_a_word(clinic, tmp_path):
    await registers_many(clinic)
    right, clinic.runtime = clinic.runtime, blank_phones(clinic, tmp_path)

    await compares(clinic, PATIENTS)

    assert clinic.writes() == []
    assert phones(clinic) == MANY
    (why,) = (await reasons(clinic)).values()
    assert "cell_phone would be emptied on 101 records of Salesforce" in why
    assert len(await clinic.unfinished()) == MANY, "nothing is forgotten"

    clinic.runtime = right  # the mapping is put right, and the lane resumed
    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], None)
    await clinic.settles()

    assert clinic.writes() == []
    assert phones(clinic) == MANY


async def test_after_a_word_it_is_written(clinic, tmp_path):
    await registers_many(clinic)
    clinic.runtime = blank_phones(clinic, tmp_path)
    await compares(clinic, PATIENTS)

    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], None)
    await clinic.settles()
    await clinic.time_passes(CONFIRM_AFTER * 2)  # the stamps have not moved, so DrChrono is asked about each
    await clinic.settles()

    assert phones(clinic) == 0
    assert await clinic.unfinished() == []


async def test_the_plan_tells_beforehand_and_writes_nothing(clinic, tmp_path):
    await registers_many(clinic)
    await clinic.registers(first_name="Somebody", last_name="New")
    run = blank_phones(clinic, tmp_path)
    before = await clinic.links()

    found = await preview(run, PATIENTS, None, Lane.BACKFILL, unheard)

    place = (Side.SALESFORCE, "cell_phone")
    assert (found.prospect.records, found.prospect.blanks[place], found.counts.created[Side.SALESFORCE]) == (
        MANY,
        MANY,
        1,
    )
    assert "emptied" in found.stops
    assert {(one.before, one.after) for one in found.samples[place]} == {("(•••) •••-•…", "(empty)")}
    assert clinic.writes() == []
    assert await clinic.links() == before
    assert await reasons(clinic) == {}


async def test_more_deletions_than_a_handful_wait(clinic):
    visits = await has_visits(clinic, 3)
    clinic.runtime = replace(clinic.runtime, settings=clinic.runtime.settings.model_copy(update={"brake_deletes": 2}))
    for visit in visits:
        deletes(clinic, visit)

    await compares(clinic, VISITS, since=None)

    assert clinic.writes() == []
    assert (
        "3 would be deleted or cancelled, or are not there any more (BRAKE_DELETES is 2)"
        in (await reasons(clinic))["compare"]
    )


async def test_a_handful_of_deletions_passes(clinic):
    (visit,) = await has_visits(clinic, 1)
    deletes(clinic, visit)

    await compares(clinic, VISITS, since=None)
    await clinic.time_passes(CONFIRM_AFTER * 2)
    await clinic.settles()

    assert booked(clinic)["Deleted__c"] is True
    assert await reasons(clinic) == {}


async def test_charts_that_a_list_does_not_show_any_more_are_not_asked_for_one_by_one(clinic):
    """As when a doctor's charts are no longer shared with the account: DrChrono would say of each that it is gone."""
    clinic.runtime = replace(clinic.runtime, settings=clinic.runtime.settings.model_copy(update={"brake_deletes": 2}))
    patients = [await clinic.registers(first_name=name) for name in ("Ada", "Ben", "Cleo")]
    await compares(clinic, PATIENTS)
    for patient in patients:
        clinic.drchrono.delete(f"/_control/patients/{patient['id']}?silent=true").raise_for_status()
    clinic.drchrono.delete("/_control/calls")

    await compares(clinic, PATIENTS)

    assert "3 would be deleted or cancelled, or are not there any more" in (await reasons(clinic))["compare"]
    assert clinic.calls("drchrono", "GET /api/patients/") == 0
    assert await clinic.failures() == []


async def has_visits(clinic, count):
    patient = await clinic.has_linked()
    visits = [await books(clinic, patient, scheduled_time=f"2026-12-01T{9 + n:02}:00:00") for n in range(count)]
    await compares(clinic, VISITS)
    forgets(clinic)
    return visits


async def test_a_first_load_of_any_size_is_no_matter_for_the_brake(clinic):
    await registers_many(clinic)

    assert len(clinic.contacts()) == MANY
    assert await reasons(clinic) == {}


async def test_a_live_edit_passes_while_the_rest_is_held_back(clinic):
    patient = await clinic.has_linked()
    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], "the brake")

    await clinic.arrives(await clinic.edits(patient, city="Springfield"))

    assert clinic.contact()["MailingCity"] == "Springfield"


async def test_while_the_lane_is_paused_nothing_is_compared_anew(clinic):
    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], "the brake")

    await compare_when_due(clinic.runtime, None, lambda _kinds: None)

    assert clinic.calls("drchrono", "GET") == 0
