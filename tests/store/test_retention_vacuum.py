import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from app.errors import StoreUnavailable
from app.store import retention, tables
from app.store.database import Database
from tests.store.build import a_delivery, came_in, change, on_postgresql, on_sqlite, rows

BODY = "x" * 20_000


async def given_back(database):
    return [size async for size in retention.vacuum_steps(database)]


async def filled_and_emptied(database, count=400):
    """Let the file grow by 8 MB, and delete nearly all of what is in it."""
    await came_in(database, *(a_delivery(body=BODY) for _ in range(count)))
    await change(database, sa.delete(tables.deliveries).where(tables.deliveries.c.id != (await some_id(database))))


async def some_id(database):
    return (await database.read(sa.select(sa.func.max(tables.deliveries.c.id))))[0][0]


@on_sqlite
async def test_what_is_free_is_given_back_in_steps_and_the_rest_is_still_there(database):
    await filled_and_emptied(database)

    steps = await given_back(database)

    assert len(steps) > 3
    assert max(steps) <= (retention.PAGES + 1) * 4096  # and a page that says where the others are
    assert sum(steps) > 400 * len(BODY) * 0.7
    assert [row.body for row in await rows(database, tables.deliveries)] == [BODY]


@on_sqlite
async def test_the_log_is_cut(database):
    await filled_and_emptied(database)

    await given_back(database)

    assert (database.path.parent / f"{database.path.name}-wal").stat().st_size == 0


@on_sqlite
async def test_a_log_somebody_reads_in_is_left_to_the_next_time(database):
    await filled_and_emptied(database)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM deliveries").fetchone()
        await came_in(database, a_delivery("1"))

        await given_back(database)

        assert (database.path.parent / f"{database.path.name}-wal").stat().st_size > 0
    assert len(await rows(database, tables.deliveries)) == 2


@on_sqlite
async def test_a_file_that_does_not_give_back_keeps_its_size_and_uses_it_again(database, tmp_path):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE deliveries (id)")
        old.execute("INSERT INTO deliveries VALUES (zeroblob(9000000))")
        old.execute("DELETE FROM deliveries")
        old.commit()

    async with Database(f"sqlite+aiosqlite:///{path}").opened() as opened:
        await opened.read(sa.text("SELECT 1"))
        assert await given_back(opened) == []

    assert path.stat().st_size > 9_000_000


@on_sqlite
async def test_a_file_that_is_gone_is_unavailable_and_does_not_come_back_empty(database, tmp_path):
    absent = Database(f"sqlite+aiosqlite:///{tmp_path / 'absent.db'}")

    with pytest.raises(StoreUnavailable):
        await given_back(absent)

    assert not absent.path.exists()


@on_postgresql
async def test_postgresql_does_it_by_itself(database):
    assert await given_back(database) == []
