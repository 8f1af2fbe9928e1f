import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from app.errors import LeaseLost
from app.store import tables
from app.store.connections import Connections, Stored
from app.store.secrets import Undecryptable, Vault
from app.sync.records import Side
from tests.store.build import change, rows

PAIR = {"access_token": "access-Canary", "refresh_token": "refresh-Canary"}
HOUR = timedelta(hours=1)


@pytest.fixture
def drchrono(database, vault):
    return Connections(database, vault, Side.DRCHRONO)


async def ages(database, **columns):
    """Move the connection's moments back, as the clock would."""
    await change(database, sa.update(tables.connections).values(**columns))


async def expire_lease(database):
    await ages(database, lease_until=tables.after(-timedelta(seconds=1)))


async def save(connections, token=PAIR, refresh_in=HOUR):
    return await connections.save(await connections.lease(), token, refresh_in)


async def test_a_side_never_connected_is_version_zero(drchrono):
    assert await drchrono.read() == Stored(None, 0, is_stale=False, refused_for_s=None, refused_code=None)


async def test_a_saved_token_can_be_read_by_any_process(database, drchrono, vault):
    given = await save(drchrono)

    assert given == Stored(PAIR, 1, is_stale=False, refused_for_s=None, refused_code=None)
    assert await Connections(database, vault, Side.DRCHRONO).read() == given


async def test_every_save_is_a_version_more(drchrono):
    await save(drchrono)

    assert (await save(drchrono, {"access_token": "second"})).version == 2
    assert (await drchrono.read()).token == {"access_token": "second"}


async def test_the_sides_are_apart(database, drchrono, vault):
    salesforce = Connections(database, vault, Side.SALESFORCE)
    await save(drchrono)

    lease = await salesforce.lease()

    assert lease is not None
    assert (await salesforce.read()).version == 0


async def test_a_token_lies_nowhere_in_clear(database, drchrono, tmp_path):
    await save(drchrono)

    (row,) = await rows(database, tables.connections)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir()) + repr(row).encode()
    assert row.token.encode() in stored
    assert b"Canary" not in stored


async def test_a_token_without_its_key_says_so(database, drchrono):
    await save(drchrono)
    other = Connections(database, Vault((Fernet.generate_key(),)), Side.DRCHRONO)

    with pytest.raises(Undecryptable):
        await other.read()


async def test_one_process_refreshes_at_a_time(drchrono):
    first = await drchrono.lease()

    assert first is not None
    assert await drchrono.lease() is None


async def test_of_many_that_ask_at_once_one_gets_the_lease(database, vault):
    many = [Connections(database, vault, Side.DRCHRONO) for _ in range(8)]

    leases = await asyncio.gather(*(one.lease() for one in many))

    assert len([lease for lease in leases if lease is not None]) == 1


async def test_a_lease_lasts_half_a_minute(database, drchrono):
    await drchrono.lease()

    (left,) = (
        await database.read(
            sa.select(
                sa.type_coerce(tables.connections.c.lease_until, sa.BigInteger)
                - sa.type_coerce(tables.db_now(), sa.BigInteger)
            )
        )
    )[0]
    assert 25_000 < left <= 30_000


async def test_a_dead_refreshers_lease_runs_out(database, drchrono):
    dead = await drchrono.lease()
    await expire_lease(database)

    successor = await drchrono.lease()

    assert successor not in {None, dead}


async def test_a_refresher_thought_dead_cannot_put_an_old_pair_back(database, drchrono):
    dead = await drchrono.lease()
    await expire_lease(database)
    await drchrono.save(await drchrono.lease(), {"access_token": "of the successor"}, HOUR)

    with pytest.raises(LeaseLost):
        await drchrono.save(dead, {"access_token": "of the dead"}, HOUR)

    stored = await drchrono.read()
    assert (stored.token, stored.version) == ({"access_token": "of the successor"}, 1)


async def test_a_refresher_thought_dead_disturbs_no_successor_at_work(database, drchrono):
    dead = await drchrono.lease()
    await expire_lease(database)
    successor = await drchrono.lease()

    for late in (
        drchrono.save(dead, {"access_token": "of the dead"}, HOUR),
        drchrono.refuse(dead, "invalid_grant"),
        drchrono.release(dead),
    ):
        with pytest.raises(LeaseLost):
            await late

    assert (await drchrono.read()).refused_code is None
    assert (await drchrono.save(successor, PAIR, HOUR)).version == 1


async def test_a_lease_that_ran_out_but_nobody_took_still_saves(database, drchrono):
    lease = await drchrono.lease()
    await expire_lease(database)

    assert (await drchrono.save(lease, PAIR, HOUR)).token == PAIR


@pytest.mark.parametrize("end", ["save", "refuse", "release"])
async def test_whatever_ends_a_refresh_lets_the_lease_go(drchrono, end):
    lease = await drchrono.lease()
    arguments = {"save": (PAIR, HOUR), "refuse": ("invalid_grant",), "release": ()}[end]

    await getattr(drchrono, end)(lease, *arguments)

    assert await drchrono.lease() is not None


async def test_a_lease_serves_once(drchrono):
    lease = await drchrono.lease()
    await drchrono.release(lease)

    with pytest.raises(LeaseLost):
        await drchrono.save(lease, PAIR, HOUR)


async def test_releasing_changes_no_token(drchrono):
    before = await save(drchrono)

    await drchrono.release(await drchrono.lease())

    assert await drchrono.read() == before


async def test_a_token_past_its_time_is_stale_and_still_there(database, drchrono):
    await save(drchrono)
    await ages(database, refresh_at=tables.after(-timedelta(seconds=1)))

    stored = await drchrono.read()

    assert (stored.is_stale, stored.token) == (True, PAIR)


async def test_a_token_without_a_time_is_never_stale(drchrono):
    assert (await save(drchrono, refresh_in=None)).is_stale is False


async def test_a_refusal_is_remembered_with_its_code_and_since_when(database, drchrono):
    await save(drchrono)
    await drchrono.refuse(await drchrono.lease(), "invalid_grant")
    await ages(database, refused_at=tables.after(-timedelta(seconds=90)))

    stored = await drchrono.read()

    assert stored.refused_code == "invalid_grant"
    assert 90 <= stored.refused_for_s < 95
    assert (stored.token, stored.version) == (PAIR, 1)


async def test_a_saved_token_ends_a_refusal(drchrono):
    await drchrono.refuse(await drchrono.lease(), "invalid_grant")

    stored = await save(drchrono)

    assert (stored.refused_code, stored.refused_for_s) == (None, None)


async def test_a_long_code_of_a_refusal_is_cut(drchrono):
    await drchrono.refuse(await drchrono.lease(), "x" * 100)

    assert (await drchrono.read()).refused_code == "x" * 64
