"""Who waits for which record: asked for at once, woken when it comes or never will, and never forgotten between."""

import sqlalchemy as sa

from app.store import clock, dependencies, links, outcomes, queue_stats, tables, work_queue
from app.sync.model import Exclusion, Kind, Parent, RecordRef, Side
from tests.store.build import SECOND, a_delivery, a_result, came_in, change, rows, taken, the_link

DOCTOR = RecordRef(Side.DRCHRONO, Kind.DOCTOR, "7")
LEFT_OUT = frozenset({Exclusion.DRCHRONO, Exclusion.SALESFORCE})
VISIT, PERSON = Kind.APPOINTMENT, Kind.PATIENT


async def waits(database, record_id="v1", *refs):
    """A visit is taken, and its look ends with waiting for these."""
    work = await taken(database, record_id, kind=VISIT)
    (due,) = work.due
    ending = a_result(due, is_read=False, again_in=30 * SECOND, awaits=refs or (DOCTOR,))
    assert await outcomes.save(database, work.token, [ending]) == {due.link.id}


async def comes(database, **ending):
    """The doctor is taken, and linked unless told otherwise."""
    work = await work_queue.lease_batch(database, Kind.DOCTOR)
    (due,) = work.due
    assert await outcomes.save(
        database, work.token, [a_result(due, **({"salesforce_id": "a02SYN000000001YBA"} | ending))]
    )


async def due_kinds(database):
    return {kind for kind, _lane in await work_queue.waiting(database)}


async def test_a_parent_nobody_has_heard_of_is_due_at_once_and_to_be_asked_for(database):
    await waits(database)

    assert await due_kinds(database) == {Kind.DOCTOR}
    (due,) = (await work_queue.lease_batch(database, Kind.DOCTOR)).due
    assert due.link.confirm_due_at is not None
    assert await dependencies.status_of(database, {(Kind.DOCTOR, "7")}) == {(Kind.DOCTOR, "7"): Parent.COMING}


async def test_when_the_parent_is_linked_whoever_waited_is_due(database):
    await waits(database)

    await comes(database)

    assert await due_kinds(database) == {VISIT}
    assert await rows(database, tables.awaited) == []
    assert await dependencies.status_of(database, {(Kind.DOCTOR, "7")}) == {}


async def test_when_nothing_comes_of_the_parent_whoever_waited_is_due_too(database):
    await waits(database)

    await comes(database, salesforce_id=None)

    assert await due_kinds(database) == {VISIT}
    assert await dependencies.status_of(database, {(Kind.DOCTOR, "7")}) == {(Kind.DOCTOR, "7"): Parent.NEVER}


async def test_a_parent_that_has_to_be_looked_at_again_wakes_nobody(database):
    await waits(database)

    await comes(database, salesforce_id=None, again_in=60 * SECOND)

    assert await due_kinds(database) == set()
    assert len(await rows(database, tables.awaited)) == 1


async def test_a_parent_that_never_came_is_not_made_due_again_by_being_awaited_again(database):
    await waits(database)
    await comes(database, salesforce_id=None)

    work = await work_queue.lease_batch(database, VISIT)
    ending = a_result(work.due[0], awaits=(DOCTOR,))
    await outcomes.save(database, work.token, [ending])

    assert await due_kinds(database) == set()
    assert len(await rows(database, tables.awaited)) == 1, "should it come after all"


async def test_a_parent_that_comes_while_a_child_is_being_looked_at_is_not_missed(database):
    await waits(database)
    await came_in(database, a_delivery("v1", kind=VISIT))
    work = await work_queue.lease_batch(database, VISIT)

    await comes(database)
    await outcomes.save(database, work.token, [a_result(work.due[0], is_read=False, again_in=None)])

    assert await due_kinds(database) == {VISIT}


async def test_a_parent_in_salesforce_is_awaited_by_its_own_id(database):
    contact = RecordRef(Side.SALESFORCE, PERSON, "003SYN000000001YBA")
    await waits(database, "v1", contact)

    work = await work_queue.lease_batch(database, PERSON)
    assert [due.link.salesforce_id for due in work.due] == ["003SYN000000001YBA"]
    await outcomes.save(database, work.token, [a_result(work.due[0], drchrono_id="9")])

    assert await due_kinds(database) == {VISIT}


