"""A first load by the API and the console: it is counted, said wherever people look, asked once, and then made."""

from datetime import timedelta

import pytest

from app.operations.health.model import CheckState
from app.operations.selfcheck import check_backfill
from app.runtime import open_inbox
from app.store.tables import audit
from app.sync.model import Kind
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR
from tests.flow.patience import ages
from workers.compare.reconcile import backfill_when_asked, record_connection

BEARER = {"authorization": f"Bearer {OPERATOR}"}
NOBODY_LOOKED = "not loaded yet: nobody has looked; run `chronobridge backfill --dry-run`"


@pytest.fixture
async def old(clinic):
    """A clinic whose Ada and two ticked Contacts, one without a gender, were there before it was connected."""
    await clinic.registers(first_name="Ada")
    clinic.human_ticks_contact()
    clinic.human_ticks_contact(FirstName="Lacks", DrChrono_Gender__c=None)
    await clinic.was_never_loaded()
    for kind in (Kind.PATIENT, Kind.APPOINTMENT):
        await record_connection(clinic.runtime, kind)
    return clinic


async def works(clinic):
    """A worker does what was asked for, and applies what is due."""
    inbox = open_inbox(clinic.runtime, lambda _group: None)
    await backfill_when_asked(clinic.runtime, inbox, lambda _kinds: None)
    await inbox.close()
    await clinic.settles()


async def asks(clinic, path="", **body):
    if not path:
        return (await clinic.web.get("/api/v1/backfill", headers=BEARER)).json()
    answer = await clinic.web.post(f"/api/v1/backfill/{path}", headers=BEARER, json=body or None)
    return answer.raise_for_status().json()


def state_of(answer):
    return {one["kind"]: one["state"] for one in answer["kinds"]}


async def health(clinic):
    await clinic.app.state.health.look()
    return (await clinic.web.get("/healthz")).json()


async def acts(clinic):
    return [(row.action, row.about) for row in await clinic.rows(audit) if row.action in ("preview", "backfill")]


async def test_before_anybody_looked_everybody_is_told_what_to_run(old):
    said, checked = await health(old), await check_backfill(old.runtime)

    assert (said["parts"]["backfill"]["state"], said["parts"]["backfill"]["advice"]) == ("ok", NOBODY_LOOKED)
    assert (checked.state, f"{checked.says}; {checked.fix}") == (CheckState.OK, NOBODY_LOOKED)
    assert (await asks(old))["says"] == NOBODY_LOOKED


async def test_a_preview_is_made_by_a_worker_and_its_numbers_are_said_with_when_they_were_counted(old):
    asked = await asks(old, "preview")
    await works(old)

    found = await asks(old)
    assert state_of(asked) == {"patient": "previewing", "appointment": "previewing"}
    assert state_of(found) == {"patient": "not_loaded", "appointment": "not_loaded"}
    patients = found["kinds"][0]
    assert (patients["counts"]["there"], patients["counts"]["would_create"]) == (
        {"drchrono": 1, "salesforce": 2},
        {"drchrono": 1, "salesforce": 1},
    )
    assert "1 patient, 2 Contacts, 0 would match" in found["says"]
    assert "1 lacks something (counted 20" in found["says"]
    assert found["says"] == (await health(old))["parts"]["backfill"]["advice"]
    assert (old.writes(), await acts(old)) == ([], [("preview", "patients"), ("preview", "appointments")])


async def test_a_load_is_asked_for_once_and_made_by_a_worker(old):
    for _ in range(2):
        asked = await asks(old, "load", kinds=["patient"])
    await works(old)

    assert state_of(asked) == {"patient": "loading", "appointment": "not_loaded"}
    after = state_of(await asks(old))
    assert (after["patient"] in ("applying", "loaded"), after["appointment"]) == (True, "not_loaded")
    assert len(old.charts()) == 2
    assert await acts(old) == [("backfill", "patients")]


async def test_what_keeps_a_worker_from_it_is_said_and_it_goes_on_after(old):
    await asks(old, "load", kinds=["patient"])
    old.breaks("drchrono", "POST /api/patients_list", "error", status=500, next=1)

    await works(old)
    said = (await asks(old))["kinds"][0]

    await ages(old, timedelta(minutes=2))
    await works(old)

    assert (said["state"], "drchrono" in said["problem"]) == ("loading", True)
    assert (len(old.charts()), (await asks(old))["kinds"][0]["problem"]) == (2, None)


@pytest.mark.parametrize("kinds", [["doctor"], ["patient", "office"]])
async def test_what_comes_at_once_is_not_loaded_on_its_own(old, kinds):
    answer = await old.web.post("/api/v1/backfill/load", headers=BEARER, json={"kinds": kinds})

    assert answer.status_code == 409
    assert await acts(old) == []


async def test_an_operator_previews_and_starts_on_the_first_page_and_is_asked_once(old):
    async with browsing(old) as browser:
        await browser.signs_in(OPERATOR)
        before = (await browser.open("/")).text
        await browser.presses("Preview")
        await works(old)
        counted = (await browser.open("/")).text
        question = await browser.presses("Start the initial sync of patients")
        still = await acts(old)
        await browser.presses("Start the initial sync")
        under_way = (await browser.open("/")).text
        await works(old)
        after = (await browser.open("/")).text

    assert "Nobody has counted yet what there is." in before
    assert "1 patient in DrChrono, 2 Contacts in Salesforce" in counted
    assert (question.heading, ("backfill", "patients") in still) == ("Start the initial sync of patients?", False)
    assert "read in DrChrono" in under_way
    assert "Start the initial sync of patients" not in after
    assert len(old.charts()) == 2


async def test_once_everything_is_loaded_nothing_is_said(clinic):
    said = await health(clinic)

    assert said["parts"]["backfill"]["advice"] is None
    assert (await asks(clinic))["says"] is None
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        assert "Initial sync" not in (await browser.open("/")).text
