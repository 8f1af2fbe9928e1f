"""What counts as a darkness, and that each leads to one compare, at once, whoever sees it and whoever dies over it."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store import lanes
from app.store.tables import darkness
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Lane, Side
from tests.flow.calendar import forgets
from tests.flow.clinic import opened, settings_of
from tests.flow.patience import HOUR, ages, compares_when_due
from workers.compare.outages import AT_MOST_EVERY, beat

MINUTE = timedelta(minutes=1)
LISTS = 4  # a page of each kind, where next to nothing has changed


@pytest.fixture
async def clinic(database, empty_vendors):
    """A clinic that compares once a day and has just done so; door, worker and both sides have given their signs."""
    it = empty_vendors
    urls = str(it.drchrono.base_url).rstrip("/"), str(it.salesforce.base_url).rstrip("/")
    known = settings_of(database, *urls, it.ca_file, reconcile_every="P1D")
    async with opened(known, it.drchrono, it.salesforce, from_memory=True) as clinic:
        await clinic.has_linked()
        await compares_when_due(clinic)
        await everybody_signs(clinic)
        forgets(clinic)
        yield clinic


async def everybody_signs(clinic):
    await clinic.app.state.health.look()
    await beat(clinic.runtime, "one")


async def dark(clinic):
    return sorted(row.name for row in await clinic.rows(darkness))


def listed(clinic):
    """How many calls comparing has made of DrChrono."""
    return clinic.calls("drchrono", "GET") + clinic.calls("drchrono", "POST /api")


async def door_was_closed(clinic):
    await clinic.app.state.health.look()


async def workers_were_gone(clinic):
    await beat(clinic.runtime, "one")


async def test_a_blip_is_no_darkness(clinic):
    await ages(clinic, timedelta(seconds=50))

    await everybody_signs(clinic)
    await compares_when_due(clinic)

    assert await dark(clinic) == []
    assert listed(clinic) == 0


@pytest.mark.parametrize(
    ("comes_back", "names"),
    [(door_was_closed, ["door"]), (workers_were_gone, ["drchrono", "salesforce", "work"])],
    ids=["door", "workers"],
)
async def test_whatever_was_away_each_kind_is_compared_once_and_then_it_is_forgotten(clinic, comes_back, names):
    await ages(clinic, 5 * MINUTE)
    await comes_back(clinic)
    before = await dark(clinic)

    await asyncio.gather(*(compares_when_due(clinic) for _worker in range(4)))
    await compares_when_due(clinic)

    # the web gives its own sign every five seconds, and after so long that tells of the door
    ours = [[one for one in found if one in names] for found in (before, await dark(clinic))]
    assert ours == [names, []]
    assert listed(clinic) == LISTS


async def test_a_database_that_was_away_is_a_door_that_was_closed(clinic):
    """Neither the web nor a worker could write, and every delivery was answered 503."""
    await ages(clinic, 5 * MINUTE)

    await asyncio.gather(*(everybody_signs(clinic) for _process in range(3)))

    assert await dark(clinic) == ["door", "drchrono", "salesforce", "work"]


async def refused(clinic):
    store = VendorTokens(clinic.runtime.database, clinic.runtime.vault, Side.DRCHRONO)
    await store.refuse(await store.lease(MINUTE), "invalid_grant")


async def connected_anew(clinic):
    await clinic.connects()


async def out(clinic):
    for _ in range(3):
        await clinic.runtime.drchrono.grant.budget.failed()


async def answers_again(clinic):
    await clinic.time_passes(5 * MINUTE)
    await clinic.runtime.drchrono.user()


@pytest.mark.parametrize(
    ("goes", "comes_back"), [(refused, connected_anew), (out, answers_again)], ids=["credential refused", "vendor down"]
)
async def test_a_side_that_could_not_be_called_is_compared_once_it_can_be(clinic, goes, comes_back):
    await goes(clinic)
    for _ in range(3):
        await ages(clinic, 40 * MINUTE)
        await everybody_signs(clinic)
    while_away = [name for name in await dark(clinic) if name == Side.DRCHRONO]
    await comes_back(clinic)
    forgets(clinic)

    await everybody_signs(clinic)
    owed = await dark(clinic)
    await compares_when_due(clinic)

    assert while_away == []
    assert Side.DRCHRONO in owed
    assert listed(clinic) == LISTS


async def test_what_goes_dark_again_and_again_is_compared_once_in_ten_minutes(clinic):
    for _ in range(6):
        await ages(clinic, 2 * MINUTE)
        await everybody_signs(clinic)
        await compares_when_due(clinic)

    assert listed(clinic) == 2 * LISTS, "at the first, and ten minutes later"


async def test_a_compare_whose_worker_was_killed_is_made_by_another(clinic):
    await ages(clinic, 5 * MINUTE)
    await door_was_closed(clinic)
    clinic.breaks("drchrono", "GET /api/doctors", "slow", delay_s=30)
    dying = asyncio.create_task(compares_when_due(clinic))
    while not await clinic.runtime.database.read(sa.text("SELECT name FROM scans")):  # noqa: ASYNC110 - until it has begun
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    clinic.drchrono.delete("/_control/faults")
    before = await dark(clinic)
    await ages(clinic, AT_MOST_EVERY + MINUTE)

    await compares_when_due(clinic)
    await ages(clinic, AT_MOST_EVERY + MINUTE)
    await compares_when_due(clinic)

    assert (before, await dark(clinic)) == (["door"], [])


async def test_a_paused_lane_makes_it_wait_and_nothing_is_forgotten(clinic):
    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], "an operator's word")
    await ages(clinic, HOUR)
    await door_was_closed(clinic)
    await compares_when_due(clinic)
    while_paused = listed(clinic), await dark(clinic)
    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], None)

    await compares_when_due(clinic)

    assert while_paused == (0, ["door"])
    assert (listed(clinic), await dark(clinic)) == (LISTS, [])


async def test_every_kind_has_to_be_compared_before_a_darkness_is_over_with(clinic):
    await ages(clinic, 5 * MINUTE)
    await door_was_closed(clinic)
    clinic.breaks("drchrono", "GET /api/patients", "error", status=500)

    await compares_when_due(clinic)
    after_a_failure = await dark(clinic)
    for _ in range(4):  # while the door is open
        await ages(clinic, timedelta(seconds=45))
        await clinic.app.state.health.look()
    await compares_when_due(clinic)

    assert after_a_failure == ["door"]
    assert await dark(clinic) == []
