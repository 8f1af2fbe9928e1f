"""Who is known to have had a chart gets no second one by itself, whatever became of the first; a person decides."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store.tables import audit, decisions, links
from app.sync.failure_causes import fix
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, TICKED

SOON = timedelta(seconds=3)
POST = "POST /api/patients"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
WHO = {"first_name": "Tess", "last_name": "Sample", "date_of_birth": "1990-02-03", "gender": "Female"}
SOMEBODY = {"first_name": "Ada", "last_name": "Fixture", "date_of_birth": "1980-01-01", "gender": "Female"}


def vanishes(clinic, chart):
    """DrChrono does not show a chart any more; nobody tells us."""
    clinic.drchrono.delete(f"/_control/patients/{chart['id']}").raise_for_status()


async def is_ticked(clinic, **fields):
    """Somebody wants a Contact in DrChrono, and the workers go on; gives its Id."""
    contact = clinic.human_ticks_contact(**fields)
    await clinic.hears_of(contact)
    await clinic.settles()
    return contact


async def items(clinic):
    return (await clinic.web.get("/api/v1/held", headers=BEARER)).json()["items"]


async def post(clinic, act, **given):
    (item,) = await items(clinic)
    return await clinic.web.post(f"/api/v1/held/{item['link']}/{act}", headers=BEARER, json=given)


def made(clinic):
    return clinic.calls("drchrono", POST)


async def linked(clinic):
    return {row.salesforce_id: row.drchrono_id for row in await clinic.links()}


async def known_linked(clinic):
    """The chart was linked."""
    return await clinic.has_linked(**WHO)


async def known_by_a_body_that_was_not_believed(clinic):
    """The chart was of somebody else, and a delivery that has to be confirmed says otherwise."""
    chart = await clinic.has_linked(**SOMEBODY)
    await clinic.arrives(await clinic.edits(chart, **WHO))
    return chart


async def known_by_a_body_that_another_followed(clinic):
    """Two deliveries are read at once, and the later one has another name."""
    chart = await clinic.registers(**WHO)
    await clinic.delivers(chart, event="PATIENT_CREATE")
    await clinic.arrives(await clinic.edits(chart, **SOMEBODY))
    return chart


async def known_by_an_earlier_name(clinic):
    """The chart was linked under the name, and got another."""
    chart = await clinic.has_linked(**WHO)
    await clinic.arrives(await clinic.edits(chart, **SOMEBODY))
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()
    return chart


async def known_by_a_body_that_came_while_salesforce_was_away(clinic):
    """The delivery was read in a pass that Salesforce did not answer."""
    chart = await clinic.registers(**WHO)
    clinic.breaks("salesforce", "GET /services/data/v67.0/query", "error", status=503, next=1)
    await clinic.arrives(chart, event="PATIENT_CREATE")
    return chart


KNOWN = (
    known_linked,
    known_by_a_body_that_was_not_believed,
    known_by_a_body_that_another_followed,
    known_by_an_earlier_name,
    known_by_a_body_that_came_while_salesforce_was_away,
)


@pytest.mark.parametrize("has_been_known", KNOWN, ids=lambda one: one.__name__)
async def test_whose_known_chart_is_not_shown_any_more_gets_no_second_one_and_a_person_is_told(clinic, has_been_known):
    chart = await has_been_known(clinic)
    vanishes(clinic, chart)

    contact = await is_ticked(clinic)
    (item,) = [one for one in await items(clinic) if one["salesforce_id"] == contact]

    assert made(clinic) == 0
    assert (item["cause"], item["side"], item["fix"]) == ("chart_not_shown", "drchrono", fix("chart_not_shown"))
    assert all(word in item["fix"] for word in ("had a chart", "put its id into the Contact", "a new chart created"))


async def test_a_chart_that_is_shown_under_another_name_is_somebody_else(clinic):
    await known_by_an_earlier_name(clinic)

    contact = await is_ticked(clinic)

    assert made(clinic) == 1
    assert (await linked(clinic))[contact] is not None
    assert await items(clinic) == []


@pytest.fixture
async def held(clinic):
    """A Contact is held because the person's chart, which had no Contact yet, is not shown any more."""
    clinic.known = await known_by_a_body_that_another_followed(clinic)
    vanishes(clinic, clinic.known)
    clinic.waits = await is_ticked(clinic)
    return clinic


async def test_a_person_says_that_a_new_chart_is_right_and_one_is_made(held):
    read = (await post(held, "read")).json()

    answers = [(await post(held, "create")).status_code for _ in range(2)]
    await held.settles()

    assert (read["candidates"], read["not_shown"]) == ([], [str(held.known["id"])])
    assert answers == [200, 409], "one word is enough"
    assert made(held) == 1
    assert (await linked(held))[held.waits] not in (None, str(held.known["id"]))
    assert [row.state for row in await held.rows(decisions)] == ["done"]
    assert [row.action for row in await held.rows(audit)].count("settle") == 1
    assert await items(held) == []


async def test_a_chart_that_is_shown_again_goes_before_the_word_that_a_new_one_is_right(held):
    shown = await held.registers(**WHO)

    await post(held, "create")
    await held.settles()

    assert made(held) == 0
    assert (await linked(held))[held.waits] == str(shown["id"])
    assert [row.state for row in await held.rows(decisions)] == ["overtaken"]


