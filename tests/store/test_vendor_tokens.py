import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from app.errors import LeaseLost
from app.ports import StoredToken
from app.store import clock, tables
from app.store.encryption import Undecryptable, Vault
from app.store.oauth_states import OAuthStates
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.store.build import HOUR, PAIR, SECOND, ages, rows, save

A_LONG_TIME = 24 * HOUR


@pytest.fixture
def drchrono(database, vault):
    return VendorTokens(database, vault, Side.DRCHRONO)


async def test_a_side_never_connected_is_version_zero(drchrono):
    assert await drchrono.read() == StoredToken(None, 0)


async def test_a_saved_token_can_be_read_by_any_process(database, drchrono, vault):
    given = await save(drchrono)

    assert given == StoredToken(PAIR, 1)
    assert await VendorTokens(database, vault, Side.DRCHRONO).read() == given


async def test_every_save_is_a_version_more(drchrono):
    await save(drchrono)

    assert (await save(drchrono, {"access_token": "second"})).version == 2
    assert (await drchrono.read()).token == {"access_token": "second"}


async def test_the_sides_are_apart(database, drchrono, vault):
    salesforce = VendorTokens(database, vault, Side.SALESFORCE)
    await save(drchrono)
    await drchrono.lease(HOUR)

    lease = await salesforce.lease(HOUR)

    assert lease is not None
    assert (await salesforce.read()).version == 0


async def test_a_token_lies_nowhere_in_clear(database, drchrono, vault, tmp_path):
    await save(drchrono)
    await OAuthStates(database, vault).hold(PAIR)

    (row,) = await rows(database, tables.connections)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir()) + repr(row).encode()
    assert row.token.encode() in stored
    assert row.pending.encode() in stored
    assert b"Canary" not in stored


async def test_a_token_without_its_key_says_so(database, drchrono):
    await save(drchrono)
    other = VendorTokens(database, Vault((Fernet.generate_key(),)), Side.DRCHRONO)

    with pytest.raises(Undecryptable):
        await other.read()


async def test_a_token_past_its_time_is_stale_and_still_there(database, drchrono):
    await save(drchrono)
    await ages(database, refresh_at=clock.after(-SECOND))

    stored = await drchrono.read()

    assert (stored.is_stale, stored.is_expired, stored.token) == (True, False, PAIR)


async def test_a_token_past_its_life_is_expired(database, drchrono):
    await save(drchrono)
    await ages(database, refresh_at=clock.after(-HOUR), expires_at=clock.after(-SECOND))

    stored = await drchrono.read()

    assert (stored.is_stale, stored.is_expired, stored.token) == (True, True, PAIR)


async def test_the_spans_given_with_a_token_are_kept_from_the_databases_now(database, drchrono):
    await save(drchrono, refresh_in=8 * HOUR, lives=10 * HOUR)

    column = tables.connections.c
    now = sa.type_coerce(clock.db_now(), sa.BigInteger)
    spans = [sa.type_coerce(moment, sa.BigInteger) - now for moment in (column.refresh_at, column.expires_at)]
    refresh_in, lives = (await database.read(sa.select(*spans)))[0]
    assert 8 * HOUR - 30 * SECOND < refresh_in * SECOND / 1000 <= 8 * HOUR
    assert 10 * HOUR - 30 * SECOND < lives * SECOND / 1000 <= 10 * HOUR


async def test_a_token_without_a_life_is_never_stale_nor_expired(database, drchrono):
    await save(drchrono, refresh_in=HOUR, lives=HOUR)

    stored = await save(drchrono, refresh_in=None, lives=None)

    (row,) = await rows(database, tables.connections)
    assert (row.refresh_at, row.expires_at) == (None, None)
    assert (stored.is_stale, stored.is_expired) == (False, False)


async def test_a_refusal_is_remembered_with_its_code_and_since_when(database, drchrono):
    await save(drchrono)
    await drchrono.refuse(await drchrono.lease(HOUR), "invalid_grant")
    await ages(database, refused_at=clock.after(-90 * SECOND))

    stored = await drchrono.read()

    assert stored.refused_code == "invalid_grant"
    assert 90 <= stored.refused_for_s < 120
    assert (stored.token, stored.version) == (PAIR, 1)


async def test_a_saved_token_ends_a_refusal_and_a_wait(drchrono):
    await drchrono.release(await drchrono.lease(HOUR), HOUR)
    await drchrono.refuse(await drchrono.lease(HOUR), "invalid_grant")

    stored = await save(drchrono)

    assert (stored.refused_code, stored.refused_for_s, stored.ask_again_in_s) == (None, None, 0.0)


async def test_a_long_code_of_a_refusal_is_cut(drchrono):
    await drchrono.refuse(await drchrono.lease(HOUR), "x" * 100)

    assert (await drchrono.read()).refused_code == "x" * 64


