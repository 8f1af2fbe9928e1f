"""A Contact somebody ticks becomes a chart, once: created where nobody is there, linked where one is, else held."""

import asyncio
from datetime import timedelta

import pytest

from app.settings.fields import Settings
from app.store.tables import matches
from app.sync.failure_causes import fix
from tests.flow.clinic import DOCTOR, TICKED, opened

POST = "POST /api/patients"
SEARCH = "GET /api/patients"
SOON = timedelta(seconds=3)
WHO = {"first_name": "Tess", "last_name": "Sample", "date_of_birth": "1990-02-03", "gender": "Female"}


async def goes_on(clinic, times=4, span=SOON):
    """Workers go on for a while, and as long as what was promised needs."""
    for wait in (*[span] * times, clinic.confirm_after):
        await clinic.settles()
        await clinic.time_passes(wait)
    await clinic.settles()


def named(clinic):
    """The charts the Contacts name."""
    return [contact["DrChrono_Patient_Id__c"] for contact in clinic.contacts()]


async def causes(clinic):
    return sorted(cause for _, cause, _ in await clinic.failures())


async def assert_one_pair(clinic):
    (chart,) = clinic.charts()
    assert named(clinic) == [str(chart["id"])]
    (link,) = await clinic.links()
    assert (link.drchrono_id, link.salesforce_id) == (str(chart["id"]), clinic.contact()["Id"])
    assert (link.due_at, await clinic.unfinished(), await clinic.failures()) == (None, [], [])
    assert [row.person for row in await clinic.rows(matches) if row.until > clinic.runtime.now()] == []
    return chart


async def test_a_ticked_contact_becomes_a_chart_that_it_names(clinic):
    clinic.human_ticks_contact(MobilePhone="(555) 010-0142")

    await clinic.hears()
    await clinic.settles()
    calls = [clinic.calls("drchrono", call) for call in (POST, SEARCH)]
    written = named(clinic)
    await goes_on(clinic)

    chart = await assert_one_pair(clinic)
    assert (calls, written) == ([1, 1], [str(chart["id"])]), "one search, one POST, and the Contact names it at once"
    assert {name: chart[name] for name in WHO} == WHO
    assert (chart["email"], chart["cell_phone"]) == ("tess@example.com", "(555) 010-0142")
    assert str(chart["doctor"]) == DOCTOR
    assert clinic.contact()["DrChrono_Chart_Id__c"] == chart["chart_id"]


async def test_however_often_it_is_told_there_is_one_chart(clinic):
    clinic.human_ticks_contact()
    for _ in range(5):
        await clinic.hears()

    await clinic.settles()
    for _ in range(5):
        await clinic.hears()
        await goes_on(clinic)

    await assert_one_pair(clinic)
    assert clinic.calls("drchrono", POST) == 1


async def test_two_workers_that_hear_of_it_at_once_make_one_chart(clinic):
    clinic.human_ticks_contact()
    await clinic.hears()
    slow = await clinic.takes()
    await clinic.hears()

    await asyncio.gather(clinic.carries_on(slow), clinic.settles())
    await goes_on(clinic)

    await assert_one_pair(clinic)
    assert clinic.calls("drchrono", POST) == 1


async def test_a_chart_brings_back_what_drchrono_made_of_it(clinic):
    clinic.human_ticks_contact()
    await clinic.hears()
    await clinic.settles()

    await clinic.arrives(clinic.charts()[0], event="PATIENT_CREATE")

    chart = await assert_one_pair(clinic)
    assert clinic.contact()["DrChrono_Chart_Id__c"] == chart["chart_id"]
    assert clinic.calls("drchrono", "PATCH") == 0


async def test_a_contact_nobody_ticked_stays_where_it_is(clinic):
    contact = clinic.human_ticks_contact(Sync_To_DrChrono__c=False)
    await clinic.hears()
    await clinic.settles()
    before = (clinic.charts(), clinic.calls("drchrono", ""), await clinic.links())

    clinic.human_edits_contact(contact, Sync_To_DrChrono__c=True)
    await clinic.hears()
    await goes_on(clinic)

    assert before == ([], 0, [])
    await assert_one_pair(clinic)


@pytest.mark.parametrize("missing", ["FirstName", "Birthdate", "DrChrono_Gender__c"])
async def test_what_drchrono_demands_is_named_as_salesforce_names_it(clinic, missing):
    contact = clinic.human_ticks_contact(**{missing: None})
    await clinic.hears()
    await clinic.settles()
    failures, calls = await clinic.failures(), clinic.calls("drchrono", "")

    clinic.human_edits_contact(contact, **{missing: TICKED[missing]})
    await clinic.hears()
    await goes_on(clinic)

    assert failures == [("salesforce", "missing_for_drchrono", missing)]
    assert calls == 0
    assert "Fill the named field" in fix("missing_for_drchrono")
    await assert_one_pair(clinic)


