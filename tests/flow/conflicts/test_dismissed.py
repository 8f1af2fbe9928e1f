"""What a person has dismissed is shown as that, and is left as it is until a value of it changes on either side."""

import pytest

from app.store import record_views
from app.sync.model import Kind, RecordState, Side
from tests.flow.calendar import VISITS, books, compares, forgets, records
from tests.flow.clinic import CONFIRM_AFTER, OPERATOR, SEARCH_GAP

BEARER = {"authorization": f"Bearer {OPERATOR}"}
RULE = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
REASON = "the practice keeps both"
TWIN = {"FirstName": "Twin", "LastName": "Test", "Birthdate": "1988-08-08"}
PATIENTS = Kind.PATIENT
SAME = (
    *("FirstName", "LastName", "Birthdate", "DrChrono_Gender__c", "Email", "MobilePhone", "MailingCity"),
    *("DrChrono_Chart_Id__c", "DrChrono_Status__c", "DrChrono_Doctor__c"),
)


@pytest.fixture
async def refused(clinic):
    """A linked patient whose new city a rule in Salesforce refuses."""
    clinic.patient = await clinic.has_linked(email="old@example.com", city="Testville")
    refuses(clinic, "MailingCity", "Oldham")
    await clinic.arrives(await clinic.edits(clinic.patient, city="Oldham"))
    return clinic


@pytest.fixture
async def ambiguous(clinic):
    """A chart that two Contacts may be."""
    clinic.twins = [clinic.human_enters_contact(**TWIN) for _ in range(2)]
    clinic.patient = await clinic.registers(first_name="Twin", last_name="Test", date_of_birth="1988-08-08")
    await clinic.arrives(clinic.patient, event="PATIENT_CREATE")
    return clinic


def refuses(clinic, field, value):
    rule = {"object": "Contact", "statusCode": RULE, "next": 1000, "match": {"field": field, "equals": value}}
    clinic.salesforce.post("/_control/record-faults", json=rule).raise_for_status()


async def post(clinic, act, query="", **body):
    answer = await clinic.web.post(f"/api/v1/failures/{act}?limit=9{query}", headers=BEARER, json=body or None)
    return answer.raise_for_status().json()["records"]


async def dismissed(clinic):
    """All that waits is dismissed; what was called and written until then is not counted."""
    number = await post(clinic, "discard", reason=REASON)
    await clinic.settles()
    forgets(clinic)
    return number


async def stands(clinic, patient=None, kind=PATIENTS):
    record = (patient or clinic.patient)["id"]
    return (await record_views.of(clinic.runtime.database, kind, Side.DRCHRONO, [str(record)]))[str(record)].standing


async def shown(clinic):
    """The state of the patient, and how many wait and were dismissed, as the API says it."""
    record = (await clinic.web.get(f"/api/v1/records/drchrono/patient/{clinic.patient['id']}", headers=BEARER)).json()
    queue = (await clinic.web.get("/api/v1/queue", headers=BEARER)).json()
    listed = (await clinic.web.get("/api/v1/patients?state=dismissed", headers=BEARER)).json()
    return record, (queue["failed"], queue["held"], queue["dismissed"]), listed["total"]


async def test_it_is_a_state_of_its_own_with_who_when_and_why_that_is_counted_and_listed(refused):
    await dismissed(refused)

    record, numbers, total = await shown(refused)
    assert (record["state"], record["cause"], numbers, total) == ("dismissed", RULE, (0, 0, 1), 1)
    assert (record["dismissed"]["reason"], bool(record["dismissed"]["by"])) == (REASON, True)
    audit = (await refused.web.get("/api/v1/audit", headers=BEARER)).json()["items"]
    assert ("discard", "every cause", REASON) in [(one["action"], one["about"], one["reason"]) for one in audit]


