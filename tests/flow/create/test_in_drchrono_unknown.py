"""Dying, or missing the answer, anywhere between plan and record of a create: one chart, and the Contact names it.

DrChrono keeps no key of ours, so nothing tells a second POST from a first one. What may have happened is searched for,
twice, before it is tried again.
"""

from datetime import timedelta

import pytest

from app.store import identity_index, journal
from app.sync.decide import decide
from tests.flow.clinic import DRCHRONO_LIMIT, SEARCH_GAP
from tests.flow.create.test_in_drchrono import POST, assert_one_pair, causes, goes_on, named
from workers.lease import renewing
from workers.match import match_before_create
from workers.write import prepare_writes

LEASE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND = timedelta(seconds=1)
LIST = "GET /api/patients?"


@pytest.fixture(params=[pytest.param("shown at once", marks=pytest.mark.long), "lists are stale"])
def ticked(request, clinic):
    """A Contact that is ticked; DrChrono's lists show a new chart at once, or seconds later."""
    if request.param == "lists are stale":
        clinic.drchrono.put("/_control/settings", json={"list_stale_s": 60.0})
    return clinic.human_ticks_contact()


async def states(clinic):
    return [row.state for row in await clinic.journal("drchrono") if row.call == "create"]


def searches(clinic):
    """How often DrChrono's list of patients was asked for."""
    calls = clinic.drchrono.get("/_control/calls").json()["calls"]
    return sum(1 for call in calls if call["method"] == "GET" and call["path"] == "/api/patients")


async def until_given_up(clinic):
    """Everything that may be looked for has been, twice and late enough."""
    for span in (clinic.confirm_after, SEARCH_GAP, DRCHRONO_LIMIT, SEARCH_GAP, SEARCH_GAP):
        await clinic.settles()
        await clinic.time_passes(span + SECOND)
        if span is clinic.confirm_after:
            clinic.drchrono.put("/_control/settings", json={"list_stale_s": 0})  # by now the lists have caught up
    await goes_on(clinic)


async def test_a_chart_that_was_made_unanswered_is_found_and_named(clinic, ticked):
    clinic.breaks("drchrono", POST, "drop_after_commit")
    await clinic.hears()
    await clinic.settles()
    after_the_call = await states(clinic)

    await until_given_up(clinic)

    assert after_the_call == ["unknown"]
    await assert_one_pair(clinic)
    assert (clinic.calls("drchrono", POST), await states(clinic)) == (1, ["confirmed"])


async def test_a_chart_that_was_never_made_is_made_after_two_searches_and_drchronos_limit(clinic, ticked):
    clinic.breaks("drchrono", POST, "drop_before")
    await clinic.hears()
    await clinic.settles()
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()
    await clinic.time_passes(SEARCH_GAP + SECOND)
    await clinic.hears()
    await clinic.settles()
    before_the_limit = clinic.calls("drchrono", POST)
    await clinic.time_passes(DRCHRONO_LIMIT)
    await clinic.settles()
    found_nothing_twice = searches(clinic)

    await until_given_up(clinic)

    assert before_the_limit == 1
    assert found_nothing_twice >= 3, "one before the first POST, two for it"
    await assert_one_pair(clinic)
    assert (clinic.calls("drchrono", POST), await states(clinic)) == (2, ["refused", "confirmed"])


async def test_a_chart_that_lands_after_the_first_search_is_found_by_the_second(clinic, ticked):
    clinic.breaks("drchrono", POST, "drop_before")
    await clinic.hears()
    await clinic.settles()
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()
    landed = await clinic.registers(
        first_name="Tess", last_name="Sample", date_of_birth="1990-02-03", email="tess@example.com"
    )

    await until_given_up(clinic)

    assert (await assert_one_pair(clinic))["id"] == landed["id"]
    assert clinic.calls("drchrono", POST) == 1