async def test_a_failure_of_a_contact_that_is_unticked_goes_away(clinic):
    contact = clinic.human_ticks_contact(Birthdate=None)
    await clinic.hears()
    await clinic.settles()

    clinic.human_edits_contact(contact, Sync_To_DrChrono__c=False)
    await clinic.hears()
    await clinic.settles()

    assert (await clinic.failures(), await clinic.links(), await clinic.unfinished()) == ([], [], [])


async def test_without_any_doctor_the_failure_names_where_one_goes(known, empty_vendors):
    nobody = Settings.model_validate(known.model_dump() | {"drchrono_default_doctor": None})
    async with opened(nobody, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        clinic.human_ticks_contact()
        await clinic.hears()
        await clinic.settles()

        ((side, cause, fields),) = await clinic.failures()
        assert (side, cause) == ("salesforce", "missing_for_drchrono")
        assert "DrChrono_Doctor__" in fields
        assert clinic.charts() == []


@pytest.mark.parametrize("status", ["A", "I"], ids=["active", "inactive"])
async def test_a_chart_that_is_there_is_linked_not_doubled(clinic, status):
    chart = await clinic.registers(**{**WHO, "first_name": "TÉSS", "patient_status": status, "city": "Chartville"})
    clinic.human_ticks_contact(Email="crm@example.com")

    await clinic.hears()
    await goes_on(clinic)

    assert (await assert_one_pair(clinic))["id"] == chart["id"]
    assert clinic.calls("drchrono", POST) == 0
    assert (clinic.contact()["FirstName"], clinic.contact()["MailingCity"]) == ("TÉSS", "Chartville")
    assert clinic.chart(chart)["email"] == "crm@example.com"


async def test_whoever_shares_only_the_birth_date_is_somebody_else(clinic):
    await clinic.registers(**{**WHO, "first_name": "Tessa"})
    clinic.human_ticks_contact()

    await clinic.hears()
    await clinic.settles()

    assert clinic.calls("drchrono", POST) == 1
    assert len(clinic.charts()) == 2


async def test_several_charts_wait_for_a_person_who_says_which(clinic):
    first, _ = [await clinic.registers(**WHO) for _ in range(2)]
    contact = clinic.human_ticks_contact()
    await clinic.hears()
    await goes_on(clinic)
    held = await causes(clinic)

    clinic.human_edits_contact(contact, DrChrono_Patient_Id__c=str(first["id"]))
    await clinic.hears()
    await goes_on(clinic, span=clinic.confirm_after)

    assert held == ["several_charts"]
    assert "put its id into the Contact" in fix("several_charts")
    assert clinic.calls("drchrono", POST) == 0
    assert [row.drchrono_id for row in await clinic.links()] == [str(first["id"])]
    assert await clinic.failures() == []


@pytest.mark.parametrize(
    ("chart", "contact"),
    [({"email": "TESS@example.com"}, {}), ({"home_phone": "555-010-0142"}, {"MobilePhone": "(555) 010 0142"})],
    ids=["e-mail", "a phone under another name"],
)
async def test_an_equal_email_or_phone_tells_several_apart(clinic, chart, contact):
    await clinic.registers(**WHO, email="other@example.com")
    wanted = await clinic.registers(**WHO, **chart)
    clinic.human_ticks_contact(**contact)

    await clinic.hears()
    await goes_on(clinic)

    assert named(clinic) == [str(wanted["id"])]
    assert (await clinic.failures(), clinic.calls("drchrono", POST)) == ([], 0)


async def test_twin_contacts_ticked_at_once_make_one_chart_and_one_waits_for_a_person(clinic):
    twins = [clinic.human_ticks_contact() for _ in range(2)]

    await clinic.hears()
    await goes_on(clinic)

    (chart,) = clinic.charts()
    assert sorted(map(str, named(clinic))) == sorted([str(chart["id"]), "None"])
    assert await causes(clinic) == ["chart_of_another_contact"]
    assert {row.salesforce_id for row in await clinic.links()} == set(twins)
    assert clinic.calls("drchrono", POST) == 1


async def test_twin_contacts_at_two_workers_make_one_chart(clinic):
    clinic.drchrono.put("/_control/settings", json={"list_stale_s": 30})
    clinic.human_ticks_contact()
    await clinic.hears()
    one = await clinic.takes()
    clinic.human_ticks_contact()
    await clinic.hears()
    other = await clinic.takes()

    await asyncio.gather(clinic.carries_on(one), clinic.carries_on(other))
    await goes_on(clinic)

    assert len(clinic.charts()) == 1, "our own index knows what DrChrono's lists do not show yet"
    assert await causes(clinic) == ["chart_of_another_contact"]


async def test_a_chart_whose_contact_names_it_gets_no_second_one(clinic):
    chart = await clinic.registers(**WHO)
    first = clinic.human_enters_contact(DrChrono_Patient_Id__c=str(chart["id"]))
    second = clinic.human_ticks_contact()
    await clinic.hears_of(second)

    await goes_on(clinic)

    assert await causes(clinic) == ["chart_of_another_contact"]
    assert [one["DrChrono_Patient_Id__c"] for one in clinic.contacts() if one["Id"] != first] == [None]


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize(
    "body",
    [
        {"non_field_errors": ["Potential duplicate patient(s) found."]},
        {"detail": {"errors": [{"message": "POTENTIAL DUPLICATE patient(s) found"}]}},
    ],
    ids=["as documented", "under another key"],
)
async def test_what_drchrono_takes_for_a_duplicate_is_held_and_never_forced(clinic, status, body):
    clinic.breaks("drchrono", POST, "error", status=status, body=body, next=None)
    clinic.human_ticks_contact()

    await clinic.hears()
    await goes_on(clinic, span=timedelta(minutes=10))

    assert await causes(clinic) == ["potential_duplicate"]
    assert (clinic.charts(), clinic.calls("drchrono", POST)) == ([], 1)
    assert "allow" not in str(clinic.drchrono.get("/_control/calls").json())


async def test_the_duplicate_flag_of_a_practice_holds_whom_we_may_not_see(clinic):
    await clinic.registers(**{**WHO, "last_name": "sample", "date_of_birth": "1990-02-03"})
    clinic.drchrono.put("/_control/settings", json={"prevent_duplicates": True})
    clinic.breaks("drchrono", SEARCH, "error", status=200, body={"results": [], "next": None}, next=1)
    clinic.human_ticks_contact()

    await clinic.hears()
    await clinic.settles()

    assert await causes(clinic) == ["potential_duplicate"]
    assert len(clinic.charts()) == 1


async def test_a_field_drchrono_refuses_is_named_as_in_salesforce_and_the_rest_is_made(clinic):
    clinic.human_ticks_contact(Email="nobody@nowhere.example")
    clinic.breaks("drchrono", POST, "error", status=400, body={"email": ["Enter a valid email address."]}, next=1)

    await clinic.hears()
    await clinic.settles()

    assert await clinic.failures() == [("salesforce", "HTTP_400", "Email")]
    (chart,) = clinic.charts()
    assert named(clinic) == [str(chart["id"])]


async def test_a_state_that_is_in_no_list_is_named_and_the_rest_is_made(clinic):
    clinic.human_ticks_contact(MailingState="Atlantis")

    await clinic.hears()
    await clinic.settles()

    assert await clinic.failures() == [("salesforce", "unknown_state", "MailingState")]
    assert [chart["state"] for chart in clinic.charts()] == [""]


async def test_a_needed_field_drchrono_refuses_makes_no_chart(clinic):
    complaint = {"doctor": ["no such"], "date_of_birth": ["no"]}
    clinic.breaks("drchrono", POST, "error", status=400, body=complaint, next=None)
    clinic.human_ticks_contact()

    await clinic.hears()
    await clinic.settles()

    ((side, cause, fields),) = await clinic.failures()
    assert (side, cause, "Birthdate" in fields, "DrChrono_Doctor__" in fields) == ("salesforce", "HTTP_400", True, True)
    assert clinic.calls("drchrono", POST) == 1


@pytest.mark.parametrize("what", ["search", "post"])
async def test_a_drchrono_that_is_down_or_busy_makes_it_wait(clinic, what):
    clinic.breaks("drchrono", POST if what == "post" else SEARCH, "throttle")
    clinic.human_ticks_contact()
    await clinic.hears()
    await clinic.settles()
    before = (clinic.charts(), await clinic.failures())

    await goes_on(clinic, span=timedelta(hours=1))

    assert before == ([], [])
    await assert_one_pair(clinic)


async def test_a_chart_that_comes_while_its_contact_is_matched_is_linked_and_neither_is_made_anew(clinic):
    """The front desk registers whom the CRM ticks, in the same second; DrChrono's lists do not show the chart yet."""
    clinic.drchrono.put("/_control/settings", json={"list_stale_s": 30})
    chart = await clinic.registers(**WHO)
    clinic.human_ticks_contact()
    await clinic.delivers(chart, event="PATIENT_CREATE")
    await clinic.hears()

    await goes_on(clinic)

    assert (await assert_one_pair(clinic))["id"] == chart["id"]
    assert (clinic.calls("drchrono", POST), clinic.writes().count("created")) == (0, 0)


@pytest.mark.parametrize("first", ["chart", "contact"])
async def test_a_chart_and_a_contact_of_one_person_at_two_workers_end_as_one_pair(clinic, first):
    clinic.drchrono.put("/_control/settings", json={"list_stale_s": 30})
    chart = await clinic.registers(**WHO)
    clinic.human_ticks_contact()
    works = []
    for which in (first, "contact" if first == "chart" else "chart"):
        await (clinic.delivers(chart, event="PATIENT_CREATE") if which == "chart" else clinic.hears())
        works.append(await clinic.takes())

    if first == "contact":  # the Contact's worker is the slow one: whoever it may meet has to be noted by then
        works.reverse()
    await clinic.carries_on(works[0])
    await clinic.carries_on(works[1])
    await goes_on(clinic)

    assert (await assert_one_pair(clinic))["id"] == chart["id"]
    assert clinic.calls("drchrono", POST) == 0


async def test_our_own_post_delivered_before_its_answer_ends_as_one_pair(clinic):
    clinic.human_ticks_contact()
    await clinic.hears()
    clinic.breaks("drchrono", POST, "timeout_after_commit", delay_s=0.6)
    posting = asyncio.create_task(clinic.carries_on(await clinic.takes()))
    while not clinic.charts():  # noqa: ASYNC110 - the stand-in runs on a thread of its own
        await asyncio.sleep(0.01)

    await clinic.delivers(clinic.charts()[0], event="PATIENT_CREATE")
    await clinic.settles()
    during = len(clinic.contacts())
    await posting
    await goes_on(clinic)

    assert during == 1
    await assert_one_pair(clinic)
    assert (clinic.calls("drchrono", POST), len(clinic.contacts())) == (1, 1)


async def test_a_contact_that_loses_its_charts_id_gets_it_back_and_one_that_names_another_is_held(clinic):
    clinic.human_ticks_contact()
    await clinic.hears()
    await goes_on(clinic)
    (chart,) = clinic.charts()

    clinic.human_edits_contact(DrChrono_Patient_Id__c=None)
    await clinic.hears()
    await clinic.settles()
    back = named(clinic)
    clinic.human_edits_contact(DrChrono_Patient_Id__c="999")
    await clinic.hears()
    await clinic.settles()

    assert back == [str(chart["id"])]
    assert (named(clinic), await causes(clinic)) == (["999"], ["names_another_chart"])


async def test_an_automation_that_keeps_clearing_the_id_is_held(clinic):
    clinic.human_ticks_contact()
    await clinic.hears()
    await goes_on(clinic)
    for _ in range(5):
        clinic.human_edits_contact(DrChrono_Patient_Id__c=None)
        await clinic.hears()
        await clinic.settles()

    assert named(clinic) == [None]
    assert await clinic.failures() == [("salesforce", "rewritten", "DrChrono_Patient_Id__c")]


async def test_nobodys_name_or_birth_date_is_in_a_log_or_a_failure(clinic, capsys, caplog):
    clinic.human_ticks_contact(FirstName="Canary", LastName="Canaryson", Birthdate="1961-12-24")
    twin = {"first_name": "Canary", "last_name": "Canaryson", "date_of_birth": "1961-12-24"}
    await clinic.registers(**{**WHO, **twin})
    await clinic.registers(**{**WHO, **twin})
    await clinic.hears()

    await goes_on(clinic)

    said = "".join(capsys.readouterr()) + str(await clinic.failures())
    assert await causes(clinic) == ["several_charts"]
    assert "anary" not in said
    assert "1961-12-24" not in said


async def test_a_batch_of_ticked_contacts_costs_one_search_and_one_post_each_and_no_more_reads(clinic):
    for n in range(20):
        clinic.human_ticks_contact(FirstName=f"Tess{n}", Birthdate=f"1990-02-{n // 2 + 1:02d}")

    await clinic.hears()
    await clinic.settles()

    assert len(clinic.charts()) == 20
    assert (clinic.calls("drchrono", POST), clinic.calls("drchrono", SEARCH)) == (20, 10), "one search a birth date"
    assert clinic.calls("salesforce", "GET /services/data") == 2
    assert clinic.calls("salesforce", "PATCH /services/data") == 1
