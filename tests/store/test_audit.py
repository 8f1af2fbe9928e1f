"""The audit is a chain: whichever row is changed, lost or added, the first one that cannot be believed is named."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from app.ports import Act, Action, By
from app.store import audit, tables
from app.store.audit import drop_old, first_break, head, record
from app.store.audit_chain import AuditAnchor, AuditKeys, digest_of, sum_of_earlier
from app.store.clock import after, db_now
from app.store.database import Database
from tests.store.build import change, rows

OLD, NEW = Fernet.generate_key(), Fernet.generate_key()
ANNA = By("operator", "session 1f2e3d4c", "anna")
DAY = timedelta(days=1)
ROW = tables.audit.c
EARLIER = {"at": db_now(), "action": "pause", "about": "live", "records": 0, "reason": "x"}
EARLIER |= {"role": "operator", "who": "bearer"}


@pytest.fixture
def database(database):
    """A database whose rows are signed."""
    database.audit_keys = AuditKeys.of([OLD])
    return database


async def noted(database, count):
    for number in range(count):
        await record(database, Act(ANNA, Action.SHOW, f"patient {number}", ids=(str(number),)))


async def broken(database, anchor=None):
    return str((await first_break(database, anchor))[0])


async def earlier(database, *ids):
    await change(database, sa.insert(tables.audit).values([{"id": id_, **EARLIER} for id_ in ids]))


async def test_a_chain_that_nobody_touched_is_whole(database):
    await noted(database, 5)

    assert await first_break(database) == (None, await head(database))
    assert (await head(database)).position == 5


async def test_an_empty_audit_is_whole(database):
    assert await first_break(database) == (None, AuditAnchor(0, ""))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "ben"), ("role", "viewer"), ("who", "bearer"), ("action", "list"), ("about", "patient 7"),
        ("records", 2), ("reason", "because"), ("ids", "7"), ("at", 0), ("id", "01J"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_changed_row_is_named_whatever_was_changed(database, column, value):
    await noted(database, 5)
    changed = sa.literal(value, sa.BigInteger) if column == "at" else value

    await change(database, sa.update(tables.audit).where(ROW.position == 3).values({column: changed}))

    assert "row 3 (" in await broken(database)


@pytest.mark.parametrize(
    ("lost", "says"),
    [
        ((1,), "row 1 is missing"),
        ((3,), "row 3 is missing"),
        ((2, 3, 4), "row 2 and 2 after it are missing"),
        ((5,), "row 5 is missing at the end"),
        ((4, 5), "row 4 and 1 after it are missing at the end"),
        ((1, 2, 3, 4, 5), "row 1 and 4 after it are missing at the end"),
    ],
    ids=str,
)
async def test_a_row_that_is_missing_is_named(database, lost, says):
    await noted(database, 5)

    await change(database, sa.delete(tables.audit).where(ROW.position.in_(lost)))

    assert await broken(database) == says


async def test_rows_in_another_order_are_named_by_the_first(database):
    await noted(database, 5)

    for position, to in ((2, 99), (4, 2), (99, 4)):
        await change(database, sa.update(tables.audit).where(ROW.position == position).values(position=to))

    assert "row 2 (" in await broken(database)


async def test_a_row_added_without_the_key_is_named_even_where_its_digest_is_right(database):
    await noted(database, 2)
    stranger = Database(database.url.render_as_string(hide_password=False), audit_keys=AuditKeys.of([NEW]))
    async with stranger.opened():
        await noted(stranger, 1)

    assert "row 3 and those after it are signed with a key that ENCRYPTION_KEYS does not hold" in await broken(database)


@pytest.mark.parametrize("keys", [(), ("", "")], ids=["no key", "another's mac"])
async def test_a_row_that_is_not_signed_is_named(database, keys):
    await noted(database, 2)

    await change(
        database,
        sa.update(tables.audit).where(ROW.position == 2).values(mac="0" * 64, **({} if keys else {"key_id": ""})),
    )

    assert "row 2 (" in await broken(database)
    assert "was not written by this service" in await broken(database)


@pytest.mark.parametrize("position", [None, 77], ids=["outside", "after the last"])
async def test_a_row_slipped_in_beside_the_chain_is_named(database, position):
    await noted(database, 2)

    await change(database, sa.insert(tables.audit).values(id="01ZZ", position=position, **EARLIER))

    assert "01ZZ" in await broken(database)


async def test_a_false_checkpoint_does_not_hide_that_the_beginning_is_gone(database):
    await noted(database, 5)
    (cut,) = [row for row in await rows(database, tables.audit) if row.position == 3]
    await change(database, sa.delete(tables.audit).where(ROW.position <= 3))
    false = {**EARLIER, "action": "checkpoint", "records": 3, "reason": cut.digest}
    await change(database, sa.insert(tables.audit).values(id="01ZZ", position=77, **false))

    assert await broken(database) == "row 1 and 2 after it are missing"


async def test_what_is_cut_off_the_end_and_hidden_shows_by_an_anchor_kept_elsewhere(database):
    await noted(database, 3)
    anchor = await head(database)
    (last,) = [row for row in await rows(database, tables.audit) if row.position == 2]
    await change(database, sa.delete(tables.audit).where(ROW.position == 3))
    await change(database, sa.update(tables.audit_head).values(position=2, digest=last.digest))

    assert (await first_break(database))[0] is None
    assert await broken(database, anchor) == "row 3 of the anchor is missing at the end"


async def test_an_anchor_that_is_still_there_is_fine_as_the_chain_grows(database):
    await noted(database, 3)
    anchor = await head(database)
    await noted(database, 2)

    assert (await first_break(database, anchor))[0] is None
    assert "row 3 is not the one of the anchor" in await broken(database, AuditAnchor(3, "0" * 64))


async def test_the_chain_outlives_the_key_it_began_with(database):
    await noted(database, 3)
    database.audit_keys = AuditKeys.of([NEW, OLD])
    await noted(database, 1)

    database.audit_keys = AuditKeys.of([NEW])

    assert (await first_break(database))[0] is None
    await change(database, sa.update(tables.audit).where(ROW.position == 2).values(name="ben"))
    assert "row 2 (" in await broken(database)


async def test_rows_of_before_the_chain_are_vouched_for_by_its_first(database):
    await earlier(database, "01A", "01B")
    await noted(database, 2)

    assert (await first_break(database))[0] is None
    found = {row.position: row for row in await rows(database, tables.audit)}
    assert (found[1].action, found[1].records, found[1].ids) == ("anchor", 2, "01B")
    assert (await head(database)).position == 3


@pytest.mark.parametrize(
    "done",
    [sa.update(tables.audit).where(ROW.id == "01A").values(name="ben"), sa.delete(tables.audit).where(ROW.id == "01A"),
     sa.insert(tables.audit).values(id="01AA", **EARLIER)],
    ids=["changed", "missing", "added"],
)  # fmt: skip
async def test_rows_of_before_the_chain_cannot_be_changed_after_it_began(database, done):
    await earlier(database, "01A", "01B")
    await noted(database, 1)

    await change(database, done)

    assert "vouches for other rows of before the chain" in await broken(database)


async def test_rows_of_before_the_chain_are_no_break_while_nothing_was_noted_since(database):
    await earlier(database, "01A")

    assert (await first_break(database))[0] is None


async def test_acts_of_many_at_once_make_one_chain(database):
    await asyncio.gather(*(record(database, Act(ANNA, Action.SHOW, f"patient {number}")) for number in range(20)))

    assert await first_break(database) == (None, await head(database))
    assert (await head(database)).position == 20


async def test_what_is_rolled_back_leaves_no_gap(database):
    await noted(database, 1)

    async def fails(connection):
        await audit.note(database, connection, Act(ANNA, Action.SHOW, "patient 7"))
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(fails)
    await noted(database, 1)

    assert await first_break(database) == (None, await head(database))


async def test_what_is_old_goes_and_what_is_left_is_a_chain(database):
    await earlier(database, "01A")
    await noted(database, 4)
    old = sa.or_(ROW.position.is_(None), ROW.position <= 3)
    await change(database, sa.update(tables.audit).where(old).values(at=after(-500 * DAY)))
    await sign_again(database)

    gone = await drop_old(database, 400 * DAY)
    await noted(database, 1)

    assert gone == 4
    assert sorted(row.position for row in await rows(database, tables.audit)) == [4, 5, 6, 7]
    assert (await first_break(database))[0] is None
    await change(database, sa.delete(tables.audit).where(ROW.position == 4))
    assert await broken(database) == "row 4 is missing"


async def sign_again(database):
    """Make a chain of the rows as they are now, as if they had been noted so."""
    total, digest = "", ""
    for row in sorted(
        (row._asdict() for row in await rows(database, tables.audit)), key=lambda row: row["position"] or 0
    ):
        if row["position"] is None:
            total = sum_of_earlier(total, row)
            continue
        row["reason"] = total if row["action"] == "anchor" else row["reason"]
        digest = digest_of(digest, row["position"], row)
        key_id, mac = database.audit_keys.sign(digest)
        signed = {"digest": digest, "key_id": key_id, "mac": mac, "reason": row["reason"]}
        await change(database, sa.update(tables.audit).where(ROW.id == row["id"]).values(**signed))
    await change(database, sa.update(tables.audit_head).values(digest=digest))


async def test_nothing_goes_before_a_month_of_it_is_old(database):
    await noted(database, 3)
    await change(database, sa.update(tables.audit).values(at=after(-410 * DAY)))

    assert await drop_old(database, 400 * DAY) == 0


async def test_many_ids_are_kept_whole_as_far_as_they_fit(database):
    await record(database, Act(ANNA, Action.LIST, "patients", 3000, ids=tuple(str(10**9 + n) for n in range(3000))))

    (row,) = await rows(database, tables.audit)
    assert len(row.ids) <= 16_000
    assert all(len(id_) == 10 for id_ in row.ids.split(" "))
    assert (await first_break(database))[0] is None
