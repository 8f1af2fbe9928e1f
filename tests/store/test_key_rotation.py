import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from ulid import ULID

from app.errors import Undecryptable
from app.store import conflicts
from app.store.clock import db_now
from app.store.conflicts import DecidedConflict
from app.store.database import Database
from app.store.encryption import Vault
from app.store.key_rotation import BATCH, PLACES, RotationResult, look, rotate, swap
from app.store.tables import conflicts as conflicts_table
from app.store.tables import connections, deliveries, failures, journal, metadata
from app.sync.model import Kind
from tests.store.build import change, rows

OLDER, OLD, NEW, LOST = (Fernet.generate_key() for _ in range(4))
BEFORE, ROTATING, AFTER, STRANGER = Vault((OLD,)), Vault((NEW, OLD, OLDER)), Vault((NEW,)), Vault((LOST,))
BODIES, WRITES, SENT, DECIDED, MESSAGES, NOTES, TOKENS, PENDING = PLACES
DELIVERY = {"side": "drchrono", "event": "PATIENT_MODIFY", "outcome": "kept", "received_at": db_now()}
WRITE = {
    "link_id": "a link", "side": "salesforce", "call": "update", "stamps": {}, "state": "confirmed",
    "planned_at": db_now(), "settle_at": db_now(),
}  # fmt: skip


FAILURE = {"side": "salesforce", "kind": "patient", "cause": "c", "fields": "", "is_held": False, "at": db_now()}


async def insert(database, table, given, values):
    async def work(connection):
        for row in values:
            await connection.execute(sa.insert(table).values(**given, **row))

    await database.transact(work)


async def bodies(database, vault, *contents, given=DELIVERY):
    """Keep deliveries' bodies; None is one whose body is gone. Gives their ids."""
    ids = [str(ULID()) for _ in contents]
    sealed = [
        None if content is None else vault.seal(content, BODIES.column.of(id_))
        for id_, content in zip(ids, contents, strict=True)
    ]
    values = [{"id": id_, "delivery_key": id_, "body": body} for id_, body in zip(ids, sealed, strict=True)]
    await insert(database, deliveries, given, values)
    return ids


async def replaced(database, vault, *contents):
    ids = [str(ULID()) for _ in contents]
    sealed = [vault.seal(content, WRITES.column.of(id_)) for id_, content in zip(ids, contents, strict=True)]
    values = [{"id": id_, "replaced": text} for id_, text in zip(ids, sealed, strict=True)]
    await insert(database, journal, WRITE, values)


async def save(database, vault, token, side="drchrono"):
    """Store a token, as whoever refreshed it does."""
    sealed = vault.seal(token, TOKENS.column.of(side))

    async def work(connection):
        there = sa.update(connections).where(connections.c.side == side).values(token=sealed)
        if not (await connection.execute(there)).rowcount:
            await connection.execute(sa.insert(connections).values(side=side, token=sealed, version=1))

    await database.transact(work)


def meanwhile(database, write, *arguments):
    """Let another process write, and go on when it has."""

    async def another_process():
        async with Database(database.url.render_as_string(hide_password=False)).opened() as theirs:
            await write(theirs, *arguments)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, another_process()).result()


async def opened(database, vault, place=BODIES):
    """What lies in a place, by its key; a key that does not open it ends the test."""
    there = {row._mapping[place.key]: row._mapping[place.sealed] for row in await rows(database, place.key.table)}
    return {key: sealed and vault.open(sealed, place.column.of(key)) for key, sealed in there.items()}


async def lying(database):
    return {str(place): await rows(database, place.key.table) for place in PLACES}


def test_every_column_of_long_text_is_known_because_only_what_is_sealed_is_long():
    long = {f"{table}.{column.name}" for table in metadata.sorted_tables for column in table.c
            if isinstance(column.type, sa.Text)}  # fmt: skip

    assert {str(place) for place in PLACES} == long


