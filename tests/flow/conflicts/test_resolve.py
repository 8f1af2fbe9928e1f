"""What is held is decided by a person, seen side by side, and carried out by the path that every write takes."""

import asyncio
from datetime import timedelta
from importlib import resources

import pytest

from app.store import counters
from app.store.tables import decisions
from app.sync.model import Kind
from tests.flow.browser import browsing
from tests.flow.calendar import compares
from tests.flow.checked import changed
from tests.flow.clinic import CONFIRM_AFTER, LOOKS, OPERATOR, TICKED

BEARER = {"authorization": f"Bearer {OPERATOR}"}
TESS = {"FirstName": "Tess", "LastName": "Sample", "Birthdate": "1990-02-03"}
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
    return changed(known, mapping_file=tmp_path / "ours.toml")


@pytest.fixture
async def holding(clinic):
    """A patient whose e-mail both sides have changed, and nobody has decided."""
    clinic.patient = await clinic.has_linked(email="old@example.com", city="Testville")
    await clinic.both_edit(clinic.patient, {"email": "desk@example.com"}, {"Email": "crm@example.com"})
    assert held(clinic) == ("desk@example.com", "crm@example.com")
    return clinic


def held(clinic):
    return clinic.chart(clinic.patient)["email"], clinic.contact()["Email"]


async def items(clinic):
    return (await clinic.web.get("/api/v1/held", headers=BEARER)).json()["items"]


async def post(clinic, act, **given):
    (item,) = await items(clinic)
    return await clinic.web.post(f"/api/v1/held/{item['link']}/{act}", headers=BEARER, json=given)


async def picks(clinic, side):
    (field,) = (await post(clinic, "read")).json()["differing"]
    return {"picks": [{"field": field["field"], "side": side, "stamps": field["stamps"]}]}


@pytest.mark.parametrize("side", ["drchrono", "salesforce"])
async def test_the_picked_value_comes_to_be_on_both_sides_and_nothing_waits_any_more(holding, side):
    value = {"drchrono": "desk@example.com", "salesforce": "crm@example.com"}[side]

    taken = await post(holding, "settle", **await picks(holding, side))
    before = held(holding)
    await holding.settles()

    assert (taken.status_code, taken.json()) == (200, {"decided": True})
    assert before == ("desk@example.com", "crm@example.com")
    assert held(holding) == (value, value)
    assert await items(holding) == []
    assert [(row.field, row.state) for row in await holding.rows(decisions)] == [("email", "done")]


async def test_values_are_masked_until_an_operator_asks_and_nothing_kept_tells_them(holding):
    masked = (await post(holding, "read")).json()["differing"]
    shown = (await post(holding, "reveal")).json()["differing"]
    await post(holding, "settle", **await picks(holding, "drchrono"))

    assert [(one["drchrono"], one["salesforce"]) for one in masked] == [("•••", "•••")]
    assert [(one["drchrono"], one["salesforce"]) for one in shown] == [("desk@example.com", "crm@example.com")]
    audit = (await holding.web.get("/api/v1/audit", headers=BEARER)).json()["items"]
    told = [(one["action"], one["about"]) for one in audit if one["action"] not in LOOKS]
    id_ = holding.patient["id"]
    assert told == [("settle", f"patient {id_}, email: drchrono"), ("reveal", f"patient {id_}")]
    assert "example.com" not in f"{audit}{await holding.rows(decisions)}"


@pytest.mark.parametrize("edited", ["drchrono", "salesforce"])
@pytest.mark.parametrize("picked", ["drchrono", "salesforce"])
async def test_an_edit_since_the_person_looked_is_not_overwritten_and_it_waits_again(holding, picked, edited):
    pick = await picks(holding, picked)
    if edited == "drchrono":
        await holding.edits(holding.patient, email="newer@example.com")
    else:
        holding.human_edits_contact(Email="newer@example.com")
    await post(holding, "settle", **pick)
    await holding.settles()

    newer = (
        ("newer@example.com", "crm@example.com") if edited == "drchrono" else ("desk@example.com", "newer@example.com")
    )
    assert held(holding) == newer
    assert [(one["cause"], one["decided"]) for one in await items(holding)] == [("held", False)]
    assert [row.state for row in await holding.rows(decisions)] == ["overtaken"]

    await post(holding, "settle", **await picks(holding, edited))
    await holding.settles()
    assert held(holding) == ("newer@example.com", "newer@example.com")


