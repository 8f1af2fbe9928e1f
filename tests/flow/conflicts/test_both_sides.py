"""What people in Salesforce changed is not lost, and nothing deleted comes back."""

from datetime import timedelta

from app.store.tables import journal


async def test_an_edit_in_salesforce_survives_an_edit_of_another_field_in_drchrono(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", email="old@example.com")
    await clinic.arrives(patient)
    clinic.human_edits_contact(Email="new@example.com")

    await clinic.arrives(await clinic.edits(patient, city="Newtown"))

    contact = clinic.contact()
    assert (contact["Email"], contact["MailingCity"]) == ("new@example.com", "Newtown")


async def test_a_conflict_follows_the_owner_and_keeps_what_lost(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)
    clinic.human_edits_contact(FirstName="Adele")

    await clinic.arrives(await clinic.edits(patient, first_name="Adaline"))
    await clinic.time_passes(timedelta(minutes=2))
    await clinic.settles()

    assert clinic.contact()["FirstName"] == "Adaline"
    kept = await clinic.replaced()
    assert kept == [{"first_name": "Adele"}]


async def test_a_field_salesforce_owns_stays_when_both_sides_changed_it(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", email="old@example.com")
    await clinic.arrives(patient)
    clinic.human_edits_contact(Email="crm@example.com")

    await clinic.arrives(await clinic.edits(patient, email="chart@example.com"))

    assert clinic.contact()["Email"] == "crm@example.com"


async def test_a_one_way_field_edited_in_salesforce_is_put_back_at_the_next_look(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)
    clinic.human_edits_contact(DrChrono_Chart_Id__c="WRONG00001")

    await clinic.arrives(await clinic.edits(patient, city="Newtown"))

    assert clinic.contact()["DrChrono_Chart_Id__c"] == patient["chart_id"]


async def test_a_deleted_contact_is_held_and_never_recreated(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)
    contact = clinic.contact()["Id"]
    clinic.salesforce.delete(f"/_control/records/Contact/{contact}")

    await clinic.arrives(await clinic.edits(patient, city="Newtown"))

    assert clinic.contacts() == []
    assert await clinic.failures() == [("salesforce", "gone_in_salesforce", "")]


async def test_an_undeleted_contact_goes_on_where_it_was(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)
    contact = clinic.contact()["Id"]
    clinic.salesforce.delete(f"/_control/records/Contact/{contact}")
    await clinic.arrives(await clinic.edits(patient, city="Newtown"))
    clinic.salesforce.post(f"/_control/records/Contact/{contact}/undelete")

    await clinic.arrives(await clinic.edits(patient, city="Latertown"))

    assert clinic.contact()["MailingCity"] == "Latertown"
    assert await clinic.failures() == []


async def test_a_patient_that_vanished_from_drchrono_is_held_for_a_person(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)
    renamed = await clinic.edits(patient, last_name="Wed")
    clinic.drchrono.delete(f"/_control/patients/{patient['id']}")

    await clinic.arrives(renamed)
    for _ in range(2):
        await clinic.time_passes(timedelta(minutes=2))
        await clinic.settles()

    assert clinic.contact()["LastName"] == "Test"
    assert await clinic.failures() == [("drchrono", "gone_in_drchrono", "")]


async def test_a_contact_that_bears_our_id_already_is_linked_and_nothing_of_it_is_blanked(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", city="Testville")
    record = {"LastName": "Test", "FirstName": "Ada", "DrChrono_Patient_Id__c": str(patient["id"])}
    clinic.salesforce.post("/_control/records/Contact", json=record | {"HomePhone": "555-010-7777"})

    await clinic.arrives(patient)
    await clinic.time_passes(timedelta(minutes=2))
    await clinic.settles()

    contact = clinic.contact()
    assert (contact["HomePhone"], contact["MailingCity"]) == ("555-010-7777", "Testville")
    assert clinic.calls("drchrono", "GET /api/patients/") == 1, "linking to an existing Contact is confirmed first"


async def test_a_conflict_says_in_the_journal_which_rule_decided_it(clinic):
    patient = await clinic.registers(email="old@example.com", first_name="Ada")
    await clinic.arrives(patient)
    clinic.human_edits_contact(Email="crm@example.com", FirstName="Adele")

    await clinic.arrives(await clinic.edits(patient, email="chart@example.com", first_name="Adaline"))
    await clinic.time_passes(timedelta(minutes=2))
    await clinic.settles()

    why = {row.side: row.why for row in await clinic.rows(journal) if row.why}
    assert why == {
        "salesforce": {"first_name": "conflict: drchrono owns it"},
        "drchrono": {"email": "conflict: salesforce owns it"},
    }
