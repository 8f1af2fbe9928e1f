"""A conflict is undone: the old value comes back on both sides, once, unless somebody has edited the field since."""

import asyncio
from datetime import timedelta

import pytest

from app.store.tables import decisions, failures
from tests.flow.browser import browsing
from tests.flow.clinic import LOOKS, OPERATOR
from workers.sync import sync

BEARER = {"authorization": f"Bearer {OPERATOR}"}


@pytest.fixture
async def decided(clinic):
    """A patient whose e-mail both sides had changed: Salesforce owns it, so DrChrono's value was replaced."""
    clinic.patient = await clinic.has_linked(email="old@example.com", city="Testville")
    await clinic.both_edit(clinic.patient, {"email": "desk@example.com"}, {"Email": "crm@example.com"})
    await clinic.arrives(clinic.chart(clinic.patient))  # DrChrono tells of our own PATCH
    assert held(clinic) == ("crm@example.com", "crm@example.com")
    clinic.drchrono.delete("/_control/calls")
    clinic.salesforce.delete("/_control/writes")
    return clinic


def held(clinic):
    return clinic.chart(clinic.patient)["email"], clinic.contact()["Email"]


async def conflict(clinic):
    (item,) = (await clinic.web.get("/api/v1/conflicts", headers=BEARER)).json()["items"]
    return item


async def undoes(clinic):
    return await clinic.web.post(f"/api/v1/conflicts/{(await conflict(clinic))['id']}/undo", headers=BEARER)


async def acts(clinic):
    items = (await clinic.web.get("/api/v1/audit", headers=BEARER)).json()["items"]
    return [(one["action"], one["about"]) for one in items if one["action"] not in LOOKS]


async def test_the_old_value_comes_back_on_both_sides_by_one_write_to_each(decided):
    pressed = await undoes(decided)
    before = held(decided)
    await decided.settles()

    assert (pressed.status_code, pressed.json()["undo"]) == (200, "open")
    assert before == ("crm@example.com", "crm@example.com")
    assert held(decided) == ("desk@example.com", "desk@example.com")
    assert (decided.calls("drchrono", "PATCH"), decided.writes()) == (1, ["updated"])
    assert (await conflict(decided))["undo"] == "done"
    whys = [row.why for side in ("drchrono", "salesforce") for row in await decided.journal(side)][-1]
    assert whys == {"email": "a person decided"}
    assert await acts(decided) == [("undo", f"patient {decided.patient['id']}, email")]


async def test_our_own_writes_coming_back_afterwards_change_nothing(decided):
    await undoes(decided)
    await decided.settles()
    decided.drchrono.delete("/_control/calls")
    decided.salesforce.delete("/_control/writes")

    await decided.arrives(decided.chart(decided.patient))
    await decided.hears()
    await decided.settles()

    assert held(decided) == ("desk@example.com", "desk@example.com")
    assert (decided.calls("drchrono", "PATCH"), decided.writes()) == (0, [])
    assert len(await decided.rows(decisions)) == 1
    assert (await conflict(decided))["undo"] == "done"


async def test_an_undo_pressed_twice_is_one(decided):
    first, second = await asyncio.gather(undoes(decided), undoes(decided))
    await decided.settles()
    third = await undoes(decided)

    assert sorted((first.status_code, second.status_code)) == [200, 409]
    assert (third.status_code, third.json()["detail"]) == (409, "This was restored before; it can be restored once.")
    assert held(decided) == ("desk@example.com", "desk@example.com")
    assert (decided.calls("drchrono", "PATCH"), decided.writes()) == (1, ["updated"])
    assert len(await acts(decided)) == 1


async def test_a_field_that_was_edited_since_is_left_alone_and_it_is_said(decided):
    await decided.arrives(await decided.edits(decided.patient, email="newer@example.com"))

    refused = await undoes(decided)

    assert refused.status_code == 409
    assert refused.json()["detail"].startswith("The field has been edited since")
    assert held(decided) == ("newer@example.com", "newer@example.com")
    assert await acts(decided) == []


