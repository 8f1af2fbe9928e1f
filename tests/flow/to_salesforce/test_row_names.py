"""A mapping file may call its rows what it likes: visits are told apart by what DrChrono calls their fields."""

import re
from dataclasses import replace
from importlib import resources

import pytest

from app.sync.model import Kind
from tests.flow.calendar import (
    OFFICE,
    TEN,
    TEN_UTC,
    VISITS,
    booked,
    compares,
    deletes_in_salesforce,
    enters,
    has_visit,
    in_drchrono,
    records,
    tells,
    visit_of,
)
from tests.flow.checked import changed


@pytest.fixture
def known(known, tmp_path):
    """The settings of a clinic with a mapping file of its own; no row in it has DrChrono's name for its field."""
    shipped = (resources.files("app.sync") / "mappings" / "default.toml").read_text()
    renamed = re.sub(r"^fields\.", "fields.our_", shipped, flags=re.MULTILINE)
    (tmp_path / "ours.toml").write_text(re.sub(r'\b(local|zone)( +)= "', r'\1\2= "our_', renamed))
    return changed(known, mapping_file=tmp_path / "ours.toml")


async def test_a_visit_is_read_by_the_clock_of_its_doctor(clinic):
    await has_visit(clinic)

    there = booked(clinic)
    assert (there["Start__c"], there["Local_Start__c"], there["Time_Zone__c"]) == (TEN_UTC, TEN, "US/Eastern")


async def test_a_visit_is_read_by_the_clock_the_settings_name_for_its_office(clinic):
    settings = clinic.runtime.settings.model_copy(update={"office_time_zones": {str(OFFICE): "US/Pacific"}})
    clinic.runtime = replace(clinic.runtime, settings=settings)

    await has_visit(clinic)

    there = booked(clinic)
    assert (there["Start__c"], there["Local_Start__c"]) == ("2026-12-01T18:30:00.000+0000", TEN)
    assert there["Time_Zone__c"] == "US/Pacific"


async def test_a_visit_deleted_in_salesforce_is_cancelled_in_drchrono_and_stays_so(clinic):
    visit = await has_visit(clinic)
    there = booked(clinic)
    deletes_in_salesforce(clinic, there)

    await tells(clinic, Kind.APPOINTMENT, there["Id"], "DELETE")
    await clinic.arrives(visit_of(clinic, visit), event="APPOINTMENT_MODIFY")

    assert visit_of(clinic, visit)["status"] == "Cancelled"
    assert clinic.calls("drchrono", "PATCH /api/appointments") == 1
    assert await clinic.failures() == []


async def test_a_visit_that_took_place_is_not_cancelled(clinic):
    visit = await has_visit(clinic, status="Complete")
    there = booked(clinic)
    deletes_in_salesforce(clinic, there)

    await tells(clinic, Kind.APPOINTMENT, there["Id"], "DELETE")

    assert visit_of(clinic, visit)["status"] == "Complete"
    assert [cause for _, cause, _ in await clinic.failures()] == ["gone_in_salesforce"]


async def test_a_visit_that_was_called_off_is_not_the_one_that_is_entered_now(clinic):
    called_off = await has_visit(clinic, status="Cancelled")
    entered = enters(clinic)

    await compares(clinic, Kind.APPOINTMENT, since=None)

    (made,) = {visit["id"] for visit in in_drchrono(clinic)} - {called_off["id"]}
    assert {one["Id"]: one["DrChrono_Id__c"] for one in records(clinic, VISITS)}[entered] == made
    assert await clinic.failures() == []