async def test_nothing_brings_it_back_while_no_value_changes_and_nothing_is_written(refused):
    await dismissed(refused)

    chart = refused.chart(refused.patient)
    await refused.arrives(chart)
    assert await refused.hears() == 200
    await refused.settles()
    await compares(refused, PATIENTS)
    retried = await post(refused, "retry")
    delivery = (await refused.web.get("/api/v1/deliveries?limit=1", headers=BEARER)).json()["items"][0]["id"]
    await refused.web.post("/api/v1/replay", headers=BEARER, json={"ids": [delivery]})
    await refused.settles()

    assert (retried, await stands(refused)) == (0, RecordState.DISMISSED)
    assert refused.writes() == []
    assert refused.calls("drchrono", "PATCH") == 0
    assert refused.contact()["MailingCity"] == "Testville"


async def test_a_comparison_makes_nothing_due_of_it(refused):
    await dismissed(refused)

    await compares(refused, PATIENTS)

    assert [row.due_at for row in await refused.links()] == [None]
    assert refused.calls("drchrono", "GET /api/patients/{id}") == 0


@pytest.mark.parametrize("side", Side)
async def test_an_edit_on_either_side_is_dealt_with_and_ends_it(refused, side):
    await dismissed(refused)

    if side is Side.DRCHRONO:
        await refused.arrives(await refused.edits(refused.patient, city="Newtown"))
    else:
        refused.human_edits_contact(MailingCity="Newtown")
        await refused.hears()
        await refused.settles()

    assert (refused.chart(refused.patient)["city"], refused.contact()["MailingCity"]) == ("Newtown", "Newtown")
    assert (await stands(refused), await refused.failures()) == (RecordState.IN_STEP, [])


async def test_an_edit_that_only_a_comparison_finds_ends_it_too(refused):
    await dismissed(refused)
    refused.human_edits_contact(MailingCity="Newtown")

    await compares(refused, PATIENTS)

    assert refused.chart(refused.patient)["city"] == "Newtown"
    assert await stands(refused) is RecordState.IN_STEP


async def test_an_edit_that_fails_as_well_is_a_failure_again(refused):
    await dismissed(refused)
    refuses(refused, "MailingCity", "Elsewhere")

    await refused.arrives(await refused.edits(refused.patient, city="Elsewhere"))

    assert await stands(refused) is RecordState.FAILED


async def test_an_edit_that_came_in_before_it_was_dismissed_is_dealt_with(refused):
    edited = await refused.edits(refused.patient, city="Newtown")
    await refused.delivers(edited)

    await post(refused, "discard", reason=REASON)
    await refused.settles()

    assert refused.contact()["MailingCity"] == "Newtown"
    assert await stands(refused) is RecordState.IN_STEP


async def test_what_is_dismissed_while_a_worker_tries_it_again_stays_so(refused):
    await post(refused, "retry")
    work = await refused.takes()

    await post(refused, "discard", reason=REASON)
    await refused.carries_on(work)

    assert await stands(refused) is RecordState.DISMISSED


async def test_what_is_restored_while_a_worker_looks_at_it_is_tried(refused):
    await dismissed(refused)
    await refused.delivers(refused.chart(refused.patient))
    work = await refused.takes()

    restored = await post(refused, "restore")
    await refused.carries_on(work)
    refused.salesforce.delete("/_control/record-faults").raise_for_status()
    await refused.settles()

    assert restored == 1
    assert (await stands(refused), refused.contact()["MailingCity"]) == (RecordState.IN_STEP, "Oldham")


async def test_undoing_it_has_it_wait_for_a_person_again_and_be_tried(refused):
    await dismissed(refused)
    (link,) = await refused.links()

    others = await post(refused, "restore", query="&id=00000000000000000000000000")
    restored = await post(refused, "restore", query=f"&id={link.id}")
    waits = await stands(refused)
    await refused.settles()

    assert (others, restored, waits) == (0, 1, RecordState.FAILED)
    assert (await shown(refused))[1] == (1, 0, 0)
    assert refused.calls("drchrono", "GET /api/patients/{id}") == 1


async def test_a_contact_deleted_later_is_held_for_a_person(refused):
    await dismissed(refused)
    refused.salesforce.delete(f"/_control/records/Contact/{refused.contact()['Id']}").raise_for_status()

    await compares(refused, PATIENTS)

    assert await stands(refused) is RecordState.HELD


