"""States: DrChrono has two letters, an org with State and Country picklists their names; both ways, and refusals."""

import pytest

from workers.vendor_limits import OrgWatch

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
SAID = "There's a problem with this state, even though it may appear correct. Please select a state from the list"


def refuses_letters(clinic, named, equals="NY"):
    """An org that nobody has asked yet what it is like."""
    fault = {
        "object": "Contact",
        "match": {"field": "MailingState", "equals": equals},
        "next": 1000,
        "statusCode": "FIELD_INTEGRITY_EXCEPTION",
        "message": SAID,
        "fields": named,
    }
    clinic.salesforce.post("/_control/record-faults", json=fault).raise_for_status()


@pytest.mark.parametrize("named", [["MailingState"], ["MailingStateCode"], []], ids=["field", "code", "nothing"])
async def test_two_letters_that_the_org_refuses_are_sent_as_the_states_name(clinic, named):
    refuses_letters(clinic, named)

    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test", state="NY"), event="PATIENT_CREATE")

    assert (clinic.contact()["MailingState"], await clinic.failures()) == ("New York", [])


async def test_a_state_refused_in_both_ways_costs_the_state_and_not_the_patient(clinic):
    refuses_letters(clinic, ["MailingStateCode"])
    refuses_letters(clinic, ["MailingStateCode"], equals="New York")

    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test", state="NY"), event="PATIENT_CREATE")

    assert [(one["LastName"], one["MailingState"]) for one in clinic.contacts()] == [("Test", None)]
    assert await clinic.failures() == [("salesforce", "FIELD_INTEGRITY_EXCEPTION", "MailingState")]


async def test_a_state_picked_by_its_name_reaches_the_chart_as_two_letters_and_stays_as_it_was_picked(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    clinic.salesforce.delete("/_control/writes")

    clinic.human_edits_contact(MailingState="New York")
    await clinic.hears()
    await clinic.settles()
    await clinic.arrives(clinic.chart(patient))  # our own write comes back

    assert (clinic.chart(patient)["state"], clinic.contact()["MailingState"]) == ("NY", "New York")
    assert (clinic.writes(), clinic.calls("drchrono", "PATCH"), await clinic.failures()) == ([], 1, [])


async def has_lists(clinic):
    """State and Country picklists are on, and the workers were told of it."""
    clinic.salesforce.post("/_control/state-picklists").raise_for_status()
    await OrgWatch(clinic.runtime).look()


async def test_an_org_with_lists_is_sent_what_they_hold_with_the_country_and_its_own_names_come_back(clinic):
    await has_lists(clinic)
    patient = await clinic.registers(first_name="Ada", last_name="Test", state="NY")
    await clinic.arrives(patient, event="PATIENT_CREATE")
    made = clinic.contact()
    await clinic.arrives(await clinic.edits(patient, state="WA"))
    moved = clinic.contact()
    clinic.human_edits_contact(MailingState="Quebec", MailingCountry="Canada")
    await clinic.hears()
    await clinic.settles()

    assert (made["MailingState"], made["MailingCountry"]) == ("New York", "United States")
    assert (moved["MailingState"], moved["MailingCountry"]) == ("Washington", "United States")
    assert (clinic.chart(patient)["state"], clinic.contact()["MailingState"]) == ("QC", "Quebec")
    assert await clinic.failures() == []


async def test_a_state_that_the_list_lacks_is_named_and_the_patient_is_made_at_the_first_try(clinic):
    await has_lists(clinic)
    clinic.salesforce.delete("/_control/calls")

    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test", state="PR"), event="PATIENT_CREATE")

    assert (clinic.contact()["MailingState"], clinic.calls("salesforce", "PATCH")) == (None, 1)
    assert await clinic.failures() == [("salesforce", "state_not_listed", "MailingState")]


async def test_a_state_that_is_cleared_is_cleared_in_the_list_too(clinic):
    await has_lists(clinic)
    patient = await clinic.has_linked(first_name="Ada", last_name="Test", state="NY")

    await clinic.arrives(await clinic.edits(patient, state=""))

    assert (clinic.contact()["MailingState"], await clinic.failures()) == (None, [])


async def test_lists_that_nobody_was_told_of_cost_the_state_alone(clinic):
    clinic.salesforce.post("/_control/state-picklists").raise_for_status()

    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test", state="NY"), event="PATIENT_CREATE")

    assert clinic.contact()["LastName"] == "Test"
    assert await clinic.failures() == [("salesforce", "FIELD_INTEGRITY_EXCEPTION", "MailingState")]
