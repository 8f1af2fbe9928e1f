"""What Salesforce refuses hurts only the record it refuses, says why, and says what to do."""

from datetime import timedelta

from app.sync.model import Kind
from tests.flow.calendar import VISITS, books, records
from tests.flow.clinic import OPERATOR

LATER = timedelta(hours=1)


async def test_a_refused_value_fails_by_name_while_the_other_fields_and_records_go_through(clinic):
    good = await clinic.registers(first_name="Ada", last_name="Test")
    bad = await clinic.registers(first_name="Ben", last_name="Test", city="Testville")
    odd = clinic.drchrono.patch(
        f"/_control/patients/{bad['id']}?silent=true&unchecked=true", json={"email": "no at sign"}
    ).json()
    await clinic.delivers(good)
    await clinic.delivers(odd)

    await clinic.settles()

    contacts = {contact["FirstName"]: contact for contact in clinic.contacts()}
    assert set(contacts) == {"Ada", "Ben"}
    assert (contacts["Ben"]["Email"], contacts["Ben"]["MailingCity"]) == (None, "Testville")
    assert await clinic.failures() == [("salesforce", "INVALID_EMAIL_ADDRESS", "Email")]


async def test_a_failure_names_cause_fields_and_fix_and_no_value(clinic):
    bad = await clinic.registers(first_name="Ben", last_name="Canarysson")
    clinic.salesforce.post(
        "/_control/record-faults",
        json={
            "object": "Contact",
            "match": {"field": "LastName", "equals": "Canarysson"},
            "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "message": "Canarysson may not be",
            "fields": ["Birthdate"],
            "next": 10,
        },
    )

    await clinic.arrives(bad)
    answer = await clinic.web.get("/api/v1/failures", headers={"Authorization": f"Bearer {OPERATOR}"})

    (item,) = answer.json()["items"]
    assert (item["cause"], item["fields"]) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", ["Birthdate"])
    assert item["count"] == 1
    assert "validation rule" in item["fix"]
    assert "Canarysson" not in answer.text


async def test_a_corrected_record_goes_through_and_its_failure_ends(clinic):
    patient = await clinic.registers(first_name="Ben", last_name="Test")
    path = f"/_control/patients/{patient['id']}?silent=true&unchecked=true"
    await clinic.arrives(clinic.drchrono.patch(path, json={"email": "no at sign"}).json())

    await clinic.arrives(await clinic.edits(patient, email="right@example.com"))

    assert clinic.contact()["Email"] == "right@example.com"
    assert await clinic.failures() == []


