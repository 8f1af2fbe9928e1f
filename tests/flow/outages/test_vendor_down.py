"""A vendor is down for an hour: nobody's attempts are burned, it is asked now and then, and work resumes by itself."""

from datetime import timedelta

import pytest

from app.sync.model import Side
from app.vendors.rate_limit.policy import LONGEST_CLOSED_S

LATER = timedelta(hours=1)
PATIENTS = 12
LOOK = timedelta(minutes=3)
LOOKS = timedelta(hours=1) // LOOK
MOST_CALLS = 3600 / LONGEST_CLOSED_S * 2 + 8  # one now and then, and those that found out; a look makes two at most


@pytest.fixture
async def many(clinic):
    """Linked patients, each about to change on the side that stays up."""
    patients = [await clinic.registers(first_name=f"Ada{n}", last_name="Test") for n in range(PATIENTS)]
    for patient in patients:
        await clinic.delivers(patient)
    await clinic.settles()
    for side in ("drchrono", "salesforce"):
        getattr(clinic, side).delete("/_control/calls")
    return patients


async def an_hour_passes(clinic):
    for _ in range(LOOKS):
        await clinic.time_passes(LOOK)
        await clinic.settles()


async def waiting(clinic):
    return [link for link in await clinic.links() if link.due_at is not None]


async def test_salesforce_is_down_for_an_hour(clinic, many):
    clinic.breaks("salesforce", "* /services/data", "error", status=503, next=None)
    for patient in many:
        await clinic.delivers(await clinic.edits(patient, city="Springfield"))
    await clinic.settles()
    await an_hour_passes(clinic)
    asked, links = clinic.calls("salesforce", ""), await waiting(clinic)

    clinic.salesforce.delete("/_control/faults")
    await clinic.time_passes(LATER)
    await clinic.settles()

    assert (len(links), {link.attempts for link in links}) == (PATIENTS, {0})
    assert asked <= MOST_CALLS
    assert {contact["MailingCity"] for contact in clinic.contacts()} == {"Springfield"}
    assert await clinic.failures() == []


async def test_drchrono_is_down_for_an_hour(clinic, many):
    clinic.breaks("drchrono", "* /api", "error", status=503, next=None)
    for contact in clinic.contacts():
        clinic.human_edits_contact(contact["Id"], Email="moved@example.com")
    assert await clinic.hears() == 200
    await clinic.settles()
    await an_hour_passes(clinic)
    asked, links = clinic.calls("drchrono", ""), await waiting(clinic)

    clinic.drchrono.delete("/_control/faults")
    for _ in range(2):
        await clinic.time_passes(LATER)
        await clinic.settles()

    assert (len(links), {link.attempts for link in links}) == (PATIENTS, {0})
    assert asked <= MOST_CALLS
    assert {chart["email"] for chart in clinic.charts()} == {"moved@example.com"}
    assert await clinic.failures() == []


@pytest.mark.parametrize("side", [Side.SALESFORCE, Side.DRCHRONO])
async def test_those_who_wait_for_a_vendor_do_not_come_back_together(clinic, many, side):
    clinic.breaks(side.value, "* /", "error", status=503, next=None)
    for patient, contact in zip(many, clinic.contacts(), strict=True):
        await clinic.delivers(await clinic.edits(patient, city="Springfield"))
        clinic.human_edits_contact(contact["Id"], Email="moved@example.com")
    await clinic.hears()
    await clinic.settles()

    moments = sorted(link.due_at for link in await waiting(clinic))

    assert moments[-1] - moments[0] > timedelta(seconds=1)
