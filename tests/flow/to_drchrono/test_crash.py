"""Dying on the way back, at each await: whatever the last line was, the next look makes both sides the same, once."""

from datetime import timedelta

import pytest

from app.store import journal
from app.sync.decide import decide
from tests.flow.clinic import DRCHRONO_LIMIT
from workers.lease import renewing
from workers.read import read_both_sides
from workers.sync import sync
from workers.write import prepare_writes

PATCH = "PATCH /api/patients"
LATER = timedelta(minutes=1)


@pytest.fixture
async def edited(clinic):
    """A linked patient whose e-mail was edited in Salesforce; we have heard of it and done nothing yet."""
    patient = await clinic.has_linked()
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    return patient


async def states(clinic):
    return [row.state for row in await clinic.journal("drchrono")]


async def assert_it_arrived_once(clinic, patient, patches=1):
    assert (clinic.chart(patient)["email"], clinic.contact()["Email"]) == ("new@example.com",) * 2
    assert clinic.calls("drchrono", PATCH) == patches
    assert await clinic.unfinished() == []
    assert await clinic.failures() == []
    assert (await clinic.link(patient)).due_at is None


async def test_dying_after_the_lease_or_the_look_has_done_nothing(clinic, edited):
    await read_both_sides(await clinic.takes())

    await clinic.time_passes(LATER)
    await clinic.settles()

    await assert_it_arrived_once(clinic, edited)
    assert await states(clinic) == ["confirmed"]


async def test_dying_after_planned_before_the_patch_is_found_by_asking_and_patched_at_once(clinic, edited):
    work = await clinic.takes()
    (one,) = await read_both_sides(work)
    plan = decide(work.rules, one.link, one.seen, work.leased.now)
    entries = [write.entry for write in prepare_writes(work, one, plan)]
    async with renewing(work) as lease:
        await journal.plan(clinic.runtime.database, lease.token, entries, DRCHRONO_LIMIT)

    await clinic.time_passes(LATER)
    await clinic.settles()

    await assert_it_arrived_once(clinic, edited)
    assert await states(clinic) == ["refused", "confirmed"]
    assert clinic.calls("drchrono", "GET") == 1


async def test_dying_after_the_patch_before_its_journal_is_found_landed_and_not_patched_again(clinic, edited):
    clinic.breaks("drchrono", PATCH, "timeout_after_commit", delay_s=0.3)
    await clinic.dies_when(await clinic.takes(), lambda: clinic.chart(edited)["email"] == "new@example.com")
    died_with = await states(clinic)

    await clinic.time_passes(LATER)
    await clinic.settles()

    assert died_with == ["planned"]
    await assert_it_arrived_once(clinic, edited)
    assert await states(clinic) == ["confirmed"]
    assert clinic.calls("drchrono", "GET") == 1


async def test_dying_after_the_journal_before_the_record_makes_the_next_look_advance_the_base(clinic, edited):
    base = (await clinic.link(edited)).base
    work = await clinic.takes()
    await clinic.writes_out(work, await read_both_sides(work))
    died_with = (await clinic.link(edited)).base

    await clinic.time_passes(LATER)
    await clinic.settles()

    assert died_with == base
    assert (await clinic.link(edited)).base["email"] != base["email"]
    assert (clinic.chart(edited)["email"], clinic.contact()["Email"]) == ("new@example.com",) * 2
    assert await clinic.unfinished() == []


async def test_dying_after_both_writes_before_the_record_loses_neither_sides_edit(clinic):
    patient = await clinic.has_linked()
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.delivers(await clinic.edits(patient, city="Newtown"))
    work = await clinic.takes()
    await clinic.writes_out(work, await read_both_sides(work))

    await clinic.time_passes(LATER)
    await clinic.settles()
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert (clinic.chart(patient)["city"], clinic.contact()["MailingCity"]) == ("Newtown",) * 2
    assert (clinic.chart(patient)["email"], clinic.contact()["Email"]) == ("new@example.com",) * 2


async def test_a_worker_that_lost_its_lease_neither_patches_nor_saves(clinic, edited):
    slow = await clinic.takes()
    await clinic.time_passes(LATER)
    await clinic.settles()
    saved = await clinic.link(edited)

    await sync(slow)

    assert await clinic.link(edited) == saved
    await assert_it_arrived_once(clinic, edited)


async def test_a_body_delivered_while_a_patch_is_unknown_does_not_settle_it(clinic, edited):
    clinic.breaks("drchrono", PATCH, "drop_after_commit")
    await clinic.settles()
    stale = {**clinic.chart(edited), "email": "old@example.com"}

    await clinic.delivers(stale)
    await clinic.time_passes(LATER)
    await clinic.settles()

    await assert_it_arrived_once(clinic, edited)
    assert clinic.calls("drchrono", "GET") == 1, "the body is a hint; only DrChrono's own word settles a write"
