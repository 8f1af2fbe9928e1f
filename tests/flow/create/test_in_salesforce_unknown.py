"""A write whose answer never came: it may have happened, or may still; it is looked at before anything else."""

from datetime import timedelta

from app.store.tables import journal, tallies
from tests.flow.clinic import REQUEST_LIMIT
from workers.read import read_both_sides
from workers.sync import sync

UPSERT = "PATCH /services/data/v67.0/composite/sobjects/Contact"
UPDATE = "PATCH /services/data/v67.0/composite/sobjects"


async def states(clinic):
    return sorted(row.state for row in await clinic.rows(journal))


async def test_a_create_that_landed_unanswered_is_found_and_not_repeated(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    clinic.breaks("salesforce", UPSERT, "drop_after_commit", next=1)

    await clinic.arrives(patient)
    after_the_call = await states(clinic)
    await clinic.time_passes(timedelta(seconds=30))
    await clinic.settles()

    assert after_the_call == ["unknown"]
    assert clinic.writes() == ["created"]
    assert await states(clinic) == ["confirmed"]
    assert (await clinic.link(patient)).salesforce_id == clinic.contact()["Id"]
    assert await clinic.unfinished() == []
    assert {row.name: row.count for row in await clinic.rows(tallies)}["created_salesforce_patient"] == 1


async def test_a_write_that_did_not_land_is_sent_again_once_it_was_looked_for(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    clinic.breaks("salesforce", UPSERT, "drop_before", next=1)
    await clinic.arrives(patient)

    await clinic.time_passes(timedelta(seconds=2))
    await clinic.settles()

    assert clinic.contact()["FirstName"] == "Ada"
    assert await states(clinic) == ["confirmed", "refused"]


async def test_a_newer_edit_goes_at_once_and_is_looked_at_again_when_the_unknown_write_cannot_land_any_more(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", city="One")
    await clinic.arrives(patient)
    clinic.breaks("salesforce", UPDATE, "drop_before", next=1)
    await clinic.arrives(await clinic.edits(patient, city="Two"))

    await clinic.arrives(await clinic.edits(patient, city="Three"))
    meanwhile, link = clinic.contact()["MailingCity"], await clinic.link(patient)
    await clinic.time_passes(REQUEST_LIMIT)
    await clinic.settles()

    assert (meanwhile, link.last_error) == ("Three", "write_unsettled")
    assert (clinic.writes(), (await clinic.link(patient)).due_at) == (["created", "updated"], None)


async def test_our_own_unknown_write_over_there_is_nobodys_edit(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", email="one@example.com")
    await clinic.arrives(patient)
    clinic.breaks("salesforce", UPDATE, "drop_after_commit", next=1)
    await clinic.arrives(await clinic.edits(patient, email="two@example.com"))

    await clinic.arrives(await clinic.edits(patient, email="three@example.com"))
    await clinic.time_passes(timedelta(seconds=30))
    await clinic.settles()

    assert clinic.contact()["Email"] == "three@example.com", "Salesforce owns e-mail, but nobody edited it there"


async def test_a_field_left_out_of_a_write_that_landed_unanswered_keeps_its_base(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", email="a@example.com", city="Oldtown")
    await clinic.arrives(patient)
    base = (await clinic.link(patient)).base
    path = f"/_control/patients/{patient['id']}?silent=true&unchecked=true"
    clinic.drchrono.put("/_control/clock", json={"offset_s": 5})
    odd = clinic.drchrono.patch(path, json={"email": "no at sign", "city": "Newtown"}).json()
    clinic.breaks("salesforce", UPDATE, "slow", next=1, delay_s=0)  # the first passes; the e-mail is refused
    clinic.breaks("salesforce", UPDATE, "drop_after_commit", next=1)

    await clinic.arrives(odd)
    await clinic.time_passes(timedelta(minutes=1))
    await clinic.settles()

    link = await clinic.link(patient)
    assert (clinic.contact()["Email"], clinic.contact()["MailingCity"]) == ("a@example.com", "Newtown")
    assert link.base["email"] == base["email"], "nobody agreed on the refused value"
    assert link.base["city"] != base["city"]
    assert await clinic.failures() == [("salesforce", "INVALID_EMAIL_ADDRESS", "Email")]


async def test_a_worker_that_dies_during_a_call_leaves_a_write_its_successor_settles(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.delivers(patient)
    clinic.breaks("salesforce", UPSERT, "timeout_after_commit", next=1, delay_s=0.3)
    await clinic.dies_when(await clinic.takes(), clinic.contacts)
    assert await states(clinic) == ["planned"]

    await clinic.time_passes(timedelta(minutes=1))
    await clinic.settles()

    assert clinic.writes() == ["created"]
    assert await states(clinic) == ["confirmed"]
    assert await clinic.unfinished() == []


async def test_a_worker_that_dies_after_taking_or_looking_loses_nothing(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.delivers(patient)
    work = await clinic.takes()
    await read_both_sides(work)

    at_once = await clinic.takes()
    await clinic.time_passes(timedelta(minutes=1))
    await clinic.settles()

    assert at_once is None, "it is leased"
    assert clinic.contact()["FirstName"] == "Ada"


async def test_a_worker_that_lost_its_lease_saves_nothing(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.delivers(patient)
    slow = await clinic.takes()
    await clinic.time_passes(timedelta(minutes=1))
    await clinic.settles()
    saved = await clinic.link(patient)

    await sync(slow)

    assert await clinic.link(patient) == saved
    assert clinic.writes() == ["created"]


async def test_an_answer_that_no_code_of_ours_foresaw_leaves_each_write_of_the_call_unknown_and_is_read_back(clinic):
    for name in ("Ada", "Ben", "Cleo"):
        assert await clinic.delivers(await clinic.registers(first_name=name)) == 200
    clinic.breaks("salesforce", UPSERT, "answer_after_commit", body="[" * 100_000)
    await clinic.settles()
    after_the_call = await states(clinic)

    await clinic.time_passes(timedelta(seconds=30))
    await clinic.settles()

    assert after_the_call == ["unknown"] * 3
    assert (clinic.writes(), await states(clinic)) == (["created"] * 3, ["confirmed"] * 3)
    assert await clinic.failures() == []