async def test_dying_between_planned_and_post_leads_to_one_chart(clinic, ticked):
    await clinic.hears()
    work = await clinic.takes()
    looked = await clinic.looks(work)
    plans = {one.link.id: decide(work.rules, one.link, one.seen, work.leased.now) for one in looked}
    async with renewing(work) as lease:
        plans = await match_before_create(work, looked, plans)
        entries = [write.entry for write in prepare_writes(work, looked[0], plans[looked[0].link.id])]
        await journal.plan(clinic.runtime.database, lease.token, entries, DRCHRONO_LIMIT)
    await clinic.time_passes(LEASE)
    await clinic.settles()
    at_first = (clinic.calls("drchrono", POST), await states(clinic))

    await until_given_up(clinic)

    assert at_first == (0, ["planned"]), "it may have been sent, and may land until DrChrono gives it up"
    await assert_one_pair(clinic)
    assert (clinic.calls("drchrono", POST), await states(clinic)) == (1, ["refused", "confirmed"])


async def test_while_a_post_is_in_the_air_a_clock_that_is_put_ahead_does_not_end_the_wait(clinic, ticked):
    await clinic.hears()
    work = await clinic.takes()
    looked = await clinic.looks(work)
    plans = {one.link.id: decide(work.rules, one.link, one.seen, work.leased.now) for one in looked}
    async with renewing(work) as lease:
        plans = await match_before_create(work, looked, plans)
        entries = [write.entry for write in prepare_writes(work, looked[0], plans[looked[0].link.id])]
        await journal.plan(clinic.runtime.database, lease.token, entries, DRCHRONO_LIMIT)
    await clinic.clock_is_put_ahead(HOUR)
    for _ in range(3):
        await clinic.time_passes(DRCHRONO_LIMIT / 4)
        await clinic.settles()
    at_first = (clinic.calls("drchrono", POST), await states(clinic))

    await until_given_up(clinic)

    assert at_first == (0, ["planned"]), "the hour that was added is not one in which DrChrono gave it up"
    await assert_one_pair(clinic)
    assert (clinic.calls("drchrono", POST), await states(clinic)) == (1, ["refused", "confirmed"])


async def test_dying_after_the_post_before_its_journal_leads_to_one_chart(clinic, ticked):
    await clinic.hears()
    clinic.breaks("drchrono", POST, "timeout_after_commit", delay_s=0.3)
    await clinic.dies_when(await clinic.takes(), clinic.charts)
    died_with = await states(clinic)
    await clinic.time_passes(LEASE)

    await until_given_up(clinic)

    assert died_with == ["planned"]
    await assert_one_pair(clinic)
    assert (clinic.calls("drchrono", POST), await states(clinic)) == (1, ["confirmed"])


async def test_dying_after_the_journal_before_the_record_remembers_which_chart_it_was(clinic, ticked):
    await clinic.hears()
    work = await clinic.takes()
    looked = await clinic.looks(work)
    await clinic.writes_out(work, looked)
    listed = searches(clinic)
    await clinic.time_passes(LEASE)

    await clinic.settles()
    at_once = (named(clinic), searches(clinic))
    await goes_on(clinic)

    assert at_once[1] == listed, "the journal knows; nothing has to be found"
    await assert_one_pair(clinic)
    assert clinic.calls("drchrono", POST) == 1


async def test_dying_in_the_match_leaves_it_to_the_next(clinic, ticked):
    await clinic.hears()
    work = await clinic.takes()
    looked = await clinic.looks(work)
    plans = {one.link.id: decide(work.rules, one.link, one.seen, work.leased.now) for one in looked}
    await match_before_create(work, looked, plans)
    await clinic.time_passes(LEASE)

    await goes_on(clinic)

    await assert_one_pair(clinic)


async def test_a_lost_write_back_is_made_later(clinic, ticked):
    clinic.breaks("salesforce", "PATCH /services/data", "drop_before", next=1)
    await clinic.hears()
    await clinic.settles()
    lost = named(clinic)

    for _ in range(3):
        await clinic.time_passes(timedelta(minutes=10))
        await clinic.settles()

    assert lost == [None]
    await assert_one_pair(clinic)
    assert clinic.calls("drchrono", POST) == 1


