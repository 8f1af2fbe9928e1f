"""Contacts merged or undeleted in Salesforce: the link follows, edits land once, two charts never share one."""

from datetime import timedelta

from app.sync.model import Kind, Side
from tests.flow.calendar import forgets, tells
from tests.flow.clinic import CONFIRM_AFTER
from tests.store.build import a_delivery, came_in


def merges(clinic, winner, loser):
    """A human merges two Contacts in Salesforce."""
    clinic.salesforce.post(
        "/_control/records/Contact/merge", json={"winner": winner, "loser": loser}
    ).raise_for_status()


def live(clinic):
    return [contact for contact in clinic.contacts() if not contact.get("IsDeleted")]


async def settles(clinic):
    for _ in range(3):
        await clinic.settles()
        await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()


async def test_the_link_of_a_contact_that_was_merged_away_follows_the_winner(clinic):
    patient = await clinic.has_linked()
    loser = clinic.contact()
    winner = clinic.human_enters_contact(LastName=loser["LastName"], FirstName=loser["FirstName"])
    await clinic.hears()
    merges(clinic, winner, loser["Id"])

    await tells(clinic, Kind.PATIENT, loser["Id"], "MERGE")
    await settles(clinic)

    (link,) = await clinic.links()
    assert (link.drchrono_id, link.salesforce_id) == (str(patient["id"]), winner)
    (contact,) = live(clinic)
    assert contact["DrChrono_Patient_Id__c"] == str(patient["id"])
    assert await clinic.failures() == []
    assert await clinic.unfinished() == []


async def test_what_the_winner_lacks_is_filled_and_nothing_of_the_chart_is_blanked(clinic):
    patient = await clinic.has_linked(email="kept@example.com", city="Testville")
    loser = clinic.contact()
    winner = clinic.human_enters_contact(LastName=loser["LastName"], MailingCity="Movedville")
    merges(clinic, winner, loser["Id"])

    await tells(clinic, Kind.PATIENT, loser["Id"], "MERGE")
    await settles(clinic)

    chart, (contact,) = clinic.chart(patient), live(clinic)
    assert (chart["email"], contact["Email"]) == ("kept@example.com", "kept@example.com")
    assert (chart["city"], contact["MailingCity"]) == ("Movedville", "Movedville")
    assert chart["first_name"] == contact["FirstName"] != ""


async def test_an_edit_that_waited_lands_once_on_the_winner(clinic):
    patient = await clinic.has_linked()
    loser = clinic.contact()
    winner = clinic.human_enters_contact(LastName=loser["LastName"])
    merges(clinic, winner, loser["Id"])
    edited = await clinic.edits(patient, cell_phone="(555) 010-7777")
    await clinic.delivers(edited)
    forgets(clinic)

    await settles(clinic)
    await tells(clinic, Kind.PATIENT, loser["Id"], "MERGE")
    await settles(clinic)

    (contact,) = live(clinic)
    assert (contact["Id"], contact["MobilePhone"]) == (winner, "(555) 010-7777")
    assert clinic.chart(patient)["cell_phone"] == "(555) 010-7777"


async def test_when_both_had_a_chart_the_losing_one_waits_for_a_person(clinic):
    first = await clinic.has_linked(first_name="Ada")
    loser = clinic.contact()["Id"]
    second = await clinic.has_linked(first_name="Ada-Two", date_of_birth="1991-02-03")
    (winner,) = (one["Id"] for one in live(clinic) if one["DrChrono_Patient_Id__c"] == str(second["id"]))
    merges(clinic, winner, loser)

    await tells(clinic, Kind.PATIENT, loser, "MERGE")
    await settles(clinic)

    assert [cause for _, cause, _ in await clinic.failures()] == ["contact_of_another_link"]
    by_chart = {row.drchrono_id: row.salesforce_id for row in await clinic.links()}
    assert by_chart == {str(first["id"]): loser, str(second["id"]): winner}
    assert clinic.chart(second)["first_name"] == "Ada-Two"


async def test_a_contact_that_was_deleted_waits_and_an_undeleted_one_goes_on(clinic):
    patient = await clinic.has_linked()
    contact = clinic.contact()["Id"]
    clinic.salesforce.delete(f"/_control/records/Contact/{contact}").raise_for_status()
    await tells(clinic, Kind.PATIENT, contact, "DELETE")
    assert [cause for _, cause, _ in await clinic.failures()] == ["gone_in_salesforce"]

    await clinic.arrives(await clinic.edits(patient, city="Springfield"))
    assert live(clinic) == []

    clinic.salesforce.post(f"/_control/records/Contact/{contact}/undelete").raise_for_status()
    await tells(clinic, Kind.PATIENT, contact, "UNDELETE")
    await settles(clinic)

    assert live(clinic)[0]["MailingCity"] == "Springfield"
    assert await clinic.failures() == []


async def test_the_chart_of_a_contact_that_was_merged_into_a_stranger_keeps_its_name(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Fixture")
    loser = clinic.contact()
    winner = clinic.human_enters_contact(FirstName="Sam", LastName="Stranger", Email="s@example.com")
    merges(clinic, winner, loser["Id"])

    await tells(clinic, Kind.PATIENT, loser["Id"], "MERGE")
    await settles(clinic)

    chart, (contact,) = clinic.chart(patient), live(clinic)
    assert (chart["first_name"], chart["last_name"]) == ("Ada", "Fixture"), "DrChrono owns who it is"
    assert (contact["FirstName"], contact["LastName"]) == ("Ada", "Fixture")
    assert chart["email"] == contact["Email"] == "s@example.com", "Salesforce owns how to reach them"


async def test_what_is_told_of_the_loser_while_its_link_moves_is_over_too(clinic):
    await clinic.has_linked()
    loser = clinic.contact()
    winner = clinic.human_enters_contact(LastName=loser["LastName"])
    await clinic.hears()
    merges(clinic, winner, loser["Id"])
    work = await clinic.takes()
    looked = await clinic.looks(work)
    outcome = await clinic.writes_out(work, looked)
    await came_in(clinic.runtime.database, a_delivery(loser["Id"], side=Side.SALESFORCE))

    await clinic.records(work, looked, outcome)
    await settles(clinic)

    assert [row.salesforce_id for row in await clinic.links()] == [winner]
    assert await clinic.unfinished() == []


async def test_a_contact_that_one_pass_reads_twice_counts_as_it_was_read_last(clinic):
    await clinic.has_linked(first_name="Ada")
    loser = clinic.contact()
    second = await clinic.has_linked(first_name="Ada-Two", date_of_birth="1991-02-03")
    (winner,) = (one for one in live(clinic) if one["DrChrono_Patient_Id__c"] == str(second["id"]))
    merges(clinic, winner["Id"], loser["Id"])
    await clinic.hears_of(winner["Id"])
    await came_in(clinic.runtime.database, a_delivery(loser["Id"], side=Side.SALESFORCE))
    clinic.human_edits_contact(winner["Id"], MailingCity="Movedville")
    before = {"totalSize": 1, "done": True, "records": [winner]}
    clinic.breaks("salesforce", "GET /services/data/v67.0/query", "answer_after_commit", body=before)

    looked = await clinic.looks(await clinic.takes())

    seen = {one.link.salesforce_id: one.seen.salesforce for one in looked}
    assert seen[loser["Id"]].master.fields["city"] == "Movedville"
    assert seen[winner["Id"]].fields["city"] == "Movedville"
