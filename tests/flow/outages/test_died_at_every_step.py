"""Dying in each room of one event's way, and what is true afterwards. Rooms that are processes are killed for real in
`tests/processes/test_kills.py`; here a worker stops for good at an exact line.
"""

import asyncio
import contextlib
from datetime import timedelta

from app.store import work_queue
from app.store.tables import journal
from app.sync.decide import decide
from app.sync.model import Kind, Lane
from workers.lease import renewing
from workers.read import read_both_sides
from workers.write import execute

LATER = timedelta(minutes=1)


async def a_delivered_patient(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    assert await clinic.delivers(patient) == 200
    return patient


async def assert_it_arrives_once(clinic):
    await clinic.time_passes(LATER)
    await clinic.settles()
    assert clinic.writes() == ["created"]
    assert await clinic.unfinished() == []
    assert {row.state for row in await clinic.rows(journal)} == {"confirmed"}


async def test_dying_at_the_door_before_the_commit_leaves_nothing_and_the_vendor_sends_again(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    request = asyncio.create_task(clinic.delivers(patient, delivery="one"))
    await asyncio.sleep(0)
    request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request

    answer = await clinic.delivers(patient, delivery="one")

    assert answer == 200
    await assert_it_arrives_once(clinic)


async def test_dying_after_the_inbox_before_the_wakeup_is_found_by_the_poll(clinic):
    await a_delivered_patient(clinic)  # there is no Redis here: nothing was rung

    found = await work_queue.waiting(clinic.runtime.database)

    assert found == [(Kind.PATIENT, Lane.LIVE)]
    await assert_it_arrives_once(clinic)


async def test_dying_after_the_lease_lets_another_look_when_it_runs_out(clinic):
    await a_delivered_patient(clinic)

    await clinic.takes()

    assert await clinic.takes() is None
    await assert_it_arrives_once(clinic)


async def test_dying_after_deciding_has_done_nothing(clinic):
    await a_delivered_patient(clinic)
    work = await clinic.takes()

    (one,) = await read_both_sides(work)
    decide(work.rules, one.link, one.seen, work.leased.now)

    assert clinic.contacts() == []
    await assert_it_arrives_once(clinic)


async def test_dying_between_the_answer_and_the_record_makes_the_next_look_advance_the_base(clinic):
    patient = await a_delivered_patient(clinic)
    work = await clinic.takes()
    async with renewing(work) as lease:
        looked = await read_both_sides(work)
        plans = {one.link.id: decide(work.rules, one.link, one.seen, work.leased.now) for one in looked}
        await execute(work, lease, looked, plans)

    assert (await clinic.link(patient)).base == {}
    await assert_it_arrives_once(clinic)
    link = await clinic.link(patient)
    assert (link.salesforce_id, "first_name" in link.base) == (clinic.contact()["Id"], True)