async def test_of_two_operators_that_pick_different_sides_one_is_followed_and_one_is_told(holding):
    ours, theirs = await picks(holding, "drchrono"), await picks(holding, "salesforce")

    answers = await asyncio.gather(post(holding, "settle", **ours), post(holding, "settle", **theirs))
    await holding.settles()

    assert sorted(one.status_code for one in answers) == [200, 409]
    value = "desk@example.com" if answers[0].status_code == 200 else "crm@example.com"
    assert held(holding) == (value, value)
    assert len(await holding.rows(decisions)) == 1


async def test_a_conflict_that_waits_is_counted_once_however_often_it_is_compared_and_again_when_it_begins_anew(
    holding,
):
    async def seen_through():
        await holding.settles()
        await holding.time_passes(CONFIRM_AFTER)
        await holding.settles()

    for _ in range(3):
        await compares(holding, Kind.PATIENT)
        await seen_through()
    waiting = await counters.read(holding.runtime.database)
    await post(holding, "settle", **await picks(holding, "drchrono"))
    await seen_through()
    await holding.both_edit(holding.patient, {"email": "desk2@example.com"}, {"Email": "crm2@example.com"})
    await seen_through()
    anew = await counters.read(holding.runtime.database)

    assert (waiting["conflict_patient"], anew["conflict_patient"]) == (1, 2)


async def test_what_was_dismissed_is_not_carried_out_later(holding):
    pick = await picks(holding, "drchrono")
    await holding.web.post("/api/v1/lanes/all/pause", headers=BEARER)
    await post(holding, "settle", **pick)
    await holding.web.post("/api/v1/failures/discard?limit=1", headers=BEARER)
    await holding.web.post("/api/v1/lanes/all/resume", headers=BEARER)
    await holding.settles()

    assert [row.state for row in await holding.rows(decisions)] == ["dropped"]
    assert held(holding) == ("desk@example.com", "crm@example.com")


async def test_a_worker_that_dies_between_its_writes_and_the_record_doubles_nothing(holding):
    await post(holding, "settle", **await picks(holding, "drchrono"))
    await holding.carries_on(await holding.takes())  # it finds that DrChrono must be asked
    holding.salesforce.delete("/_control/writes")
    work = await holding.takes()
    await holding.writes_out(work, await holding.looks(work))
    await holding.time_passes(holding.confirm_after)
    await holding.settles()

    assert held(holding) == ("desk@example.com", "desk@example.com")
    assert holding.writes() == ["updated"]
    assert [row.state for row in await holding.rows(decisions)] == ["done"]


async def test_what_an_automation_keeps_rewriting_is_written_once_more_by_a_persons_word(clinic):
    patient = await clinic.registers()
    await clinic.arrives(patient)
    for _ in range(4):
        clinic.human_edits_contact(DrChrono_Chart_Id__c="AUTOMATION")
        await clinic.hears()
        await clinic.settles()
    assert clinic.contact()["DrChrono_Chart_Id__c"] == "AUTOMATION"

    wrong = await post(clinic, "settle", **await picks(clinic, "salesforce"))
    await post(clinic, "settle", **await picks(clinic, "drchrono"))
    await clinic.settles()

    assert (wrong.status_code, "travels to Salesforce only" in wrong.json()["detail"]) == (409, True)
    assert clinic.contact()["DrChrono_Chart_Id__c"] == patient["chart_id"]
    assert await items(clinic) == []