async def test_the_right_chart_is_linked_once_the_contact_names_it(held):
    right = await held.registers(**{**WHO, "last_name": "Samples"})

    held.human_edits_contact(held.waits, DrChrono_Patient_Id__c=str(right["id"]))
    await held.hears_of(held.waits)
    await held.settles()

    assert made(held) == 0
    assert (await linked(held))[held.waits] == str(right["id"])


async def test_the_page_names_the_chart_that_is_known_and_takes_the_word(held):
    (item,) = await items(held)
    async with browsing(held) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open(f"/attention/{item['link']}")
        read = await browser.presses("Find matches")
        await browser.presses("Create a new chart")
        await held.settles()

    assert f"/records/drchrono/patient/{held.known['id']}" in read.response.text
    assert "Dismiss…" in read.text
    assert made(held) == 1


async def test_no_word_makes_a_chart_of_what_waits_for_another_reason(clinic):
    charts = [await clinic.registers(**WHO) for _ in range(2)]
    await is_ticked(clinic)

    answer = await post(clinic, "create")
    await clinic.settles()

    assert (answer.status_code, made(clinic), len(clinic.charts())) == (409, 0, len(charts))


async def test_an_answer_that_never_came_is_no_reason_for_a_second_chart_where_the_first_was_heard_of(clinic):
    clinic.breaks("drchrono", POST, "drop_after_commit", next=1)
    await is_ticked(clinic)
    (chart,) = clinic.charts()
    await clinic.delivers(chart, event="PATIENT_CREATE")
    await clinic.arrives(await clinic.edits(chart, **SOMEBODY))
    vanishes(clinic, chart)

    for _ in range(6):
        await clinic.time_passes(clinic.runtime.settings.drchrono_request_limit)
        await clinic.settles()

    assert made(clinic) == 1
    assert "chart_not_shown" in [one["cause"] for one in await items(clinic)]


async def test_a_chart_that_an_unanswered_create_made_waits_for_its_contact_whatever_that_is_called_now(clinic):
    clinic.breaks("drchrono", POST, "drop_after_commit", next=1)
    contact = await is_ticked(clinic)
    (chart,) = clinic.charts()
    clinic.human_edits_contact(contact, Birthdate="1991-01-01")
    await clinic.arrives(chart, event="PATIENT_CREATE")
    at_first = len(clinic.contacts())

    for _ in range(6):
        await clinic.time_passes(clinic.runtime.settings.drchrono_request_limit)
        await clinic.settles()

    assert (at_first, len(clinic.contacts()), made(clinic)) == (1, 1, 1)
    assert await linked(clinic) == {contact: str(chart["id"])}
    assert [row.state for row in await clinic.journal("drchrono") if row.call == "create"] == ["confirmed"]


@pytest.mark.parametrize("others", [1, 2], ids=["a namesake with a Contact", "several namesakes"])
async def test_a_create_that_was_never_answered_does_not_stay_unknown_beside_a_hold(clinic, others):
    clinic.breaks("drchrono", POST, "drop_before", next=1)
    await is_ticked(clinic)
    for _ in range(others):
        await clinic.registers(**{**WHO, "gender": "Male"})
    if others == 1:
        clinic.human_enters_contact(DrChrono_Patient_Id__c=str(clinic.charts()[0]["id"]))

    for _ in range(6):
        await clinic.time_passes(clinic.runtime.settings.drchrono_request_limit)
        await clinic.settles()

    assert [one["cause"] for one in await items(clinic)] == [
        "chart_of_another_contact" if others == 1 else "several_charts"
    ]
    assert [row.state for row in await clinic.journal("drchrono") if row.call == "create"] == ["refused"]


async def test_a_namesake_who_came_while_a_create_was_unanswered_agrees_on_nothing_yet(clinic):
    clinic.breaks("drchrono", POST, "drop_before", next=1)
    contact = await is_ticked(clinic, Email="crm@example.com")
    chart = await clinic.registers(**WHO, email="desk@example.com")

    for _ in range(6):
        await clinic.time_passes(clinic.runtime.settings.drchrono_request_limit)
        await clinic.settles()

    assert await linked(clinic) == {contact: str(chart["id"])}
    assert clinic.chart(chart)["email"] == "crm@example.com", "they meet for the first time, so its owner's counts"
    assert clinic.contact()["Email"] == "crm@example.com"


async def test_a_write_that_gives_a_chart_the_name_of_a_ticked_contact_goes_before_a_create_in_the_same_pass(clinic):
    chart = await clinic.has_linked(**{**WHO, "last_name": "Other"})
    clinic.human_edits_contact(LastName="Sample")
    await clinic.hears()
    await clinic.carries_on(await clinic.takes())
    contact = clinic.human_ticks_contact()
    await clinic.hears_of(contact)
    one_lane = sa.update(links).values(lane="confirm")
    await clinic.runtime.database.transact(lambda connection: connection.execute(one_lane))

    for _ in range(3):
        await clinic.settles()
        await clinic.time_passes(SOON)
    await clinic.settles()

    assert clinic.chart(chart)["last_name"] == TICKED["LastName"]
    assert made(clinic) == 0
    assert [(one["cause"], one["salesforce_id"]) for one in await items(clinic)] == [
        ("chart_of_another_contact", contact)
    ]