async def test_a_contact_merged_into_another_that_holds_the_same_ends_it(refused):
    await dismissed(refused)
    before = refused.contact()
    winner = refused.human_enters_contact(**{name: before[name] for name in before if name in SAME})
    merged = {"winner": winner, "loser": before["Id"]}
    refused.salesforce.post("/_control/records/Contact/merge", json=merged).raise_for_status()
    refused.salesforce.delete("/_control/record-faults").raise_for_status()

    await compares(refused, PATIENTS)
    await refused.time_passes(CONFIRM_AFTER)
    await refused.settles()

    assert (await stands(refused), refused.contact()["MailingCity"]) == (RecordState.IN_STEP, "Oldham")
    assert refused.contact()["DrChrono_Patient_Id__c"] == str(refused.patient["id"])


async def test_a_chart_that_vanishes_later_is_held_for_a_person(refused):
    await dismissed(refused)
    refused.drchrono.delete(f"/_control/patients/{refused.patient['id']}?silent=true").raise_for_status()

    await compares(refused, PATIENTS)
    await refused.time_passes(SEARCH_GAP)
    await refused.settles()

    assert await stands(refused) is RecordState.HELD


async def test_a_chart_that_was_gone_by_then_is_not_asked_for_again(clinic):
    clinic.patient = await clinic.has_linked()
    clinic.drchrono.delete(f"/_control/patients/{clinic.patient['id']}?silent=true").raise_for_status()
    await compares(clinic, PATIENTS)
    await clinic.time_passes(SEARCH_GAP)
    await clinic.settles()
    await dismissed(clinic)

    await compares(clinic, PATIENTS)

    assert clinic.calls("drchrono", "GET /api/patients/{id}") == 0
    assert await stands(clinic) is RecordState.DISMISSED


async def test_one_that_may_be_several_stays_until_it_says_who_it_is(ambiguous):
    await dismissed(ambiguous)

    await ambiguous.arrives(ambiguous.chart(ambiguous.patient))
    await compares(ambiguous, PATIENTS)
    before = await stands(ambiguous)
    ambiguous.human_edits_contact(ambiguous.twins[0], DrChrono_Patient_Id__c=str(ambiguous.patient["id"]))
    await ambiguous.hears()
    await ambiguous.settles()
    await ambiguous.time_passes(CONFIRM_AFTER)
    await ambiguous.settles()

    assert before is RecordState.DISMISSED
    assert await stands(ambiguous) is RecordState.IN_STEP


async def test_one_that_may_be_several_is_searched_for_again_once_it_has_another_name(ambiguous):
    await dismissed(ambiguous)

    await ambiguous.arrives(await ambiguous.edits(ambiguous.patient, first_name="Single"))

    assert await stands(ambiguous) is RecordState.IN_STEP


async def test_a_visit_of_a_patient_that_was_dismissed_says_so_and_follows_when_that_one_comes(ambiguous):
    visit = await books(ambiguous, ambiguous.patient)
    await ambiguous.arrives(visit, event="APPOINTMENT_CREATE")
    (patient,) = await ambiguous.links()
    asked = [await causes(ambiguous)]
    forgets(ambiguous)

    for act in ("discard", "restore", "discard"):
        await post(ambiguous, act, query=f"&id={patient.id}")
        asked.append(await causes(ambiguous))
    await ambiguous.arrives(visit, event="APPOINTMENT_MODIFY")
    asked.append(await causes(ambiguous))
    ambiguous.human_edits_contact(ambiguous.twins[0], DrChrono_Patient_Id__c=str(ambiguous.patient["id"]))
    await ambiguous.hears()
    for _ in range(2):
        await ambiguous.settles()
        await ambiguous.time_passes(CONFIRM_AFTER)

    missing, gone = (["parent_missing"], ["parent_dismissed"])
    assert asked == [missing, gone, missing, gone, gone]
    assert [one["Patient__c"] for one in records(ambiguous, VISITS)] == [ambiguous.twins[0]]
    assert await ambiguous.failures() == []


async def causes(clinic):
    """Why visits wait for a person."""
    return [
        one["cause"]
        for one in (await clinic.web.get("/api/v1/failures?kind=appointment", headers=BEARER)).json()["items"]
    ]
