"""A field that some automation keeps rewriting is held after the third time; new values never are."""

from datetime import timedelta


async def puts_back(clinic, patient, value):
    clinic.human_edits_contact(DrChrono_Chart_Id__c=value)
    await clinic.hears()
    await clinic.settles()
    return clinic.contact()["DrChrono_Chart_Id__c"] == patient["chart_id"]


async def test_a_value_written_three_times_in_ten_minutes_is_held_the_fourth(clinic):
    patient = await clinic.registers()
    await clinic.arrives(patient)

    back = [await puts_back(clinic, patient, "AUTOMATION") for _ in range(4)]

    assert back == [True, True, True, False]
    assert await clinic.failures() == [("salesforce", "rewritten", "DrChrono_Chart_Id__c")]


async def test_the_other_fields_of_a_held_one_still_flow(clinic):
    patient = await clinic.registers()
    await clinic.arrives(patient)
    for _ in range(3):
        await puts_back(clinic, patient, "AUTOMATION")

    clinic.human_edits_contact(DrChrono_Chart_Id__c="AUTOMATION", Email="new@example.com")
    await clinic.hears()
    await clinic.settles()

    assert (
        clinic.drchrono.get("/_control/patients").json()["patients"][str(patient["id"])]["email"] == "new@example.com"
    )


async def test_after_ten_quiet_minutes_it_is_written_again(clinic):
    patient = await clinic.registers()
    await clinic.arrives(patient)
    for _ in range(4):
        await puts_back(clinic, patient, "AUTOMATION")

    await clinic.time_passes(timedelta(minutes=11))

    assert await puts_back(clinic, patient, "AUTOMATION AGAIN")
    assert await clinic.failures() == []


async def test_new_values_never_count(clinic):
    patient = await clinic.registers()
    await clinic.arrives(patient)

    for number in range(6):
        await clinic.arrives(await clinic.edits(patient, city=f"Town {number}"))

    assert clinic.contact()["MailingCity"] == "Town 5"
    assert await clinic.failures() == []


async def test_a_trigger_that_rewrites_what_is_written_is_agreed_on_and_nothing_goes_round(clinic):
    clinic.salesforce.put("/_control/settings", json={"rewrites": {"Contact.LastName": "upper"}})
    patient = await clinic.registers(last_name="Fixture")
    await clinic.arrives(patient)

    for _ in range(2):
        await clinic.hears()
        await clinic.settles()

    assert (clinic.contact()["LastName"], clinic.chart(patient)["last_name"]) == ("FIXTURE", "FIXTURE")
    assert (clinic.calls("drchrono", "PATCH"), clinic.writes()) == (1, ["created"])
    assert await clinic.failures() == []