@pytest.mark.parametrize("side", ["drchrono", "salesforce"])
async def test_an_edit_between_press_and_worker_wins_and_the_undo_is_overtaken(decided, side):
    await undoes(decided)
    if side == "drchrono":
        await decided.delivers(await decided.edits(decided.patient, email="newer@example.com"))
    else:
        decided.human_edits_contact(Email="newer@example.com")
        await decided.hears()
    await decided.settles()

    assert held(decided) == ("newer@example.com", "newer@example.com")
    assert (await conflict(decided))["undo"] == "overtaken"


async def test_an_edit_nobody_has_told_of_yet_is_seen_before_anything_is_written(decided):
    await decided.edits(decided.patient, email="untold@example.com")
    await undoes(decided)
    await decided.settles()

    assert held(decided) == ("untold@example.com", "untold@example.com")
    assert (await conflict(decided))["undo"] == "overtaken"


async def test_an_edit_of_another_field_and_the_undo_both_arrive(decided):
    await undoes(decided)
    decided.human_edits_contact(MobilePhone="555-010-7777")
    await decided.hears()
    await decided.settles()

    assert held(decided) == ("desk@example.com", "desk@example.com")
    assert decided.chart(decided.patient)["cell_phone"] == "555-010-7777"


async def test_a_worker_that_dies_with_its_writes_made_and_not_recorded_doubles_nothing(decided):
    await undoes(decided)
    work = await decided.takes()
    await decided.writes_out(work, await decided.looks(work))
    await decided.time_passes(decided.confirm_after)  # its lease ends
    await decided.settles()

    assert held(decided) == ("desk@example.com", "desk@example.com")
    assert (decided.calls("drchrono", "PATCH"), decided.writes()) == (1, ["updated"])
    assert (await conflict(decided))["undo"] == "done"
    assert len(await decided.rows(decisions)) == 1


async def killed_at(clinic, await_number):
    """A worker carries on and is killed at its nth await of a call or a commit; False where it had ended before."""
    work = await clinic.takes()
    count, transact = 0, clinic.runtime.database.transact
    gate = asyncio.Event()

    async def counted(unit):
        nonlocal count
        count += 1
        if count > await_number:
            gate.set()
            await asyncio.Event().wait()
        return await transact(unit)

    database = clinic.runtime.database
    database.transact = counted
    task, fell = asyncio.create_task(sync(work)), asyncio.create_task(gate.wait())
    await asyncio.wait({task, fell}, return_when=asyncio.FIRST_COMPLETED)
    was_killed = not task.done()
    for one in (task, fell):
        one.cancel()
    await asyncio.gather(task, fell, return_exceptions=True)
    del database.transact
    return was_killed


def taken(clinic):
    """How many PATCHes DrChrono took; one whose sender died before its body was there changed nothing."""
    calls = clinic.drchrono.get("/_control/calls").json()["calls"]
    return sum(one["method"] == "PATCH" and one["status"] in (200, 204) for one in calls)


async def test_a_worker_killed_before_any_of_its_commits_leaves_an_undo_that_is_carried_out_once(decided):
    """Each commit of a pass is where what came before it is known or lost; every one of them is died at."""
    await undoes(decided)
    await asks(decided)
    deaths = 0
    while await killed_at(decided, deaths):
        deaths += 1
        await decided.time_passes(timedelta(minutes=11))  # leases end, and the vendors have given every request up
        if held(decided) == ("desk@example.com", "desk@example.com"):
            break
    await decided.settles()
    await decided.time_passes(timedelta(minutes=11))
    await decided.settles()

    assert deaths >= 2
    assert held(decided) == ("desk@example.com", "desk@example.com")
    assert (taken(decided), decided.writes()) == (1, ["updated"])
    assert (await conflict(decided))["undo"] == "done"


async def asks(clinic):
    """The first look finds that DrChrono must be asked; the next one asks and writes."""
    await clinic.carries_on(await clinic.takes())


