"""Our DrChrono client when its token dies, against the stand-in: one refresh for all, no storm, and no false end."""

import asyncio

import pytest
import sqlalchemy as sa

from app.errors import Unauthorized, Unavailable
from app.store import clock
from app.store.rate_ledger import RateLedger
from app.store.tables import allowances
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import Allowance
from app.vendors.token_broker import CUT_OFF
from tests.contract.conftest import APPLICATION
from tests.store.build import SECOND, ages, change

PATIENTS = "/api/patients"
UNAUTHORIZED = {"do": "error", "status": 401, "body": {"detail": "Invalid token."}}
PERSISTENT = {"times": None, **UNAUTHORIZED}


def tokens(practice):
    return practice.control.get("/_control/tokens").json()


def expire(practice):
    practice.control.post("/_control/tokens/expire")


def turn(practice, **settings):
    practice.control.put("/_control/settings", json=settings).raise_for_status()


async def test_an_access_token_that_expired_is_refreshed_and_the_new_pair_stored(practice):
    drchrono = await practice.join()
    before = await practice.store.read()
    expire(practice)

    await drchrono.read(PATIENTS, "1")

    after = await practice.store.read()
    assert after.version == before.version + 1
    assert after.token["refresh_token"] != before.token["refresh_token"]
    assert tokens(practice)["reuses"] == 0


async def test_a_refresh_answered_without_a_refresh_token_keeps_the_old_one_and_goes_on(practice):
    drchrono = await practice.join()
    before = await practice.store.read()
    turn(practice, refresh_gives_refresh_token=False)

    for _ in range(2):
        expire(practice)
        await drchrono.read(PATIENTS, "1")

    after = await practice.store.read()
    assert after.token["refresh_token"] == before.token["refresh_token"]
    assert after.version == before.version + 2


async def test_many_calls_of_several_processes_that_find_the_token_expired_refresh_it_once(practice):
    several = [await practice.join(), practice.client(), practice.client()]
    expire(practice)

    await asyncio.gather(*(one.read(PATIENTS, "1") for one in several for _ in range(10)))

    assert (tokens(practice)["refreshes"], tokens(practice)["reuses"]) == (1, 0)


async def test_a_token_that_another_process_refreshed_under_a_call_is_read_again_and_not_refreshed(practice):
    other, under_way = await practice.join(), []

    class RefreshedMeanwhile(RateLedger):
        async def count(self, lane, admit):
            if not under_way:
                under_way.append(await other.broker.current())
                await other.broker.renewed(under_way[0])
            return await super().count(lane, admit)

    budget = DrChronoRateLimit("drchrono", RefreshedMeanwhile(practice.database, APPLICATION), Allowance(500, 4))
    assert await practice.client(budget).read(PATIENTS, "1") is None

    assert (tokens(practice)["refreshes"], tokens(practice)["reuses"]) == (1, 0)
    assert practice.counted("GET /api/patients") == 2


async def test_a_single_401_costs_one_refresh(practice):
    drchrono = await practice.join()
    practice.fault("GET /api/patients", **UNAUTHORIZED)

    assert await drchrono.read(PATIENTS, "1") is None

    assert tokens(practice)["refreshes"] == 1


async def waits(practice):
    """The time for which the vendor is left alone passes."""
    await change(practice.database, sa.update(allowances).values(closed_until=None))


async def test_a_fresh_token_that_is_refused_pauses_the_side_and_is_tried_again_as_it_is(practice):
    drchrono = await practice.join()
    practice.fault("GET /api/patients", **PERSISTENT)

    with pytest.raises(Unauthorized, match="401") as raised:
        await drchrono.read(PATIENTS, "1")
    for _ in range(3):
        with pytest.raises(Unavailable, match="left_alone"):
            await practice.client().read(PATIENTS, "1")
    await waits(practice)
    with pytest.raises(Unauthorized, match="401"):
        await drchrono.read(PATIENTS, "1")

    assert raised.value.retry_in_s == 5.0
    assert (await practice.store.read()).refused_code == "HTTP_401"
    assert (tokens(practice)["refreshes"], tokens(practice)["reuses"]) == (1, 0)
    assert practice.counted("GET /api/patients") == 3


async def test_a_fresh_token_that_is_not_known_everywhere_yet_is_taken_a_little_later(practice):
    drchrono = await practice.join()
    turn(practice, token_lag_s=60)
    with pytest.raises(Unauthorized, match="401"):
        await drchrono.read(PATIENTS, "1")

    turn(practice, token_lag_s=0)
    await waits(practice)
    await drchrono.read(PATIENTS, "1")

    assert (await practice.store.read()).refused_code is None
    assert tokens(practice)["refreshes"] == 1