async def test_everything_sealed_comes_under_the_newest_key(database):
    ids = await bodies(database, BEFORE, "first", "second")
    ids += await bodies(database, Vault((OLDER,)), "third")
    await replaced(database, BEFORE, {"email": "old"})
    (write,) = await rows(database, journal)
    sent = BEFORE.seal({"email": "new"}, SENT.column.of(write.id))
    await change(database, sa.update(journal).values(sent=sent))
    id_ = str(ULID())
    kept = BEFORE.seal({"drchrono": "a", "salesforce": "b"}, DECIDED.column.of(id_))
    conflict = DecidedConflict(Kind.PATIENT, "email", "salesforce owns it", kept, id_)
    await database.transact(lambda connection: conflicts.keep(connection, [("journal", "link", conflict)]))
    told = {place.sealed.name: BEFORE.seal(f"of {place}", place.column.of("01A")) for place in (MESSAGES, NOTES)}
    await insert(database, failures, FAILURE, [{"link_id": "01A", **told}])
    await save(database, BEFORE, {"access_token": "of drchrono"})
    await save(database, BEFORE, {"access_token": "of salesforce"}, "salesforce")
    for side in ("drchrono", "salesforce"):
        waits = BEFORE.seal("waits", PENDING.column.of(side))
        await change(database, sa.update(connections).where(connections.c.side == side).values(pending=waits))

    done = await rotate(database, ROTATING)

    assert done == RotationResult(resealed=12, left=0, unopenable=0)
    assert await opened(database, AFTER) == dict(zip(ids, ["first", "second", "third"], strict=True))
    assert list((await opened(database, AFTER, WRITES)).values()) == [{"email": "old"}]
    assert list((await opened(database, AFTER, SENT)).values()) == [{"email": "new"}]
    assert await opened(database, AFTER, DECIDED) == {conflict.id: {"drchrono": "a", "salesforce": "b"}}
    for place in (MESSAGES, NOTES):
        assert await opened(database, AFTER, place) == {"01A": f"of {place}"}
    assert await opened(database, AFTER, TOKENS) == {
        "drchrono": {"access_token": "of drchrono"}, "salesforce": {"access_token": "of salesforce"},
    }  # fmt: skip
    assert await opened(database, AFTER, PENDING) == {"drchrono": "waits", "salesforce": "waits"}


async def test_nothing_but_the_sealed_text_changes(database):
    await bodies(database, BEFORE, "first", None)
    await replaced(database, BEFORE, {"email": "old"})
    await save(database, BEFORE, {"access_token": "a"})
    before = await lying(database)

    await rotate(database, ROTATING)

    after, sealed = await lying(database), {place.sealed.name for place in PLACES}
    for place in PLACES:
        others = [column for column in place.key.table.columns if column.name not in sealed]
        assert [[row._mapping[column] for column in others] for row in after[str(place)]] == [
            [row._mapping[column] for column in others] for row in before[str(place)]
        ]


async def test_a_second_run_finds_nothing_to_do_and_writes_nothing(database):
    await bodies(database, BEFORE, "first", "second")
    await rotate(database, ROTATING)
    before = await lying(database)

    done = await rotate(database, ROTATING)

    assert done == RotationResult(resealed=0, left=0, unopenable=0)
    assert await lying(database) == before


async def test_an_empty_database_has_nothing_to_do(database):
    assert await rotate(database, ROTATING) == RotationResult(resealed=0, left=0, unopenable=0)


async def test_a_body_that_is_gone_stays_gone(database):
    (gone,) = await bodies(database, BEFORE, None)

    done = await rotate(database, ROTATING)

    assert done.resealed == 0
    assert await opened(database, AFTER) == {gone: None}


async def test_what_no_key_opens_is_counted_and_left_as_it_is(database):
    (lost,) = await bodies(database, STRANGER, "lost")
    (kept,) = await bodies(database, BEFORE, "kept")
    before = (await rows(database, deliveries))[0].body

    done = await rotate(database, ROTATING)

    assert done == RotationResult(resealed=1, left=0, unopenable=1)
    found = {row.id: row.body for row in await rows(database, deliveries)}
    assert found[lost] == before
    assert AFTER.open(found[kept], BODIES.column.of(kept)) == "kept"


