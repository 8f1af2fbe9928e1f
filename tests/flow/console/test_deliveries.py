"""Deliveries are looked through, inspected masked, revealed with a note, and run again: one, or all that match."""

import pytest
import sqlalchemy as sa

from app.settings.fields import Settings
from app.store.tables import deliveries
from tests.flow.browser import browsing
from tests.flow.clinic import LOOKS, OPERATOR, opened

VIEWER = "viewer-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}


@pytest.fixture
async def clinic(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as it:
        yield it


async def found(clinic, **asked):
    return (await clinic.web.get("/api/v1/deliveries", headers=BEARER, params=asked)).json()


async def acts(clinic):
    return [
        (one["who"], one["action"], one["about"], one["records"])
        for one in (await clinic.web.get("/api/v1/audit", headers=BEARER)).json()["items"]
        if one["action"] not in LOOKS
    ]


async def test_deliveries_are_listed_newest_first_and_filtered(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    await clinic.hears()
    await clinic.delivers({"id": 7}, event="LAB_ORDER_CREATE")
    await clinic.delivers(patient)

    every = await found(clinic)

    outcomes = [(one["side"], one["outcome"]) for one in every["items"]]
    assert outcomes == [("drchrono", "kept"), ("drchrono", "skipped"), ("salesforce", "kept"), ("drchrono", "kept")]
    assert [one["received_at"] for one in every["items"]] == sorted(
        (one["received_at"] for one in every["items"]), reverse=True
    )
    assert (await found(clinic, outcome="skipped"))["total"] == 1
    assert (await found(clinic, side="salesforce"))["total"] == 1
    assert (await found(clinic, kind="patient", record_id=str(patient["id"])))["total"] == 2
    assert [one["id"] for one in (await found(clinic, open="true"))["items"]] == [
        every["items"][0]["id"],
        every["items"][2]["id"],
    ]


async def test_pages_follow_one_another_without_a_gap(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    for _ in range(5):
        await clinic.delivers(patient)

    first = await found(clinic, limit=3)
    rest = await found(clinic, limit=3, before=first["next"])

    ids = [one["id"] for one in (*first["items"], *rest["items"])]
    assert (len(set(ids)), rest["next"], first["total"]) == (5, None, 5)


async def test_a_body_is_masked_until_an_operator_reveals_it_and_that_is_noted(clinic):
    await clinic.has_linked(first_name="Canary", last_name="Test")
    (one,) = (await found(clinic))["items"]
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        masked = await browser.open(f"/deliveries/{one['id']}")
        shown = await browser.presses("Reveal")

    assert "Canary" not in masked.text
    assert "•••" in masked.text
    assert "Canary" in shown.text
    assert [act[1:] for act in await acts(clinic)] == [("reveal", f"delivery {one['id']}", 1)]


async def test_a_viewer_can_neither_reveal_nor_run_again(clinic):
    await clinic.has_linked(first_name="Canary", last_name="Test")
    (one,) = (await found(clinic))["items"]
    viewer = {"authorization": f"Bearer {VIEWER}"}
    async with browsing(clinic) as browser:
        await browser.signs_in(VIEWER)
        page = await browser.open(f"/deliveries/{one['id']}")

    answers = [
        await clinic.web.post(f"/api/v1/deliveries/{one['id']}/reveal", headers=viewer),
        await clinic.web.post("/api/v1/replay", headers=viewer, json={"ids": [one["id"]]}),
        await clinic.web.post("/api/v1/deliveries/replay?expected=1", headers=viewer),
    ]

    assert [form.action for form in page.forms] == ["/find", "/logout"]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert await acts(clinic) == []


async def test_what_was_run_again_is_looked_at_and_an_old_body_overwrites_nothing(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test", cell_phone="(555) 010-0142")
    (first,) = (await found(clinic))["items"]
    edited = await clinic.edits(patient, cell_phone="(555) 010-0199")
    await clinic.arrives(edited)

    told = await clinic.web.post("/api/v1/replay", headers=BEARER, json={"ids": [first["id"], "nobody's"]})
    due = (await clinic.web.get("/api/v1/queue", headers=BEARER)).json()["depth"]
    await clinic.settles()
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert told.json() == {"deliveries": 1, "records": 1, "empty": 0, "unknown": ["nobody's"]}
    assert due == 1
    assert clinic.contact()["MobilePhone"].endswith("0199")
    assert clinic.chart(patient)["cell_phone"].endswith("0199")
    assert await clinic.unfinished() == []


async def test_running_again_what_is_in_step_writes_nothing_and_asks_drchrono_nothing(clinic):
    await clinic.has_linked(first_name="Ada", last_name="Test")
    (first,) = (await found(clinic))["items"]
    before = clinic.writes()

    await clinic.web.post("/api/v1/replay", headers=BEARER, json={"ids": [first["id"]]})
    await clinic.settles()

    assert (clinic.writes(), clinic.calls("drchrono", "GET")) == (before, 0)
    assert await clinic.unfinished() == []


async def test_a_delivery_whose_body_was_dropped_has_drchrono_asked_instead(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    (first,) = (await found(clinic))["items"]
    await clinic.edits(patient, first_name="Adele")  # DrChrono never told

    async def drop(connection):
        await connection.execute(sa.update(deliveries).values(body=None))

    await clinic.runtime.database.transact(drop)
    await clinic.web.post("/api/v1/replay", headers=BEARER, json={"ids": [first["id"]]})
    await clinic.settles()

    assert clinic.contact()["FirstName"] == "Adele"
    assert clinic.calls("drchrono", "GET /api/patients/{id}") == 1


async def test_all_that_match_are_run_again_only_after_their_number_was_seen(clinic):
    for name in ("Ada", "Grace"):
        await clinic.arrives(await clinic.registers(first_name=name, last_name="Test"), event="PATIENT_CREATE")
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/deliveries?side=drchrono")
        asked = await browser.presses("Replay all 2 that match…")
        before = await acts(clinic)
        await clinic.delivers(await clinic.registers(first_name="Joan", last_name="Test"))
        more = await browser.presses("Replay 2")
        done = await browser.presses("Replay 3")

    assert "2 match in the last 24 hours, and would be replayed" in asked.text
    assert before == []
    assert "3 match in the last 24 hours, and would be replayed" in more.text, (
        "one more had come in: the number is shown anew"
    )
    assert "3 replayed; 3 records are pending by that." in done.text
    assert [act[1:] for act in await acts(clinic)] == [("replay", "3 deliveries", 3)]


async def test_a_script_that_expects_fewer_is_told_to_look_again(clinic):
    for name in ("Ada", "Grace"):
        await clinic.arrives(await clinic.registers(first_name=name, last_name="Test"), event="PATIENT_CREATE")

    refused = await clinic.web.post("/api/v1/deliveries/replay?expected=1", headers=BEARER)
    done = await clinic.web.post("/api/v1/deliveries/replay?expected=2", headers=BEARER)

    assert (refused.status_code, refused.json()) == (409, {"detail": "2 match by now, not 1: look again"})
    assert done.json()["deliveries"] == 2