async def test_a_pick_without_a_look_is_refused(holding):
    for stamps in ({}, {"drchrono": "x", "salesforce": "y"}):
        given = {"picks": [{"field": "email", "side": "drchrono", "stamps": stamps}]}
        answer = await post(holding, "settle", **given)
        assert (answer.status_code, "Compare both systems first" in answer.json()["detail"]) == (409, True)
    assert await holding.rows(decisions) == []


async def several_contacts(clinic):
    ids = [clinic.human_enters_contact(**TESS, MailingCity=f"Town {n}") for n in range(2)]
    chart = await clinic.registers(**WHO)
    await clinic.arrives(chart, event="PATIENT_CREATE")
    return chart, ids


async def test_of_several_contacts_the_picked_one_is_linked_and_says_whose_it_is(clinic):
    chart, ids = await several_contacts(clinic)
    read = (await post(clinic, "read")).json()
    taken = await post(clinic, "choose", id=ids[1])
    await clinic.settles()

    assert sorted(one["id"] for one in read["candidates"]) == sorted(ids)
    assert {value for one in read["candidates"] for value in one["fields"].values()} <= {"•••", None}
    assert all(one["same"]["last_name"] for one in read["candidates"])
    assert taken.status_code == 200
    assert [(row.drchrono_id, row.salesforce_id) for row in await clinic.links()] == [(str(chart["id"]), ids[1])]
    named = {one["Id"]: one["DrChrono_Patient_Id__c"] for one in clinic.contacts()}
    assert named == {ids[0]: None, ids[1]: str(chart["id"])}
    assert (await items(clinic), [row.state for row in await clinic.rows(decisions)]) == ([], ["done"])


async def test_a_picked_contact_that_is_another_person_by_now_is_not_linked_and_none_is_made(clinic):
    _, ids = await several_contacts(clinic)
    await post(clinic, "choose", id=ids[1])
    for id_ in ids:
        clinic.human_edits_contact(id_, LastName="Changed")
    await clinic.settles()

    assert len(clinic.contacts()) == 2
    assert [row.salesforce_id for row in await clinic.links() if row.drchrono_id] == [None]
    assert [one["cause"] for one in await items(clinic)] == ["several_contacts"]
    assert [row.state for row in await clinic.rows(decisions)] == ["overtaken"]


async def test_of_several_charts_the_picked_one_is_linked_and_none_is_made(clinic):
    charts = [await clinic.registers(**WHO) for _ in range(2)]
    contact = clinic.human_ticks_contact(**TICKED)
    await clinic.hears()
    await clinic.settles()
    read = (await post(clinic, "read")).json()
    answers = await asyncio.gather(*(post(clinic, "choose", id=str(charts[0]["id"])) for _ in range(2)))
    await clinic.settles()

    assert sorted(one["id"] for one in read["candidates"]) == sorted(str(chart["id"]) for chart in charts)
    assert sorted(one.status_code for one in answers) == [200, 409]
    linked = [(row.drchrono_id, row.salesforce_id) for row in await clinic.links()]
    assert linked == [(str(charts[0]["id"]), contact)]
    assert clinic.calls("drchrono", "POST /api/patients") == 0
    assert len(clinic.charts()) == 2


@pytest.fixture
async def doubled(clinic):
    """DrChrono has refused a Contact as one it has, which its lists did not show."""
    chart = await clinic.registers(**WHO)
    clinic.drchrono.put("/_control/settings", json={"prevent_duplicates": True})
    clinic.breaks("drchrono", "GET /api/patients", "error", status=200, body={"results": [], "next": None}, next=1)
    clinic.contact_id = clinic.human_ticks_contact(**TICKED)
    await clinic.hears()
    await clinic.settles()
    assert [one["cause"] for one in await items(clinic)] == ["potential_duplicate"]
    clinic.duplicate = str(chart["id"])
    return clinic