async def test_what_no_key_opened_is_sealed_anew_once_its_key_is_back(database):
    await bodies(database, STRANGER, "lost")
    await rotate(database, ROTATING)

    done = await rotate(database, Vault((NEW, OLD, LOST)))

    assert done == RotationResult(resealed=1, left=0, unopenable=0)
    assert list((await opened(database, AFTER)).values()) == ["lost"]


class CutOffError(Exception):
    """The process dies here."""


async def test_a_run_cut_off_in_the_middle_is_continued_by_the_next(database):
    count = BATCH + 100
    await bodies(database, BEFORE, *range(count))

    def die_after_a_batch(step):
        if step.rows:
            raise CutOffError

    with pytest.raises(CutOffError):
        await rotate(database, ROTATING, die_after_a_batch)

    current = [AFTER.is_current(row.body, BODIES.column.of(row.id)) for row in await rows(database, deliveries)]
    assert current == [True] * BATCH + [False] * (count - BATCH)
    assert await rotate(database, ROTATING) == RotationResult(resealed=count - BATCH, left=0, unopenable=0)
    assert list((await opened(database, AFTER)).values()) == list(range(count))


async def test_a_walk_says_how_far_it_has_come(database):
    await bodies(database, BEFORE, *range(BATCH + 100))
    steps = []

    await rotate(database, ROTATING, steps.append)

    said = [(str(step), step.rows, step.of) for step in steps if step.place is BODIES]
    assert said == [
        (name, rows_, BATCH + 100)
        for name in ("deliveries.body", "deliveries.body, once more")
        for rows_ in (0, BATCH, BATCH + 100)
    ]


async def test_long_bodies_come_in_smaller_batches(database):
    ids = await bodies(database, BEFORE, *["x" * 3 * 2**20] * 4)

    batch = await look(database, ROTATING, BODIES, "")

    assert (batch.rows, batch.last) == (1, ids[0])
    assert (await rotate(database, ROTATING)).resealed == 4


async def test_a_token_refreshed_between_look_and_write_stays(database):
    await save(database, BEFORE, {"access_token": "first"})
    batch = await look(database, ROTATING, TOKENS, "")
    await save(database, BEFORE, {"access_token": "refreshed"})

    assert await swap(database, TOKENS, batch.fresh) == 0

    assert await opened(database, BEFORE, TOKENS) == {"drchrono": {"access_token": "refreshed"}}


async def test_a_row_gone_between_look_and_write_stays_gone(database):
    await bodies(database, BEFORE, "first")
    batch = await look(database, ROTATING, BODIES, "")
    await change(database, sa.update(deliveries).values(body=None))

    assert await swap(database, BODIES, batch.fresh) == 0

    assert list((await opened(database, AFTER)).values()) == [None]


async def test_what_was_written_under_the_old_key_meanwhile_is_looked_at_again(database):
    await bodies(database, BEFORE, "first")

    def writes_behind_the_walk(step):
        if (step.walk, step.place) == (1, WRITES):
            meanwhile(database, bodies, BEFORE, "late")

    done = await rotate(database, ROTATING, writes_behind_the_walk)

    assert done == RotationResult(resealed=2, left=0, unopenable=0)
    assert list((await opened(database, AFTER)).values()) == ["first", "late"]


async def test_tokens_saved_all_the_while_are_never_set_back(database):
    await save(database, BEFORE, {"access_token": 0})

    async def refresh_often():
        for at in range(1, 21):
            await save(database, BEFORE if at % 2 else ROTATING, {"access_token": at})

    async def reseal_often():
        for _ in range(10):
            await rotate(database, ROTATING)

    await asyncio.gather(refresh_often(), reseal_often())

    assert await opened(database, ROTATING, TOKENS) == {"drchrono": {"access_token": 20}}


