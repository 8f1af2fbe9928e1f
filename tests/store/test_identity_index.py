"""The match lease and the index of who is linked: one token at a time, in one order, until its record or its end."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa

from app.store import clock, identity_index, journal, outcomes, resolutions, retention, tables, work_queue
from app.store.journal import Answer, Entry
from app.store.resolutions import Resolution
from app.sync.model import Kind, Side, WriteState
from tests.store.build import a_result, change, change_link, rows, taken
from workers.housekeeping import tidy

MINUTE = timedelta(minutes=1)
ADA, BEA, CLEO = ("a" * 64, "b" * 64, "c" * 64)
PATIENT = Kind.PATIENT


async def held(database):
    return {row.person: row.owner for row in await rows(database, tables.matches)}


async def expire(database):
    await change(database, sa.update(tables.matches).values(until=clock.after(-timedelta(seconds=1))))


async def test_whom_one_token_holds_no_other_gets_and_it_may_take_again(database):
    first = await identity_index.lease_people(database, "one", {"l1": ADA, "l2": BEA})
    second = await identity_index.lease_people(database, "two", {"l3": BEA, "l4": CLEO})
    again = await identity_index.lease_people(database, "one", {"l1": ADA})

    assert (first, second, again) == ({ADA, BEA}, {CLEO}, {ADA})
    assert await held(database) == {ADA: "one", BEA: "one", CLEO: "two"}


async def test_nothing_to_take_is_nothing_taken(database):
    assert await identity_index.lease_people(database, "one", {}) == set()


async def test_a_lease_that_ran_out_is_free(database):
    await identity_index.lease_people(database, "one", {"l1": ADA})
    await expire(database)

    assert await identity_index.lease_people(database, "two", {"l2": ADA}) == {ADA}


async def test_of_many_that_take_at_once_in_any_order_one_gets_each(database):
    wanted = [{f"l{n}{p}": p for p in (order)} for n, order in enumerate([(ADA, BEA, CLEO), (CLEO, BEA, ADA)] * 5)]

    got = await asyncio.gather(*(identity_index.lease_people(database, f"t{n}", one) for n, one in enumerate(wanted)))

    assert sorted(person for some in got for person in some) == [ADA, BEA, CLEO]


async def test_the_index_knows_who_it_is_also_where_the_lease_was_anothers(database):
    work = await taken(database, "1")
    await identity_index.lease_people(database, "another", {"x": ADA})

    got = await identity_index.lease_people(database, work.token, {work.due[0].link.id: ADA})

    assert got == set()
    assert [one.drchrono_id for one in await identity_index.known_people(database, PATIENT, [ADA])] == ["1"]


async def test_a_worker_that_lost_its_link_notes_nothing(database):
    work = await taken(database, "1")
    await change_link(database, lease_owner="another")

    await identity_index.lease_people(database, work.token, {work.due[0].link.id: ADA})

    assert await identity_index.known_people(database, PATIENT, [ADA]) == []


async def test_renewing_the_links_renews_the_match_and_recording_releases_it(database):
    work = await taken(database, "1")
    await identity_index.lease_people(database, work.token, {work.due[0].link.id: ADA})
    await change(database, sa.update(tables.matches).values(until=clock.after(timedelta(0))))

    await database.transact(lambda connection: work_queue.renew(connection, database, work.token))
    match, link = (await rows(database, tables.matches))[0], (await rows(database, tables.links))[0]
    await outcomes.save(database, work.token, [a_result(work.due[0])])

    assert match.until >= link.lease_until
    assert await held(database) == {}


async def test_recording_leaves_other_tokens_alone(database):
    work = await taken(database, "1")
    await identity_index.lease_people(database, "another", {"x": ADA})

    await outcomes.save(database, work.token, [a_result(work.due[0])])

    assert await held(database) == {ADA: "another"}


async def test_a_look_that_does_not_say_who_it_is_leaves_the_index_as_it_was(database):
    work = await taken(database, "1")
    await outcomes.save(database, work.token, [a_result(work.due[0], identity_hash=ADA)])
    again = await taken(database, "1")

    await outcomes.save(database, again.token, [a_result(again.due[0])])

    assert [one.person for one in await identity_index.known_people(database, PATIENT, [ADA, BEA])] == [ADA]
    assert await identity_index.known_people(database, Kind.OFFICE, [ADA]) == []


async def test_a_chart_is_found_by_every_name_it_was_known_under_and_told_apart_by_the_name_asked_for(database):
    work = await taken(database, "1")
    await outcomes.save(database, work.token, [a_result(work.due[0], identity_hash=ADA)])
    again = await taken(database, "1")
    await outcomes.save(database, again.token, [a_result(again.due[0], identity_hash=BEA, known_as={CLEO})])

    found = await identity_index.known_people(database, PATIENT, [ADA, BEA, CLEO])

    assert {(one.drchrono_id, one.person) for one in found} == {("1", ADA), ("1", BEA), ("1", CLEO)}


async def test_whom_a_write_makes_of_a_record_is_leased_with_those_who_are_matched_and_known_at_once(database):
    work = await taken(database, "1")
    link_id = work.due[0].link.id

    ours = await identity_index.lease_people(database, work.token, {}, {link_id: ADA})
    others = await identity_index.lease_people(database, "another", {"x": ADA})

    assert (ours, others) == ({ADA}, set())
    assert [one.drchrono_id for one in await identity_index.known_people(database, PATIENT, [ADA])] == ["1"]


async def test_a_contact_without_a_chart_is_known_under_no_former_name(database):
    work = await taken(database, "1")
    await change_link(database, "1", drchrono_id=None, salesforce_id="003A", person=ADA)

    await identity_index.lease_people(database, work.token, {work.due[0].link.id: BEA})

    assert await rows(database, tables.identities) == []


async def test_a_link_is_known_as_those_whose_place_it_takes_and_what_goes_is_forgotten(database):
    work = await taken(database, "1", "2")
    one, other = sorted(work.due, key=lambda due: due.link.drchrono_id)
    kept = [a_result(one, identity_hash=ADA, known_as={BEA}), a_result(other, identity_hash=CLEO)]
    await outcomes.save(database, work.token, kept)
    into = {one.link.id: other.link.id}

    await database.transact(lambda connection: identity_index.move_identities(connection, into, [(one.link.id, ADA)]))

    known = {(row.link_id, row.person) for row in await rows(database, tables.identities)}
    assert known == {(other.link.id, ADA), (other.link.id, BEA)}


VISIT = {
    "kind": "appointment", "drchrono_id": "1", "salesforce_id": "a01", "due_at": None,
    "synced_at": clock.after(-timedelta(days=2)),
}  # fmt: skip
NEEDED = {
    "a person's former name": {"kind": "patient"},
    "due": {"due_at": clock.db_now()},
    "no pair yet": {"salesforce_id": None},
    "at rest since an hour": {"synced_at": clock.after(-timedelta(hours=1))},
    "a write open": {},
    "a decision open": {},
}


async def test_the_times_that_a_visit_had_go_once_it_is_at_rest_and_what_a_link_or_a_decision_needs_stays(database):
    rows_of = {"over": {}} | NEEDED
    visits = {
        name: VISIT | {"id": name, "drchrono_id": name[:9], "salesforce_id": name[:9]} | more
        for name, more in rows_of.items()
    }
    for one in visits.values():
        await change(database, sa.insert(tables.links).values(one))
    noted = [(link_id, person) for link_id in (*visits, "a link that is no more") for person in (ADA, BEA)]
    await database.transact(lambda connection: identity_index.note_identities(connection, noted, {}))
    entry = Entry("a write open", Side.SALESFORCE, "update", {})
    await change(database, sa.update(tables.links).where(tables.links.c.id == entry.link_id).values(
        lease_owner="one", lease_until=clock.after(MINUTE)
    ))  # fmt: skip
    assert await journal.plan(database, "one", [entry], MINUTE)
    decision = Resolution("a decision open", "email", Side.DRCHRONO)
    await database.transact(lambda connection: resolutions.keep(connection, decision))

    gone = [count async for count in identity_index.forget_passed(database, 3)]

    assert sum(gone) == 4
    assert {row.link_id for row in await rows(database, tables.identities)} == set(NEEDED)


async def test_housekeeping_forgets_what_links_that_are_no_more_were_known_as(database):
    noted = [("a link that is no more", person) for person in (ADA, BEA)]
    await database.transact(lambda connection: identity_index.note_identities(connection, noted, {}))

    gone = await tidy(database, retention.ages(timedelta(days=30)))

    assert gone["identities"] == 2


async def test_pairs_are_told_from_lone_records(database):
    work = await taken(database, "1", "2")
    await change_link(database, "1", salesforce_id="003A")

    assert await identity_index.already_paired(database, PATIENT, Side.DRCHRONO, {"1", "2", "3"}) == {
        "1": work.due[0].link.id
    }
    assert await identity_index.already_paired(database, PATIENT, Side.SALESFORCE, {"003A", "003B"}) == {
        "003A": work.due[0].link.id
    }
    assert await identity_index.already_paired(database, PATIENT, Side.SALESFORCE, set()) == {}


async def a_contact_with_a_create(database):
    """A Contact's lone ref with a create planned; gives its pass and the entry."""
    work = await taken(database, "1")
    await change_link(database, "1", drchrono_id=None, salesforce_id="003A", person=ADA)
    entry = Entry(work.due[0].link.id, Side.DRCHRONO, "create", {}, sent="sealed")
    await journal.plan(database, work.token, [entry], MINUTE)
    return work, entry


