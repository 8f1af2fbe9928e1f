"""What needs review is compared in one step and decided there; what is amiss is said beside it, and nothing is lost."""

from importlib import resources

import pytest

from app.store.tables import audit, decisions
from tests.flow.browser import HOME, browsing
from tests.flow.checked import changed
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}
VIEWER = "viewer-token-of-the-tests"
WHO = {"first_name": "Tess", "last_name": "Sample", "date_of_birth": "1990-02-03", "gender": "Female"}


@pytest.fixture
def known(known, tmp_path):
    """The settings of a clinic where a person decides about e-mails that both sides changed."""
    shipped = (resources.files("app.sync") / "mappings" / "default.toml").read_text()
    lines = [
        line.rstrip().removesuffix("}") + ', on_conflict = "hold" }' if line.startswith("fields.email") else line
        for line in shipped.splitlines()
    ]
    (tmp_path / "ours.toml").write_text("\n".join(lines))
    return changed(known, mapping_file=tmp_path / "ours.toml", viewer_token=VIEWER)


@pytest.fixture
async def holding(clinic):
    """A patient whose e-mail both sides have changed, and nobody has decided."""
    clinic.patient = await clinic.has_linked(first_name="Ada", last_name="Test", email="old@example.com")
    await clinic.both_edit(clinic.patient, {"email": "desk@example.com"}, {"Email": "crm@example.com"})
    (clinic.link,) = [one["link"] for one in (await clinic.web.get("/api/v1/held", headers=BEARER)).json()["items"]]
    return clinic


@pytest.fixture
async def desk(clinic):
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        yield browser


def held(clinic):
    return clinic.chart(clinic.patient)["email"], clinic.contact()["Email"]


async def test_both_values_are_compared_in_one_step_and_the_one_to_keep_comes_to_be_in_both(holding, desk):
    first = await desk.open(f"/attention/{holding.link}")
    compared = await desk.presses("Compare")
    done = await desk.presses("Save decision", **{"pick email": "salesforce"})
    await holding.settles()
    gone = await desk.open(f"/attention/{holding.link}")

    assert first.heading == "Review: Ada Test"
    assert "Both systems changed the email." in first.text
    assert "example.com" not in first.text + done.text
    assert all(value in compared.text for value in ("desk@example.com", "crm@example.com", "Decide later"))
    assert str(done.url) == f"{HOME}/attention"
    assert "Your decision is saved." in done.text
    assert "Saving" in done.text, "its row says so until it is carried out"
    assert held(holding) == ("crm@example.com", "crm@example.com")
    assert (gone.heading, "Synced" in gone.text) == ("Ada Test", True)


async def test_where_nothing_was_chosen_it_is_said_in_place(holding, desk):
    await desk.open(f"/attention/{holding.link}")
    await desk.presses("Compare")

    page = await desk.presses("Save decision")

    assert (page.status, page.heading) == (409, "Review: Ada Test")
    assert "Choose the value to keep, of one field at least." in page.text
    assert "desk@example.com" in page.text
    assert await holding.rows(decisions) == []


async def test_what_was_chosen_is_still_chosen_where_it_could_not_be_taken(holding, desk):
    await desk.open(f"/attention/{holding.link}")
    await desk.presses("Compare")

    page = await desk.presses("Save decision", **{"pick email": "drchrono", "drchrono email": "stale"})
    again = await desk.presses("Save decision")

    assert (page.status, "Compare both systems first" in page.text) == (409, True)
    assert page.forms[-2].fields["pick email"] == "drchrono"
    assert "Your decision is saved." in again.text


async def test_a_viewer_sees_the_name_and_what_differs_and_no_value(holding):
    async with browsing(holding) as browser:
        await browser.signs_in(VIEWER)
        await browser.open(f"/attention/{holding.link}")
        page = await browser.presses("Compare")

    assert page.heading == "Review: Ada Test"
    assert "•••" in page.text
    assert "example.com" not in page.text
    assert "Save decision" not in page.text


async def test_a_possible_match_is_linked_by_its_card(clinic, desk):
    contacts = [
        clinic.human_enters_contact(FirstName="Tess", LastName="Sample", Birthdate="1990-02-03", MailingCity=town)
        for town in ("Northtown", "Southtown")
    ]
    chart = await clinic.registers(**WHO)
    await clinic.arrives(chart, event="PATIENT_CREATE")
    (item,) = (await clinic.web.get("/api/v1/held", headers=BEARER)).json()["items"]
    await desk.open(f"/attention/{item['link']}")
    found = await desk.presses("Find matches")
    found.forms.sort(key=lambda form: form.fields.get("id") != contacts[1])

    done = await desk.presses("Link to this Contact")
    await clinic.settles()

    assert all(said in found.text for said in (*contacts, "Northtown", "Southtown", "born 2/3/1990"))
    assert "Your decision is saved." in done.text
    assert [(row.drchrono_id, row.salesforce_id) for row in await clinic.links() if row.drchrono_id] == [
        (str(chart["id"]), contacts[1])
    ]


@pytest.mark.parametrize(
    ("path", "button", "sure", "says"),
    [
        ("/connections", "Disconnect", "Disconnect DrChrono", "Nothing is read from DrChrono or written to it"),
        ("/queues", "Pause all…", "Pause all queues", "Nothing is written to either system any more"),
    ],
)
async def test_what_stops_everything_asks_first_and_cancel_leads_back(clinic, desk, path, button, sure, says):
    async def done():
        return [row.action for row in await clinic.rows(audit) if row.action in ("disconnect", "pause")]

    await desk.open(path)
    asked = await desk.presses(button, reason="a drill")
    not_yet = await done()
    await desk.presses(sure)

    assert (asked.heading, says in asked.text, asked.links["Cancel"]) == (f"{sure}?", True, path)
    assert (not_yet, len(await done())) == ([], 1)