async def test_a_wait_the_vendor_asked_for_is_told_in_seconds_that_are_left(drchrono):
    await save(drchrono)

    await drchrono.release(await drchrono.lease(HOUR), HOUR)

    assert 3570 < (await drchrono.read()).ask_again_in_s <= 3600


async def test_a_wait_that_is_over_is_none(database, drchrono):
    await drchrono.release(await drchrono.lease(HOUR), HOUR)
    await ages(database, ask_again_at=clock.after(-SECOND))

    assert (await drchrono.read()).ask_again_in_s == 0.0


async def test_a_release_without_a_wait_leaves_an_earlier_one(drchrono):
    await drchrono.release(await drchrono.lease(HOUR), HOUR)

    await drchrono.release(await drchrono.lease(HOUR))

    assert (await drchrono.read()).ask_again_in_s > 0


async def test_a_token_that_follows_another_version_than_the_stored_one_is_not_saved(drchrono):
    await save(drchrono)
    lease = await drchrono.lease(HOUR)

    for version in (0, 2):
        with pytest.raises(LeaseLost):
            await drchrono.save(lease, version, {"access_token": "late"}, HOUR, HOUR)

    assert (await drchrono.read()) == StoredToken(PAIR, 1)


async def test_forgetting_leaves_no_token_no_refusal_and_no_waiting_pair(database, drchrono, vault):
    await save(drchrono)
    await OAuthStates(database, vault).hold({"access_token": "another's"})
    await drchrono.refuse(await drchrono.lease(HOUR), "invalid_grant")
    await drchrono.release(await drchrono.lease(HOUR), HOUR)

    await drchrono.forget(await drchrono.lease(HOUR))

    assert await drchrono.read() == StoredToken(None, 2)
    (row,) = await rows(database, tables.connections)
    emptied = ("token", "refresh_at", "expires_at", "refused_at", "ask_again_at", "pending", "pending_at", "asked_at")
    assert [getattr(row, name) for name in emptied] == [None] * len(emptied)
    assert (row.lease_owner, row.lease_until) == (None, None)


async def test_whose_practice_it_is_is_remembered_with_a_token_that_says_so(drchrono):
    stored = await save(drchrono, {**PAIR, "account": {"practice": "510001"}})

    assert stored.practice == "510001"


async def test_whose_practice_it_was_stays_known_when_it_is_disconnected(drchrono):
    await save(drchrono, {**PAIR, "account": {"practice": "510001"}})

    await drchrono.forget(await drchrono.lease(HOUR))

    assert (await drchrono.read()).practice == "510001"


async def test_a_token_that_says_nothing_of_its_practice_changes_nothing_about_it(drchrono):
    await save(drchrono, {**PAIR, "account": {"practice": "510001"}})

    assert (await save(drchrono, PAIR)).practice == "510001"


async def test_a_saved_token_takes_the_place_of_the_pair_that_waited(database, drchrono, vault):
    await OAuthStates(database, vault).hold(PAIR)

    await save(drchrono)

    (row,) = await rows(database, tables.connections)
    assert (row.pending, row.pending_at) == (None, None)


async def test_a_refusal_that_goes_on_keeps_its_beginning_and_names_the_next_try(database, drchrono):
    await save(drchrono)
    await drchrono.refuse(await drchrono.lease(HOUR), "HTTP_401", 5 * SECOND)
    await ages(database, refused_at=clock.after(-90 * SECOND), ask_again_at=clock.after(-SECOND))

    await drchrono.refuse(await drchrono.lease(HOUR), "HTTP_401", 20 * SECOND)

    stored = await drchrono.read()
    assert 90 <= stored.refused_for_s < 120
    assert 0 < stored.ask_again_in_s <= 20


async def test_a_refusal_for_another_reason_begins_anew(database, drchrono):
    await save(drchrono)
    await drchrono.refuse(await drchrono.lease(HOUR), "HTTP_401", 5 * SECOND)
    await ages(database, refused_at=clock.after(-90 * SECOND))

    await drchrono.refuse(await drchrono.lease(HOUR), "invalid_grant")

    stored = await drchrono.read()
    assert (stored.refused_code, stored.refused_for_s < 30, stored.ask_again_in_s) == ("invalid_grant", True, 0.0)


async def test_a_token_that_follows_a_doubted_one_is_doubted_until_it_is_taken(drchrono):
    await save(drchrono)
    await drchrono.refuse(await drchrono.lease(HOUR), "HTTP_401", 5 * SECOND)
    version = (await drchrono.read()).version

    doubted = await drchrono.save(await drchrono.lease(HOUR), version, PAIR, is_doubted=True)
    await drchrono.trust(version, "HTTP_401")
    still = await drchrono.read()
    await drchrono.trust(doubted.version, "HTTP_401")
    taken = await drchrono.read()

    assert (doubted.refused_code, doubted.ask_again_in_s) == ("HTTP_401", 0.0)
    assert (still.refused_code, taken.refused_code, taken.refused_for_s) == ("HTTP_401", None, None)