async def again(database):
    await change(database, sa.update(tables.links).values(lease_until=clock.after(-MINUTE)))
    return (await work_queue.lease_batch(database, PATIENT)).due[0]


async def test_a_contact_whose_create_may_have_made_a_chart_is_known_and_its_successor_sees_what_was_sent(database):
    work, entry = await a_contact_with_a_create(database)

    (known,) = await identity_index.known_people(database, PATIENT, [ADA])
    (write,) = (await again(database)).link.own_writes

    assert (known.link_id, known.drchrono_id, known.is_due) == (work.due[0].link.id, None, True)
    assert (write.id, write.sent, write.made, write.searched_at) == (entry.id, "sealed", None, None)


async def test_a_create_that_was_answered_but_not_recorded_is_remembered_until_the_link_says_so(database):
    work, entry = await a_contact_with_a_create(database)
    await journal.answer(database, [Answer(entry.id, WriteState.CONFIRMED, record_id="77")])
    due = await again(database)
    (write,) = due.link.own_writes

    token = (await rows(database, tables.links))[0].lease_owner
    await outcomes.save(database, token, [a_result(due, drchrono_id="77", again_in=timedelta(0))])

    assert (write.made, work.due[0].link.id) == ("77", due.link.id)
    assert (await again(database)).link.own_writes == ()


