"""Large bodies take turns, so that they fill no memory; of one that cannot be read a part is kept."""

import asyncio

import pytest

from app.store.tables import deliveries
from tests.flow.clinic import OUTBOUND, SECRET
from tests.flow.heard import changed
from tests.flow.webhooks.test_hostile_bodies import EVENTS

DOORS = {
    "drchrono": ("/webhooks/drchrono", {"x-drchrono-signature": SECRET, "x-drchrono-event": "PATIENT_MODIFY"}),
    "outbound": (f"/webhooks/salesforce/outbound/{OUTBOUND}", {"content-type": "text/xml"}),
    "events": ("/webhooks/salesforce/events", {"authorization": f"Bearer {EVENTS}"}),
}
PART = 16 * 1024
AT_ONCE = 2


@pytest.fixture
def known(known):
    return changed(known, salesforce_event_tokens=EVENTS)


class Sender:
    """Sends a large body, and its end only once it is told to; says how much of it was taken."""

    def __init__(self, ends):
        self.ends, self.taken = ends, 0

    async def __aiter__(self):
        for _ in range(20):
            self.taken += PART
            yield b"x" * PART
        await self.ends.wait()
        yield b"x"


async def come_to_rest():
    for _ in range(200):
        await asyncio.sleep(0)


async def test_large_bodies_are_read_two_at_once_and_the_others_stay_with_their_senders(clinic):
    ends, path_and_headers = asyncio.Event(), [*DOORS.values()] * 2
    senders = [Sender(ends) for _ in path_and_headers]
    under_way = [
        asyncio.create_task(clinic.web.post(path, content=sender, headers=headers))
        for (path, headers), sender in zip(path_and_headers, senders, strict=True)
    ]
    await come_to_rest()

    taken = sorted(sender.taken for sender in senders)
    small = await clinic.web.post("/webhooks/drchrono", content=b"{}", headers=DOORS["drchrono"][1])
    ends.set()
    answers = await asyncio.gather(*under_way)

    assert taken[-AT_ONCE:] == [20 * PART] * AT_ONCE
    assert max(taken[:-AT_ONCE]) <= 64 * 1024 + PART
    assert small.status_code == 200
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("door", DOORS)
async def test_of_a_body_that_cannot_be_read_the_beginning_is_kept(clinic, door):
    path, headers = DOORS[door]

    answer = await clinic.web.post(path, content=b"begins " + b"x" * 500_000, headers=headers)

    assert answer.status_code == 200
    (row,) = await clinic.rows(deliveries)
    assert clinic.body(row) == b"begins " + b"x" * (64 * 1024 - 7)


@pytest.mark.parametrize("door", DOORS)
async def test_two_that_begin_alike_and_cannot_be_read_are_two(clinic, door):
    path, headers = DOORS[door]
    for end in (b"a", b"b", b"b"):
        await clinic.web.post(path, content=b"x" * 100_000 + end, headers=headers)

    assert len(await clinic.rows(deliveries)) == 2