async def test_a_text_too_long_for_salesforce_is_refused_by_name_and_never_cut(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test", city="x" * 41)

    await clinic.arrives(patient)

    assert clinic.contact()["MailingCity"] is None
    assert await clinic.failures() == [("salesforce", "too_long", "MailingCity")]


async def test_a_locked_row_is_tried_again_and_counted_and_ends_as_a_dead_letter_at_the_limit(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Locked")
    locked = {"object": "Contact", "match": {"field": "LastName", "equals": "Locked"}, "next": 10}
    clinic.salesforce.post("/_control/record-faults", json=locked | {"statusCode": "UNABLE_TO_LOCK_ROW"})

    await clinic.arrives(patient)
    first = await clinic.link(patient)
    for _ in range(2):
        await clinic.time_passes(LATER)
        await clinic.settles()

    assert (first.attempts, first.last_error, first.lane) == (1, "UNABLE_TO_LOCK_ROW", "retry")
    assert await clinic.failures() == [("salesforce", "UNABLE_TO_LOCK_ROW", "")]
    assert (await clinic.link(patient)).due_at is None


async def test_a_row_locked_once_goes_through_at_the_next_attempt(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Locked")
    locked = {"object": "Contact", "match": {"field": "LastName", "equals": "Locked"}, "next": 1}
    clinic.salesforce.post("/_control/record-faults", json=locked | {"statusCode": "UNABLE_TO_LOCK_ROW"})

    await clinic.arrives(patient)
    await clinic.time_passes(LATER)
    await clinic.settles()

    assert clinic.contact()["LastName"] == "Locked"
    assert (await clinic.link(patient)).attempts == 0


async def test_a_refusal_of_a_whole_call_is_bisected_so_that_only_the_culprit_fails(clinic):
    patients = [await clinic.registers(first_name=f"Ada{n}", last_name="Test") for n in range(8)]
    odd = clinic.drchrono.patch(
        f"/_control/patients/{patients[5]['id']}?silent=true&unchecked=true", json={"date_of_birth": "0001-01-01"}
    ).json()
    clinic.breaks(
        "salesforce", "PATCH /services/data/v67.0/composite/sobjects/Contact", "error", next=2, status=400,
        body=[{"message": "Unexpected character", "errorCode": "JSON_PARSER_ERROR"}],
    )  # fmt: skip
    for patient in [*patients[:5], odd, *patients[6:]]:
        await clinic.delivers(patient)

    await clinic.settles()

    assert len(clinic.contacts()) == 8
    assert clinic.calls("salesforce", "PATCH /services/data") == 5, "8, then 4, 2 and 2, then the other 4"


async def test_a_visit_whose_contact_is_in_the_bin_is_told_as_that_and_goes_through_once_it_is_back(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    contact = f"/_control/records/Contact/{clinic.contact()['Id']}"
    clinic.salesforce.delete(contact).raise_for_status()

    await clinic.arrives(await books(clinic, patient), event="APPOINTMENT_CREATE")
    waiting = (await clinic.links(Kind.APPOINTMENT))[0]
    clinic.salesforce.post(f"{contact}/undelete").raise_for_status()
    await clinic.time_passes(LATER)
    await clinic.settles()

    assert (waiting.attempts, waiting.last_error) == (1, "INVALID_CROSS_REFERENCE_KEY")
    assert len(records(clinic, VISITS)) == 1
    assert await clinic.failures() == []


async def test_a_record_under_approval_and_one_whose_owner_left_say_what_to_do_and_go_through_once_it_is_done(clinic):
    people = [await clinic.has_linked(first_name=name, last_name="Test") for name in ("Ada", "Ben")]
    ids = {one["FirstName"]: one["Id"] for one in clinic.contacts()}
    states = {"under_approval": [ids["Ada"]], "owner_left": [ids["Ben"]]}
    clinic.salesforce.put("/_control/settings", json=states)
    edited = [await clinic.edits(one, city="Springfield") for one in people]
    for one in edited:
        await clinic.arrives(one)
    answer = await clinic.web.get("/api/v1/failures", headers={"Authorization": f"Bearer {OPERATOR}"})
    clinic.salesforce.put("/_control/settings", json={state: [] for state in states})
    for one in people:
        await clinic.arrives(await clinic.edits(one, city="Newtown"))

    fixes = {one["cause"]: one["fix"] for one in answer.json()["items"]}
    assert "finish or recall the approval" in fixes["ENTITY_IS_LOCKED"]
    assert "active owner" in fixes["INACTIVE_OWNER_OR_USER"]
    assert [one["MailingCity"] for one in clinic.contacts()] == ["Newtown"] * 2
    assert await clinic.failures() == []


async def test_salesforce_down_burns_no_attempts_and_work_resumes_by_itself(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    clinic.breaks(
        "salesforce", "* /services/data", "error", next=3, status=503, body=[{"errorCode": "SERVER_UNAVAILABLE"}]
    )
    await clinic.arrives(patient)
    for _ in range(2):
        await clinic.time_passes(LATER)
        await clinic.settles()
    waiting = await clinic.link(patient)

    await clinic.time_passes(LATER)
    await clinic.settles()

    assert (waiting.attempts, waiting.last_error) == (0, "SERVER_UNAVAILABLE")
    assert clinic.contact()["FirstName"] == "Ada"


async def test_an_expired_session_costs_one_login_and_no_attempt(clinic):
    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test"))
    before = clinic.salesforce.get("/_control/sessions").json()["logins"]
    clinic.salesforce.post("/_control/sessions/expire")

    await clinic.arrives(await clinic.registers(first_name="Ben", last_name="Test"))

    assert len(clinic.contacts()) == 2
    assert clinic.salesforce.get("/_control/sessions").json()["logins"] == before + 1


async def test_a_credential_salesforce_refuses_pauses_the_side_without_a_storm_of_logins(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    clinic.breaks(
        "salesforce", "POST /services/oauth2/token", "error", next=50, status=400, body={"error": "invalid_client"}
    )

    await clinic.arrives(patient)
    for _ in range(4):
        await clinic.time_passes(LATER)
        await clinic.settles()

    link = await clinic.link(patient)
    assert (link.attempts, link.last_error) == (0, "salesforce_paused")
    assert clinic.calls("salesforce", "POST /services/oauth2/token") == 1
    assert await clinic.failures() == []


async def test_a_throttled_drchrono_is_waited_out_by_its_own_word(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient)
    clinic.breaks("drchrono", "GET /api/patients", "throttle", next=2)
    await clinic.arrives(await clinic.edits(patient, last_name="Wed"))
    await clinic.time_passes(timedelta(hours=2))
    await clinic.settles()
    throttled = await clinic.link(patient)

    await clinic.time_passes(timedelta(hours=2))
    await clinic.settles()

    assert (throttled.attempts, throttled.last_error) == (0, "HTTP_429")
    assert clinic.contact()["LastName"] == "Wed"