async def test_who_still_seals_with_an_older_key_is_noticed_and_the_run_ends(database):
    await bodies(database, BEFORE, "first")

    def writes_behind_every_walk(step):
        if step.place is WRITES:
            meanwhile(database, bodies, BEFORE, "another")

    done = await rotate(database, ROTATING, writes_behind_every_walk)

    assert done.left == 1
    assert not done.is_complete


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (RotationResult(resealed=3, left=0, unopenable=0), "the older keys can now be removed"),
        (RotationResult(resealed=3, left=2, unopenable=0), "2 came under an older key meanwhile"),
        (RotationResult(resealed=3, left=2, unopenable=1200),
         "1,200 are encrypted with a key that ENCRYPTION_KEYS lacks: put it at the end and run this again"),
    ],
    ids=["complete", "written meanwhile", "a key is missing"],
)  # fmt: skip
def test_only_a_complete_run_lets_the_older_keys_go(done, said):
    assert said in done.verdict
    assert ("can now be removed" in done.verdict) is done.is_complete


async def swapped(database, vault):
    """Seal two rows of every place, and let each lie where the other was sealed."""
    ids = dict.fromkeys(("deliveries", "journal", "conflicts", "failures"), ("01A", "01B"))
    given = {
        "deliveries": DELIVERY,
        "journal": WRITE,
        "conflicts": {
            "journal_id": "j",
            "link_id": "l",
            "kind": "patient",
            "field": "email",
            "rule": "r",
            "at": db_now(),
        },
        "failures": FAILURE,
        "connections": {"version": 1},
    }
    for table in (deliveries, journal, conflicts_table, failures, connections):
        places, name = [place for place in PLACES if place.key.table is table], table.name
        first, second = ids.get(name, ("drchrono", "salesforce"))
        beside = {"deliveries": "delivery_key"}.get(name)
        values = [
            {places[0].key.name: key, **({beside: key} if beside else {})}
            | {place.sealed.name: vault.seal(f"of {other}", place.column.of(other)) for place in places}
            for key, other in ((first, second), (second, first))
        ]
        await insert(database, table, given[name], values)


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_a_text_moved_to_another_row_opens_there_with_no_key(database, place):
    await swapped(database, BEFORE)

    for row in await rows(database, place.key.table):
        at = place.column.of(row._mapping[place.key])
        with pytest.raises(Undecryptable, match=f"{re.escape(at)}.*moved here"):
            ROTATING.open(row._mapping[place.sealed], at)


async def test_a_text_moved_to_another_row_is_named_and_never_sealed_anew_for_it(database):
    await swapped(database, BEFORE)
    before = await lying(database)

    done = await rotate(database, ROTATING)

    places = [
        place.column.of(row._mapping[place.key]) for place in PLACES for row in await rows(database, place.key.table)
    ]
    assert done == RotationResult(resealed=0, left=0, unopenable=0, displaced=tuple(places))
    assert not done.is_complete
    assert "deliveries.body 01A" in done.verdict
    assert await lying(database) == before


async def test_a_text_moved_to_another_column_of_its_row_does_not_open_there(database):
    await save(database, BEFORE, {"access_token": "a"})
    await change(database, sa.update(connections).values(pending=connections.c.token))

    (row,) = await rows(database, connections)
    with pytest.raises(Undecryptable):
        BEFORE.open(row.pending, PENDING.column.of(row.side))


async def test_what_an_older_version_bound_to_no_row_is_bound_when_it_is_sealed_anew(database):
    unbound = Fernet(NEW).encrypt(b'"first"').decode()
    await insert(database, deliveries, DELIVERY, [{"id": "01A", "delivery_key": "01A", "body": unbound}])

    done = await rotate(database, AFTER)

    (row,) = await rows(database, deliveries)
    assert done == RotationResult(resealed=1, left=0, unopenable=0)
    assert AFTER.open(row.body, BODIES.column.of("01A")) == "first"
    with pytest.raises(Undecryptable):
        AFTER.open(row.body, BODIES.column.of("01B"))
