"""A Contact whose chart has another one is merged into that, by a person's word: once, and into no other."""

from datetime import timedelta

import pytest

from app.store.tables import audit, decisions, failures
from tests.flow.browser import browsing
from tests.flow.clinic import CONFIRM_AFTER, LOOKS, OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}
SOAP = "POST /services/Soap"


@pytest.fixture
async def twins(clinic):
    """Two Contacts of one person: the first has become a chart, the second met it and is held."""
    clinic.first = clinic.human_ticks_contact(MailingCity="Kept")
    await clinic.hears()
    await settles(clinic)
    # pasted from a word processor: SOAP cannot say a vertical tab
    clinic.second = clinic.human_ticks_contact(
        MailingCity="Lost", MailingPostalCode="12345", MailingStreet="12 Main St\vApt 4"
    )
    await clinic.hears()
    await settles(clinic)
    (clinic.item,) = await items(clinic)
    assert clinic.item["cause"] == "chart_of_another_contact"
    return clinic


async def settles(clinic):
    for _ in range(3):
        await clinic.settles()
        await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()


async def items(clinic):
    return (await clinic.web.get("/api/v1/held", headers=BEARER)).json()["items"]


async def merges(clinic, into=None):
    return await post(clinic, "merge", into=into or clinic.first)


async def post(clinic, act, **given):
    return await clinic.web.post(f"/api/v1/held/{clinic.item['link']}/{act}", headers=BEARER, json=given)


def gone(clinic):
    """The Contacts that were merged away -> into which."""
    held = clinic.salesforce.get("/_control/records/Contact", params={"deleted": "true"}).json()["records"]
    return {one["Id"]: one["MasterRecordId"] for one in held if one["IsDeleted"]}


async def ends_as_one(clinic):
    """Say whether one chart and the first Contact are left, linked, with nothing open."""
    (chart,) = clinic.charts()
    links = [(one.drchrono_id, one.salesforce_id) for one in await clinic.links()]
    return (
        links == [(str(chart["id"]), clinic.first)]
        and gone(clinic) == {clinic.second: clinic.first}
        and (await items(clinic), await clinic.failures(), await clinic.unfinished()) == ([], [], [])
    )


async def test_the_held_contact_becomes_the_one_its_chart_has_and_what_is_empty_there_is_filled_on_both_sides(twins):
    read = (await post(twins, "read")).json()
    taken = await merges(twins)
    await settles(twins)
    await twins.hears()
    await settles(twins)

    (chart,) = twins.charts()
    assert [(one["side"], one["id"]) for one in read["candidates"]] == [
        ("drchrono", str(chart["id"])), ("salesforce", twins.first),
    ]  # fmt: skip
    assert taken.status_code == 200
    assert await ends_as_one(twins)
    contact = twins.contact()
    filled = [contact[name] for name in ("MailingCity", "MailingPostalCode", "MailingStreet")]
    assert filled == ["Kept", "12345", "12 Main StApt 4"]
    assert [chart[name] for name in ("city", "zip_code", "address")] == filled
    decided = [(row.action, row.about) for row in await twins.rows(audit) if row.action not in LOOKS]
    assert decided[-1] == ("merge", f"patient {twins.second}, into {twins.first}")


async def test_on_the_page_the_result_is_shown_both_people_are_named_and_then_it_is_merged(twins):
    async with browsing(twins) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open(f"/attention/{twins.item['link']}")
        shown = await browser.presses("Find matches")
        asked = await browser.presses("Merge into this Contact…")
        before = len(twins.contacts())
        done = await browser.presses("Merge the two Contacts")
        await settles(twins)

    assert ("Kept" in shown.text, "Lost" in shown.text) == (True, True)
    name = f"{twins.contact()['FirstName']} {twins.contact()['LastName']}"
    assert (asked.heading, before) == (f"Merge {name} into {name}?", 2)
    assert "This cannot be undone here." in asked.text
    assert all(one in asked.text for one in (twins.first, twins.second))
    assert "12345 12345 filled" in asked.text.replace("(empty) ", "")
    assert str(done.url).endswith(f"/records/salesforce/patient/{twins.first}")
    assert f"Contact {twins.second} is merged into this one" in done.text
    assert await ends_as_one(twins)


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before", "timeout_after_commit"])
async def test_a_merge_whose_answer_never_came_is_looked_for_and_happens_once(twins, fault):
    twins.breaks("salesforce", SOAP, fault, delay_s=0.1)
    await merges(twins)
    for _ in range(4):
        await twins.time_passes(timedelta(minutes=1))
        await settles(twins)

    assert await ends_as_one(twins)
    assert twins.calls("salesforce", SOAP) == (2 if fault == "drop_before" else 1)


async def test_a_worker_that_dies_after_the_merge_leaves_nothing_open(twins):
    await merges(twins)
    await twins.time_passes(timedelta(seconds=1))
    work = await twins.takes()
    await twins.dies_when(work, lambda: gone(twins))
    await twins.time_passes(timedelta(minutes=5))
    await settles(twins)

    assert await ends_as_one(twins)
    assert twins.calls("salesforce", SOAP) == 1


async def test_a_refused_merge_is_a_failure_with_its_cause_and_the_word_counts_at_the_next_try(twins):
    right = "sf:INSUFFICIENT_ACCESS_OR_READONLY"
    fault = f'<E xmlns="http://schemas.xmlsoap.org/soap/envelope/"><faultcode xmlns="">{right}</faultcode></E>'
    twins.breaks("salesforce", SOAP, "error", body=fault)
    await merges(twins)
    await settles(twins)
    (failure,) = await twins.rows(failures)
    states = [row.state for row in await twins.rows(decisions)]
    await twins.web.post(f"/api/v1/failures/retry?cause={failure.cause}&expected=1", headers=BEARER)
    await settles(twins)

    assert (failure.cause, failure.is_held, states) == ("INSUFFICIENT_ACCESS_OR_READONLY", False, ["open"])
    assert await ends_as_one(twins)


async def test_it_is_not_merged_into_a_contact_that_is_not_the_charts(twins):
    other = twins.human_enters_contact(FirstName="Otto", LastName="Other", Birthdate="1970-01-01")
    taken = await merges(twins, into=other)
    await settles(twins)

    assert taken.status_code == 200
    assert gone(twins) == {}
    assert [row.state for row in await twins.rows(decisions)] == ["overtaken"]
    assert [one["cause"] for one in await items(twins)] == ["chart_of_another_contact"]


async def test_a_contact_that_is_another_person_by_now_is_merged_into_nobody(twins):
    await merges(twins)
    twins.human_edits_contact(twins.second, LastName="Changed")
    await settles(twins)

    assert gone(twins) == {}
    assert twins.calls("salesforce", SOAP) == 0
    assert sorted(one["last_name"] for one in twins.charts()) == sorted(one["LastName"] for one in twins.contacts())


async def test_what_is_not_held_for_it_is_not_merged(twins):
    itself = await merges(twins, into=twins.second)
    no_id = await merges(twins, into="no id")
    twice = [await merges(twins) for _ in range(2)]
    await settles(twins)
    over = await merges(twins)

    assert [one.status_code for one in (itself, *twice)] == [409, 200, 409]
    assert "the record itself" in itself.json()["detail"]
    assert (no_id.status_code, over.status_code) == (422, 404)
    assert await ends_as_one(twins)