async def test_a_refused_create_is_forgotten(database):
    _, entry = await a_contact_with_a_create(database)
    await journal.answer(database, [Answer(entry.id, WriteState.REFUSED, "HTTP_400")])

    assert (await again(database)).link.own_writes == ()
    assert await identity_index.known_people(database, PATIENT, [ADA]) == []


async def test_the_first_search_is_noted_and_later_ones_do_not_move_it(database):
    _, entry = await a_contact_with_a_create(database)
    due = await again(database)
    token = (await rows(database, tables.links))[0].lease_owner
    await outcomes.save(database, token, [a_result(due, searched=(entry.id,), is_read=False, again_in=timedelta(0))])
    first = (await rows(database, tables.journal))[0].searched_at

    due = await again(database)
    token = (await rows(database, tables.links))[0].lease_owner
    await outcomes.save(database, token, [a_result(due, searched=(entry.id,))])

    assert first is not None
    assert (await rows(database, tables.journal))[0].searched_at == first


async def test_a_create_that_goes_on_is_told_of_whoever_its_contact_is_or_was_and_of_no_chart(database):
    work, entry = await a_contact_with_a_create(database)
    known_as = [{"link_id": work.due[0].link.id, "person": BEA}]
    await change(database, sa.insert(tables.identities).values(known_as))
    chart = await taken(database, "2")
    await change_link(database, "2", person=CLEO)

    before = await identity_index.sent_for(database, PATIENT, [ADA, BEA, CLEO])
    await journal.answer(database, [Answer(entry.id, WriteState.REFUSED, "HTTP_400")])

    assert (before, len(chart.due)) == ({ADA, BEA}, 1)
    assert await identity_index.sent_for(database, PATIENT, [ADA, BEA, CLEO]) == set()
