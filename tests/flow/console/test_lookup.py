"""Any id that is pasted into the header leads to what has it, and no address holds what was typed."""

import pytest

from app.store.tables import journal, links
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR


@pytest.fixture
async def browser(clinic):
    async with browsing(clinic) as it:
        await it.signs_in(OPERATOR)
        yield it


async def found(browser, typed):
    """Where a person lands."""
    await browser.open("/help")
    page = await browser.presses("Find", id=typed)
    return str(page.url).removeprefix("https://sync.example.com")


async def test_a_record_is_found_by_either_systems_id_by_its_chart_and_by_its_link(clinic, browser):
    patient = await clinic.has_linked()
    contact, (link,) = clinic.contact(), [row for row in await clinic.rows(links) if row.kind == "patient"]
    page = f"/records/drchrono/patient/{patient['id']}"

    for typed in (
        str(patient["id"]),
        f" patient {patient['id']} ",
        contact["Id"],
        contact["Id"][:15],
        f"https://acme.lightning.force.com/lightning/r/Contact/{contact['Id']}/view",
        patient["chart_id"],
        link.id,
    ):
        assert await found(browser, typed) == page, typed


async def test_a_delivery_and_a_call_are_found_by_their_ids_and_by_how_those_end(clinic, browser):
    patient = await clinic.has_linked()
    await clinic.arrives(await clinic.edits(patient, city="Elsewhere"))
    call = max(row.id for row in await clinic.rows(journal))
    listed = (await clinic.web.get("/api/v1/deliveries", headers={"authorization": f"Bearer {OPERATOR}"})).json()
    delivery = listed["items"][0]["id"]

    for typed in (delivery, delivery.lower(), delivery[-6:], f"delivery {delivery[-6:]}"):
        assert await found(browser, typed) == f"/deliveries/{delivery}", typed
    for typed in (call, call[-6:], f"call {call[-6:]}"):
        assert await found(browser, typed) == f"/records/drchrono/patient/{patient['id']}#{call}", typed


@pytest.mark.parametrize("typed", ["999999999", "01JSYNTHETICNOTHING0000000", "nobody", "'; --", "\ud7ff" * 200])
async def test_what_nothing_has_is_told_with_the_ids_that_are_known(browser, typed):
    await browser.open("/help")
    page = await browser.presses("Find", id=typed)

    assert page.status == 404
    assert "Nothing known here has this id" in page.text
    assert "chart id" in page.text