async def test_a_401_that_is_a_page_says_nothing_of_the_token(practice):
    drchrono = await practice.join()
    practice.fault("GET /api/patients", times=None, do="error", status=401, body="<html>Who are you?</html>")

    with pytest.raises(Unavailable, match="NOT_JSON"):
        await drchrono.read(PATIENTS, "1")

    assert (await practice.store.read()).refused_code is None
    assert (tokens(practice)["refreshes"], practice.counted("GET /api/patients")) == (0, 1)


async def test_many_calls_that_are_refused_for_good_are_no_storm(practice):
    several = [await practice.join(), practice.client(), practice.client()]
    practice.fault("GET /api/patients", **PERSISTENT)

    reads = (one.read(PATIENTS, "1") for one in several for _ in range(10))
    ends = await asyncio.gather(*reads, return_exceptions=True)

    assert {type(end) for end in ends} <= {Unauthorized, Unavailable}
    assert tokens(practice)["refreshes"] <= 3
    asked = practice.counted("")
    with pytest.raises(Unavailable, match="left_alone"):
        await several[1].read(PATIENTS, "1")
    assert practice.counted("") == asked


async def test_a_revoked_connection_pauses_the_side_and_is_not_asked_again(practice):
    drchrono = await practice.join()
    practice.control.post("/_control/tokens/revoke")

    for _ in range(3):
        with pytest.raises(Unauthorized, match="invalid_grant"):
            await drchrono.read(PATIENTS, "1")

    assert practice.counted("POST /o/token") == 2, "the connect, and one refusal"


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "throttle"},
        {"do": "error", "status": 503, "body": "<html>maintenance</html>"},
        {"do": "error", "status": 200, "body": "<html>maintenance</html>"},
        {"do": "error", "status": 401, "body": "<html>a proxy's</html>"},
        {"do": "error", "status": 400, "body": {"error": "temporarily_unavailable"}},
        {"do": "drop_before"},
    ],
    ids=["429", "html-503", "html-200", "html-401", "away", "dropped"],
)
async def test_a_refresh_that_only_fails_pauses_nothing_and_is_asked_again_later(practice, fault):
    drchrono = await practice.join()
    expire(practice)
    practice.fault("POST /o/token", **fault)

    for _ in range(3):
        with pytest.raises(Unavailable):
            await drchrono.read(PATIENTS, "1")
    asked = practice.counted("POST /o/token")
    await ages(practice.database, ask_again_at=clock.after(-SECOND))
    await drchrono.read(PATIENTS, "1")

    assert asked == 2, "the connect, and the refresh that failed"
    assert tokens(practice)["refreshes"] == 1
    assert (await practice.store.read()).refused_code is None


async def test_a_pair_lost_with_the_answer_of_a_refresh_is_named_so(practice):
    drchrono = await practice.join()
    expire(practice)
    practice.fault("POST /o/token", do="drop_after_commit")
    with pytest.raises(Unavailable):
        await drchrono.read(PATIENTS, "1")
    await ages(practice.database, ask_again_at=clock.after(-SECOND))

    with pytest.raises(Unauthorized, match=CUT_OFF):
        await drchrono.read(PATIENTS, "1")

    assert (await practice.store.read()).refused_code == CUT_OFF


async def test_a_person_who_connects_anew_ends_a_refusal(practice):
    drchrono = await practice.join()
    practice.control.post("/_control/tokens/revoke")
    with pytest.raises(Unauthorized):
        await drchrono.read(PATIENTS, "1")

    await practice.join()

    assert await drchrono.read(PATIENTS, "1") is None


async def test_disconnecting_leaves_nothing_alive_at_drchrono_and_nothing_here(practice):
    drchrono = await practice.join()

    await drchrono.broker.forget(drchrono.grant.revoke)

    assert (tokens(practice)["live"], (await practice.store.read()).token) == (0, None)
    with pytest.raises(Unauthorized, match="NOT_CONNECTED"):
        await drchrono.read(PATIENTS, "1")


async def test_disconnecting_forgets_here_also_when_drchrono_is_away(practice):
    drchrono = await practice.join()
    practice.fault("POST /o/revoke_token", do="drop_before")

    with pytest.raises(Unavailable):
        await drchrono.broker.forget(drchrono.grant.revoke)

    assert (await practice.store.read()).token is None
