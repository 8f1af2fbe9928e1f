"""States: DrChrono has two letters, an org with State and Country picklists their names; both ways, and refusals."""

import pytest

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