async def test_values_are_masked_until_an_operator_asks_and_that_is_noted(decided):
    id_ = (await conflict(decided))["id"]
    shown = await decided.web.get(f"/api/v1/conflicts/{id_}", headers=BEARER)
    assert "example.com" not in shown.text

    told = await decided.web.post(f"/api/v1/conflicts/{id_}/reveal", headers=BEARER)

    assert told.json()["values"] == {"drchrono": "desk@example.com", "salesforce": "crm@example.com"}
    assert await acts(decided) == [("reveal", f"patient {decided.patient['id']}, email")]
    assert "example.com" not in str(await decided.rows(decisions))


async def test_an_old_value_that_the_side_now_refuses_fails_and_is_carried_out_once_it_is_mended(decided):
    refused = {"object": "Contact", "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Email"]}
    refused["id"] = decided.contact()["Id"]
    decided.salesforce.post("/_control/record-faults", json=refused).raise_for_status()
    await undoes(decided)
    await decided.settles()
    in_between, waiting = (await conflict(decided))["undo"], await decided.rows(failures)

    await decided.web.post("/api/v1/failures/retry?limit=5", headers=BEARER)
    await decided.settles()

    assert (in_between, len(waiting)) == ("open", 1)
    assert held(decided) == ("desk@example.com", "desk@example.com")
    assert (await conflict(decided))["undo"] == "done"
    assert await decided.rows(failures) == []


async def test_a_person_finds_a_conflict_sees_its_values_and_puts_the_old_one_back(decided):
    async with browsing(decided) as browser:
        await browser.signs_in(OPERATOR)
        listed = await browser.open("/conflicts?kind=patient&field=email")
        left = await browser.open("/conflicts?undo=none")
        masked = await browser.open(f"/conflicts/{(await conflict(decided))['id']}")
        shown = await browser.presses("Show values")
        asked = await browser.presses("Restore DrChrono's value")
        await decided.settles()
        done = await browser.open("/conflicts?undo=done")
        none = [
            await browser.open(f"/conflicts?{asked}")
            for asked in ("field=city", "undo=none", "undo=none&state=confirmed")
        ]

    assert ["Changed in both systems: 1" in page.text for page in (listed, left)] == [True, True]
    assert "example.com" not in listed.text + masked.text + asked.text + done.text
    assert ("desk@example.com" in shown.text, "crm@example.com" in shown.text) == (True, True)
    assert "The old value is restored in a moment" in asked.text
    assert "Changed in both systems: 1" in done.text
    assert ["No conflict matches." in page.text for page in none] == [True, True, True]
    assert ["Changed in both systems: 0" in page.text for page in none] == [True, True, True]
    assert not any("example.com" in url.replace("sync.example.com", "") for url in browser.visited)
    assert [action for action, _ in await acts(decided)] == ["undo", "reveal"]


async def test_conflicts_are_read_page_by_page_and_by_what_became_of_them(decided):
    theirs = {"city": "Deskville", "state": "NJ", "zip_code": "12346"}
    ours = {"MailingCity": "Crmville", "MailingState": "CT", "MailingPostalCode": "12347"}
    await decided.both_edit(decided.patient, theirs, ours)
    await decided.time_passes(decided.confirm_after)
    await decided.settles()

    async def read(**asked):
        return (await decided.web.get("/api/v1/conflicts", headers=BEARER, params=asked)).json()

    first = await read(limit=3)
    second = await read(limit=3, before=first["next"])
    assert (first["total"], len(first["items"]), len(second["items"]), second["next"]) == (4, 3, 1, None)
    assert {one["field"] for one in first["items"]} == {"city", "state", "zip_code"}
    assert [one["field"] for one in second["items"]] == ["email"]
    assert (await read(field="email"))["total"] == (await read(state="confirmed", field="email"))["total"] == 1
    none = [await read(**one) for one in ({"state": "refused"}, {"kind": "doctor"}, {"undo": "done"})]
    assert [one["total"] for one in none] == [0, 0, 0]
