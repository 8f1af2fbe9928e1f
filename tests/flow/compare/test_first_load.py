"""What was there before both sides were connected stays as it is until a person has it loaded, by kind."""

import pytest

from app.store import backfills
from app.sync.model import Kind, Lane
from tests.flow.calendar import a_second_passes, books, points_out, records
from workers.compare.listing import EVER
from workers.compare.reconcile import backfill_when_asked

PATIENTS, VISITS = Kind.PATIENT, Kind.APPOINTMENT
LONG_S = 400 * 86_400


@pytest.fixture
async def new(clinic):
    """A clinic that has just been connected: Ada with a visit, and a ticked Contact, were there before."""
    clinic.ada = await clinic.registers(first_name="Ada")
    clinic.visit = await books(clinic, clinic.ada)
    clinic.ticked = clinic.human_ticks_contact()
    await clinic.was_never_loaded()
    await compares(clinic)
    a_second_passes(clinic)
    return clinic


async def compares(clinic, since=None):
    """A worker compares both kinds as it does every so often, and settles it."""
    await points_out(clinic, PATIENTS, VISITS, since=since)
    await clinic.settles()


async def loads(clinic, *kinds):
    """Somebody says go."""
    await points_out(clinic, *kinds, since=EVER, lane=Lane.BACKFILL)
    await clinic.settles()


def names(clinic):
    return sorted(contact["FirstName"] for contact in clinic.contacts())


@pytest.mark.parametrize("since", [None, EVER], ids=["hourly", "after a long outage"])
async def test_a_comparison_leaves_alone_what_was_there_before(new, since):
    await compares(new, since=since)

    assert names(new) == ["Tess"]
    assert [chart["first_name"] for chart in new.charts()] == ["Ada"]
    assert (await new.links(), await new.links(VISITS), await new.unfinished()) == ([], [], [])


async def test_what_comes_after_that_moment_is_found_by_comparing(new):
    await new.registers(first_name="Ben")
    new.human_ticks_contact(FirstName="Zoe", Birthdate="1991-01-01")

    await compares(new)

    assert names(new) == ["Ben", "Tess", "Zoe"]
    assert sorted(chart["first_name"] for chart in new.charts()) == ["Ada", "Ben", "Zoe"]


async def test_a_worker_notes_the_moment_at_once_and_waits_for_no_comparison(clinic):
    await clinic.registers(first_name="Before")
    await clinic.was_never_loaded()
    await backfill_when_asked(clinic.runtime, None, lambda _kinds: None)
    a_second_passes(clinic)
    await clinic.registers(first_name="After")

    await compares(clinic)

    assert names(clinic) == ["After"]


async def test_an_event_about_a_record_is_a_reason_for_that_record_and_for_what_it_needs(new):
    new.visit = new.drchrono.patch(
        f"/_control/appointments/{new.visit['id']}?silent=true", json={"duration": 45}
    ).json()

    await new.arrives(new.visit, event="APPOINTMENT_MODIFY")

    assert names(new) == ["Ada", "Tess"]
    assert len(records(new, "DrChrono_Appointment__c")) == 1


async def test_what_an_event_has_brought_is_compared_like_anything(new):
    await new.arrives(new.ada)
    new.human_edits_contact(
        next(one["Id"] for one in new.contacts() if one["FirstName"] == "Ada"), Email="new@example.com"
    )

    await compares(new)

    assert new.chart(new.ada)["email"] == "new@example.com"


async def test_a_person_loads_one_kind_and_then_the_other(new):
    await loads(new, PATIENTS)
    after_patients = (names(new), len(new.charts()), records(new, "DrChrono_Appointment__c"))

    await loads(new, VISITS)

    assert after_patients == (["Ada", "Tess"], 2, [])
    assert len(records(new, "DrChrono_Appointment__c")) == 1
    assert {kind for kind, one in (await backfills.read(new.runtime.database)).items() if one.is_loaded} == {
        *new.runtime.mappings
    } - {
        Kind.DOCTOR,
        Kind.OFFICE,
    }


async def test_once_loaded_a_kind_is_compared_whole(new):
    await loads(new, PATIENTS)
    for offset_s, people in ((-LONG_S, ["Old"]), (LONG_S, [])):
        new.drchrono.put("/_control/clock", json={"offset_s": offset_s})
        for name in people:
            await new.registers(first_name=name)

    await compares(new, since=EVER)

    assert "Old" in names(new)