async def test_a_contact_that_is_renamed_while_its_create_is_unknown_gets_no_second_chart(clinic, ticked):
    clinic.breaks("drchrono", POST, "drop_after_commit")
    await clinic.hears()
    await clinic.settles()
    clinic.human_edits_contact(FirstName="Theresa", Birthdate="1990-03-02", Email="new@example.com")
    await clinic.hears()

    await until_given_up(clinic)

    (chart,) = clinic.charts()
    assert named(clinic) == [str(chart["id"])]
    assert clinic.calls("drchrono", POST) == 1
    assert (chart["first_name"], chart["email"]) == ("Theresa", "new@example.com"), "an edit since, of what we wrote"


@pytest.mark.parametrize("what", ["unticked", "deleted"])
async def test_what_an_unknown_create_made_is_not_lost_when_nobody_wants_it_any_more(clinic, ticked, what):
    clinic.breaks("drchrono", POST, "drop_after_commit")
    await clinic.hears()
    await clinic.settles()
    if what == "unticked":
        clinic.human_edits_contact(Sync_To_DrChrono__c=False)
    else:
        await clinic.hears()
        clinic.salesforce.delete(f"/_control/records/Contact/{ticked}")

    await until_given_up(clinic)

    (link,) = await clinic.links()
    assert (link.drchrono_id, link.salesforce_id) == (str(clinic.charts()[0]["id"]), ticked)
    assert await causes(clinic) == (["gone_in_salesforce"] if what == "deleted" else [])


async def test_the_webhook_of_an_unanswered_create_settles_it_before_any_limit(clinic, ticked):
    clinic.drchrono.put("/_control/settings", json={"list_stale_s": 60})
    clinic.breaks("drchrono", POST, "drop_after_commit")
    await clinic.hears()
    await clinic.settles()

    await clinic.delivers(clinic.charts()[0], event="PATIENT_CREATE")
    await goes_on(clinic)

    await assert_one_pair(clinic)
    assert (clinic.calls("drchrono", POST), len(clinic.contacts())) == (1, 1)


async def test_a_create_that_is_never_answered_ends_with_a_person_not_with_a_heap_of_charts(clinic, ticked):
    clinic.breaks("drchrono", POST, "drop_before", next=None)
    await clinic.hears()

    for _ in range(20):
        await clinic.settles()
        await clinic.time_passes(timedelta(minutes=3))

    assert await causes(clinic) == ["create_unanswered"]
    assert clinic.calls("drchrono", POST) == 3, "as often as ATTEMPT_LIMIT says"


async def test_a_twin_waits_while_a_create_is_unknown(clinic, ticked):
    clinic.breaks("drchrono", POST, "drop_after_commit")
    await clinic.hears()
    await clinic.settles()
    twin = clinic.human_ticks_contact()
    await clinic.hears_of(twin)
    await clinic.settles()

    await until_given_up(clinic)

    assert len(clinic.charts()) == 1
    assert clinic.calls("drchrono", POST) == 1


async def test_a_dead_workers_match_is_free_once_its_lease_has_run_out(clinic, ticked):
    await clinic.hears()
    work = await clinic.takes()
    person = {work.leased.due[0].link.id: "p" * 64}
    first = await identity_index.lease_people(clinic.runtime.database, work.leased.token, person)
    other = await identity_index.lease_people(clinic.runtime.database, "another", person)

    await clinic.time_passes(LEASE)

    assert (first, other) == ({"p" * 64}, set())
    assert await identity_index.lease_people(clinic.runtime.database, "another", person) == {"p" * 64}


async def test_an_answer_that_no_code_of_ours_foresaw_leaves_a_create_unknown_and_its_neighbors_go_through(clinic):
    clinic.human_ticks_contact(FirstName="Ada")
    clinic.human_ticks_contact(FirstName="Ben", Birthdate="1991-02-03")
    clinic.breaks("drchrono", POST, "answer_after_commit", status=201, body="[" * 100_000)
    await clinic.hears()
    await clinic.settles()
    after_the_calls = sorted(await states(clinic))

    await until_given_up(clinic)

    assert after_the_calls == ["confirmed", "unknown"]
    assert sorted(named(clinic)) == sorted(str(chart["id"]) for chart in clinic.charts())
    assert (clinic.calls("drchrono", POST), await states(clinic)) == (2, ["confirmed"] * 2)