async def test_whom_drchrono_takes_for_one_it_has_is_picked_once_it_is_shown(doubled):
    read = (await post(doubled, "read")).json()
    await post(doubled, "choose", id=doubled.duplicate)
    await doubled.settles()

    assert [one["id"] for one in read["candidates"]] == [doubled.duplicate]
    linked = [(row.drchrono_id, row.salesforce_id) for row in await doubled.links()]
    assert (linked, await items(doubled)) == ([(doubled.duplicate, doubled.contact_id)], [])
    assert len(doubled.charts()) == 1


async def test_whom_drchrono_does_not_show_is_said_to_be_found_there_and_a_second_look_links(doubled):
    doubled.breaks("drchrono", "GET /api/patients", "error", status=200, body={"results": [], "next": None}, next=1)
    (item,) = await items(doubled)
    async with browsing(doubled) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open(f"/attention/{item['link']}")
        none = await browser.presses("Find matches")
        await browser.presses("Check again")
        await doubled.settles()

    assert "DrChrono shows us nobody like it" in none.text
    assert [row.drchrono_id for row in await doubled.links()] == [doubled.duplicate]
    assert await items(doubled) == []


async def test_a_chart_that_is_none_of_them_is_never_linked(clinic):
    _, ids = await several_contacts(clinic)
    other = clinic.human_enters_contact(FirstName="Otto", LastName="Other", Birthdate="1970-01-01")
    await post(clinic, "choose", id=other)
    await clinic.settles()

    assert [row.salesforce_id for row in await clinic.links() if row.drchrono_id] == [None]
    assert [row.state for row in await clinic.rows(decisions)] == ["overtaken"]
    assert len(clinic.contacts()) == len(ids) + 1


async def test_whose_chart_has_a_contact_is_seen_beside_it_and_the_hold_ends_once_the_two_are_merged(clinic):
    twins = [clinic.human_ticks_contact() for _ in range(2)]
    await clinic.hears()
    for _ in range(4):  # the second one waits while the first is being made
        await clinic.settles()
        await clinic.time_passes(timedelta(seconds=10))
    await clinic.settles()
    (chart,) = clinic.charts()
    (item,) = await items(clinic)
    (linked,) = [row.salesforce_id for row in await clinic.links() if row.drchrono_id]
    read = (await post(clinic, "read")).json()
    chosen = await post(clinic, "choose", id=str(chart["id"]))
    merged = {"winner": linked, "loser": next(one for one in twins if one != linked)}

    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open(f"/attention/{item['link']}")
        shown = await browser.presses("Find matches")
        clinic.salesforce.post("/_control/records/Contact/merge", json=merged).raise_for_status()
        await browser.presses("Check again")
        await clinic.settles()

    assert (item["cause"], [one["id"] for one in read["candidates"]]) == (
        "chart_of_another_contact",
        [str(chart["id"]), linked],
    )
    assert chosen.status_code == 409
    assert f'/records/drchrono/patient/{chart["id"]}"' in shown.response.text
    assert "Link to this" not in shown.text
    assert await items(clinic) == []
    assert [(row.drchrono_id, row.salesforce_id) for row in await clinic.links()] == [(str(chart["id"]), linked)]
    assert len(clinic.charts()) == 1


async def test_what_is_mended_at_its_source_is_looked_at_again_from_its_page(clinic):
    clinic.patient = await clinic.has_linked(email="old@example.com")
    contact = clinic.contact()["Id"]
    clinic.salesforce.delete(f"/_control/records/Contact/{contact}")
    await clinic.arrives(await clinic.edits(clinic.patient, email="desk@example.com"))
    (item,) = await items(clinic)
    clinic.salesforce.post(f"/_control/records/Contact/{contact}/undelete")

    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        waits = await browser.open(f"/attention/{item['link']}")
        await browser.presses("Check again")
        await clinic.settles()

    assert "There is nothing to choose here" in waits.text
    assert held(clinic) == ("desk@example.com", "desk@example.com")
    assert await items(clinic) == []
