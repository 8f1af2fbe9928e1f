"""A batch costs exactly what `tests/store/costs.py` says: whoever makes it cost more is told which number grew."""

import asyncio
from contextlib import contextmanager

import pytest

from tests.store.costs import BATCH, FEW, counted, differences

VENDORS = ("drchrono", "salesforce")


@pytest.fixture(autouse=True)
def nothing_is_renewed(monkeypatch):
    """A lease that lasts for as long as the slowest machine takes: its renewals are no cost of a batch."""
    monkeypatch.setenv("CHRONOBRIDGE_TIME_SCALE", "30")


@pytest.fixture
async def clinic(clinic):
    """A clinic whose worker has signed in at Salesforce."""
    assert await clinic.runtime.salesforce.user_id()
    return clinic


@contextmanager
def costs(clinic):
    """Give what the batch that is worked off in the block costs."""
    for side in VENDORS:
        getattr(clinic, side).delete("/_control/calls")
    with counted(clinic.runtime.database) as cost:
        yield cost
    cost.calls = sum(clinic.calls(side, "") for side in VENDORS)


async def deliver(clinic, event, **changed):
    """DrChrono delivers every patient as it is, or as they would be with something changed."""
    charts = [{**one, **changed} for one in clinic.charts()]
    assert set(await asyncio.gather(*(clinic.delivers(one, event=event) for one in charts))) == {200}


async def test_what_200_patients_cost_on_their_way_and_back(clinic):
    clinic.drchrono.post("/_control/patients/bulk", json={"count": BATCH, "silent": True}).raise_for_status()
    await deliver(clinic, "PATIENT_CREATE")
    with costs(clinic) as created:
        created_in = await clinic.settles()
    later = {"city": "Newtown", "updated_at": "2099-01-01T00:00:00"}
    await deliver(clinic, "PATIENT_MODIFY", **later)
    with costs(clinic) as changed:
        changed_in = await clinic.settles()
    await deliver(clinic, "PATIENT_MODIFY", **{**later, "updated_at": "2099-01-01T00:00:09"})
    with costs(clinic) as unchanged:
        unchanged_in = await clinic.settles()
    edited = [contact["Id"] for contact in clinic.contacts()][:FEW]
    for contact_id in edited:
        clinic.human_edits_contact(contact_id, MailingCity="Oldtown")
    await clinic.hears(among=edited)
    with costs(clinic) as back:
        back_in = await clinic.settles()

    assert (
        sorted(contact["MailingCity"] for contact in clinic.contacts())
        == ["Newtown"] * (BATCH - FEW) + ["Oldtown"] * FEW
    )
    assert [chart["city"] for chart in clinic.charts()].count("Oldtown") == FEW
    assert (created_in, changed_in, unchanged_in, back_in) == (1, 1, 1, 1)
    found = {
        "new patients": created,
        "patients changed in DrChrono": changed,
        "nothing changed": unchanged,
        "Contacts changed in Salesforce": back,
    }
    assert "".join(differences(name, cost) for name, cost in found.items()) == ""


async def test_what_new_contacts_cost(clinic):
    for n in range(FEW):
        clinic.human_ticks_contact(FirstName=f"Tess{n}")
    await clinic.hears()

    with costs(clinic) as cost:
        await clinic.settles()

    assert len(clinic.charts()) == FEW
    assert differences("new Contacts", cost) == ""
