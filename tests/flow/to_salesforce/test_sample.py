"""A few of the bodies that are believed are read back, so that a sender who is not DrChrono is found out."""

import pytest

from app.store import counters
from app.sync.model import Kind
from tests.flow.calendar import compares, forgets

pytestmark = pytest.mark.parametrize("share", [1.0])


@pytest.fixture
def known(known, share):
    return known.model_copy(update={"confirm_share": share})


async def test_a_body_that_drchrono_denies_at_its_own_stamp_is_told_and_not_carried(clinic):
    patient = await clinic.registers(city="Testville")

    await clinic.arrives({**patient, "city": "Forgedville"}, event="PATIENT_CREATE")

    assert clinic.contact()["MailingCity"] == "Testville"
    assert (await counters.read(clinic.runtime.database))["contradicted_delivery"] == 1
    assert "Forgedville" not in (await clinic.web.get("/metrics")).text
    assert "chronobridge_contradicted_deliveries_total 1.0" in (await clinic.web.get("/metrics")).text


async def test_a_body_that_drchrono_bears_out_is_carried_and_costs_one_read(clinic):
    patient = await clinic.registers(city="Testville")
    clinic.drchrono.delete("/_control/calls")

    await clinic.arrives(patient, event="PATIENT_CREATE")

    assert clinic.contact()["MailingCity"] == "Testville"
    assert clinic.calls("drchrono", "GET /api/patients") == 1
    assert "contradicted_delivery" not in await counters.read(clinic.runtime.database)


async def test_when_drchrono_cannot_be_asked_the_body_does(clinic):
    patient = await clinic.registers(city="Testville")
    clinic.breaks("drchrono", "GET /api/patients", "error", next=1, status=503)

    await clinic.arrives(patient, event="PATIENT_CREATE")

    assert clinic.contact()["MailingCity"] == "Testville"


async def test_a_row_of_a_list_is_drchronos_own_word_and_is_not_read_back(clinic):
    await clinic.registers(city="Testville")
    forgets(clinic)

    await compares(clinic, Kind.PATIENT)

    assert clinic.contact()["MailingCity"] == "Testville"
    assert clinic.calls("drchrono", "GET /api/patients/") == 0
