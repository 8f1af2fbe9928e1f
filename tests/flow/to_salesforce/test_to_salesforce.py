"""A patient's change, from DrChrono's door to the Contact."""

from tests.flow.clinic import CONFIRM_AFTER


async def test_a_new_patient_becomes_one_contact_with_every_mapped_field(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", cell_phone="(555) 010-0142", city="Testville")

    await clinic.arrives(patient, event="PATIENT_CREATE")

    contact = clinic.contact()
    assert contact["DrChrono_Patient_Id__c"] == str(patient["id"])
    assert (contact["FirstName"], contact["LastName"]) == ("Ada", "Test")
    assert (contact["MobilePhone"], contact["MailingCity"]) == ("(555) 010-0142", "Testville")
    assert contact["DrChrono_Chart_Id__c"] == patient["chart_id"]
    assert await clinic.unfinished() == []


async def test_five_deliveries_of_one_state_write_once(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")

    for n in range(5):
        await clinic.arrives(patient, event="PATIENT_CREATE", delivery=f"try {n}")

    assert clinic.writes() == ["created"]


async def test_the_same_delivery_sent_five_times_is_kept_once(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")

    answers = [await clinic.delivers(patient, delivery="one") for _ in range(5)]
    await clinic.settles()

    assert answers == [200] * 5
    assert clinic.writes() == ["created"]
    assert (await clinic.link(patient)).generation == 1


async def test_an_edit_updates_only_the_changed_field_by_id(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", city="Testville")
    await clinic.arrives(patient)

    await clinic.arrives(await clinic.edits(patient, cell_phone="(555) 010-0199"))

    last = clinic.salesforce.get("/_control/writes").json()["writes"][-1]
    assert (last["op"], last["fields"]) == ("updated", ["MobilePhone"])
    assert clinic.contact()["MobilePhone"] == "(555) 010-0199"


async def test_a_rename_travels_at_once_by_one_read(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)
    clinic.drchrono.delete("/_control/calls")

    await clinic.arrives(await clinic.edits(patient, last_name="Sample"))

    assert clinic.contact()["LastName"] == "Sample"
    assert clinic.calls("drchrono", "GET /api/patients") == 1


async def test_a_rename_that_drchrono_does_not_show_yet_is_asked_for_once_more(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)
    clinic.drchrono.delete("/_control/calls")

    await clinic.arrives({**patient, "last_name": "Sample", "updated_at": "2099-01-01T00:00:00"})
    before = clinic.contact()["LastName"], clinic.calls("drchrono", "GET /api/patients")
    await clinic.edits(patient, last_name="Sample")
    await clinic.time_passes(CONFIRM_AFTER)
    await clinic.settles()

    assert before == ("Test", 1)
    assert clinic.contact()["LastName"] == "Sample"
    assert clinic.calls("drchrono", "GET /api/patients") == 2


async def test_a_phone_written_another_way_is_no_change(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", cell_phone="(555) 010-0142")
    await clinic.arrives(patient)

    await clinic.arrives(await clinic.edits(patient, cell_phone="555-010-0142"))

    assert clinic.writes() == ["created"]


async def test_a_burst_of_two_hundred_patients_costs_one_read_and_one_write(clinic):
    for n in range(200):
        await clinic.delivers(await clinic.registers(first_name=f"Ada{n}", last_name="Test"))

    await clinic.settles()

    assert len(clinic.contacts()) == 200
    assert clinic.calls("salesforce", "GET /services/data") == 1, "one look, which finds whom they would meet"
    assert clinic.calls("salesforce", "PATCH /services/data") == 1


async def test_of_many_states_of_one_patient_only_the_newest_is_written(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    for n in range(4):
        patient = await clinic.edits(patient, city=f"Town {n}")
        await clinic.delivers(patient)

    await clinic.settles()

    assert clinic.writes() == ["created"]
    assert clinic.contact()["MailingCity"] == "Town 3"


async def test_a_stale_body_never_overwrites_a_newer_state(clinic):
    old = await clinic.registers(first_name="Ada", last_name="Test", city="Oldtown")
    new = await clinic.edits(old, city="Newtown")
    await clinic.arrives(new)

    await clinic.arrives(old, delivery="late")

    assert clinic.contact()["MailingCity"] == "Newtown"
    assert len(await clinic.unfinished()) == 1, "a doubted body is not dropped before a GET has decided"
    await clinic.time_passes(CONFIRM_AFTER)
    await clinic.settles()
    assert clinic.contact()["MailingCity"] == "Newtown"
    assert clinic.calls("drchrono", "GET /api/patients/") == 1
    assert await clinic.unfinished() == []


async def test_deliveries_that_come_in_the_wrong_order_end_in_the_newer_state(clinic):
    old = await clinic.registers(first_name="Ada", last_name="Test", city="Oldtown")
    new = await clinic.edits(old, city="Newtown")

    await clinic.delivers(new)
    await clinic.arrives(old)
    await clinic.time_passes(CONFIRM_AFTER)
    await clinic.settles()

    assert clinic.contact()["MailingCity"] == "Newtown"


async def test_a_state_from_the_repeated_hour_of_autumn_is_not_lost(clinic):
    clinic.drchrono.put("/_control/clock", json={"now": "2026-11-01T01:50:00"})
    first = await clinic.registers(first_name="Ada", last_name="Test", city="Before")
    await clinic.arrives(first)
    clinic.drchrono.put("/_control/clock", json={"now": "2026-11-01T01:10:00"})
    second = clinic.drchrono.patch(f"/_control/patients/{first['id']}?silent=true", json={"city": "After"}).json()
    assert second["updated_at"] < first["updated_at"]

    await clinic.arrives(second)
    await clinic.time_passes(CONFIRM_AFTER)
    await clinic.settles()

    assert clinic.contact()["MailingCity"] == "After"


async def test_a_forged_body_with_the_right_secret_re_identifies_nobody(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)

    await clinic.arrives(patient | {"last_name": "Forged", "updated_at": "2099-01-01T00:00:00"})
    await clinic.time_passes(CONFIRM_AFTER)
    await clinic.settles()

    assert clinic.contact()["LastName"] == "Test"
