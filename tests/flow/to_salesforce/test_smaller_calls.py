"""An org's own code is not made for many records at once, or fails of one: calls get smaller until the rest goes."""

CALLS = "PATCH /services/data/v67.0/composite/sobjects/Contact"


async def patients_come(clinic, names):
    for name in names:
        await clinic.delivers(await clinic.registers(first_name="Pat", last_name=name), event="PATIENT_CREATE")


def settings(clinic, **values):
    clinic.salesforce.put("/_control/settings", json=values).raise_for_status()


async def test_what_breaks_a_limit_of_the_orgs_code_goes_in_smaller_calls_and_the_size_is_remembered(clinic):
    settings(clinic, most_in_transaction=5)
    await patients_come(clinic, [f"A{n}" for n in range(12)])

    await clinic.settles()
    first = clinic.calls("salesforce", CALLS)
    await patients_come(clinic, [f"B{n}" for n in range(6)])
    await clinic.settles()

    assert len(clinic.contacts()) == 18
    assert await clinic.failures() == []
    assert first == 6, "12, then 6, and four of 3"
    assert clinic.calls("salesforce", CALLS) - first == 2, "3 each, as went through before"


async def test_a_record_that_the_orgs_trigger_fails_of_is_found_and_the_others_go_through(clinic):
    settings(clinic, trigger_fails_on="Culprit")
    await patients_come(clinic, ["A", "B", "C", "Culprit", "D", "E", "F", "G"])

    await clinic.settles()

    assert len(clinic.contacts()) == 7
    assert await clinic.failures() == [("salesforce", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "acme.ContactTrigger")]