async def test_many_children_of_one_parent_are_all_woken(database):
    for record_id in ("v1", "v2", "v3"):
        await waits(database, record_id)

    await comes(database)

    assert len((await work_queue.lease_batch(database, VISIT)).due) == 3


async def test_only_what_is_linked_is_pointed_out(database):
    await waits(database)
    await comes(database)
    await change(database, sa.update(tables.links).values(due_at=None))

    async def work(connection):
        known = ["a02SYN000000001YBA", "a02SYN000000009YBA"]
        return await links.mark_due(connection, Kind.DOCTOR, Side.SALESFORCE, known)

    assert await database.transact(work) == 1
    assert await due_kinds(database) == {Kind.DOCTOR}


async def test_a_record_nobody_has_heard_of_is_noted_once(database):
    async def work(connection):
        ids = ["003SYN000000001YBA", "003SYN000000002YBA"]
        return await links.add_unlinked(connection, PERSON, ids)

    assert (await database.transact(work), await database.transact(work)) == (2, 0)
    assert len((await work_queue.lease_batch(database, PERSON)).due) == 2


async def test_agreed_is_what_is_linked_and_not_failed(database):
    work = await taken(database, "1", "2", "3")
    for due in work.due:
        linked = {} if due.link.drchrono_id == "2" else {"salesforce_id": f"003{due.link.drchrono_id}"}
        assert await outcomes.save(database, work.token, [a_result(due, base={"email": "stamp"}, **linked)])
    failed = (await the_link(database, "3")).id
    values = {"side": "drchrono", "kind": "patient", "cause": "held", "fields": "", "is_held": True}
    await change(database, sa.insert(tables.failures).values(link_id=failed, at=clock.db_now(), **values))

    found = await links.links_to_compare(database, PERSON, ["1", "2", "3", "4"])

    assert {id_: dict(link.base.stamps) for id_, link in found.items()} == {"1": {"email": "stamp"}}


async def test_a_parent_that_comes_while_it_is_noted_that_a_child_waits_wakes_it(database):
    work = await taken(database, "v1", kind=VISIT)
    await came_in(database, a_delivery("7", kind=Kind.DOCTOR))
    await comes(database)

    ending = a_result(work.due[0], is_read=False, again_in=30 * SECOND, awaits=(DOCTOR,))
    await outcomes.save(database, work.token, [ending])

    assert await due_kinds(database) == {VISIT}


async def test_who_is_left_out_is_known_by_either_id_and_wakes_whoever_waited_once(database):
    await waits(database)

    await comes(database, excluded_by=LEFT_OUT)
    out = {DOCTOR, RecordRef(Side.SALESFORCE, Kind.DOCTOR, "a02SYN000000001YBA")}
    first = await due_kinds(database)
    work = await work_queue.lease_batch(database, VISIT)
    await outcomes.save(database, work.token, [a_result(work.due[0], awaits=(DOCTOR,))])

    others = {RecordRef(Side.DRCHRONO, Kind.OFFICE, "7"), RecordRef(Side.DRCHRONO, Kind.DOCTOR, "8")}
    assert await dependencies.excluded_of(database, out | others) == out
    assert (first, await due_kinds(database)) == ({VISIT}, set()), "its child would be woken again and again"
    assert (await links.links_to_compare(database, Kind.DOCTOR, ["7"]))["7"].excluded_by == LEFT_OUT
    assert await queue_stats.excluded_counts(database) == {"doctor": 1}


async def test_who_is_back_wakes_whoever_was_left_out_with_them_and_drchrono_is_asked_about_those(database):
    await waits(database)
    await comes(database, excluded_by=LEFT_OUT)
    work = await work_queue.lease_batch(database, VISIT)
    ending = a_result(work.due[0], awaits=(DOCTOR,), excluded_by=frozenset({Exclusion.PARENT}))
    await outcomes.save(database, work.token, [ending])

    await came_in(database, a_delivery("7", kind=Kind.DOCTOR))
    await comes(database, excluded_by=frozenset())

    (due,) = (await work_queue.lease_batch(database, VISIT)).due
    assert due.link.excluded_by == {Exclusion.PARENT}
    assert due.link.confirm_due_at is not None
    assert await dependencies.excluded_of(database, {DOCTOR}) == frozenset()
