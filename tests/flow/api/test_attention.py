"""Records that wait for a person, one by one: who, what is wrong, since when, a note, and the vendor's own message."""

import csv
import io

import pytest

from app.operations import attention
from app.settings.fields import Settings
from app.store.tables import audit, failures
from tests.flow.calendar import books
from tests.flow.clinic import OPERATOR, opened

VIEWER = "viewer-token-of-the-tests"
BEARER, READS = {"authorization": f"Bearer {OPERATOR}"}, {"authorization": f"Bearer {VIEWER}"}
CAUSE = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
RULE = "Enter an area code, Ms. Canary: (555) 010-0142 is none."
PATH = "/api/v1/failures/records"


@pytest.fixture
async def staffed(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        yield clinic


def refuses(clinic, **match):
    """A rule in Salesforce refuses records, in the words of whoever wrote it."""
    rule = {"object": "Contact", "statusCode": CAUSE, "message": RULE, "next": 1000, "fields": ["MobilePhone"]}
    clinic.salesforce.post("/_control/record-faults", json=rule | {"match": match}).raise_for_status()


async def listed(clinic, headers=READS, **asked):
    answer = await clinic.web.get(PATH, headers=headers, params=asked)
    return answer.raise_for_status().json()


async def has_failed(clinic, name="Canary"):
    """A linked patient whose new phone a rule refuses, and one that is not in Salesforce yet."""
    patient = await clinic.has_linked(first_name="Ada", last_name=name, date_of_birth="1980-02-03")
    refuses(clinic, field="LastName", equals=name)
    await clinic.arrives(await clinic.edits(patient, cell_phone="(555) 010-0199"))
    return patient


async def test_each_record_says_who_what_is_wrong_since_when_and_how_often_it_was_tried(staffed):
    patient = await has_failed(staffed)

    (one,) = (await listed(staffed, names=True))["items"]
    (unnamed,) = (await listed(staffed))["items"]

    assert (one["name"], one["birth_date"]) == ("Ada Canary", "1980-02-03")
    assert (unnamed["name"], unnamed["birth_date"]) == (None, None)
    assert (one["record"], one["status"]) == (f"drchrono/patient/{patient['id']}", "failed")
    assert one["sentence"] == "A validation rule in Salesforce rejects this patient (cell phone)."
    assert (one["code"], one["source"], one["vendor_code"]) == (CAUSE, "salesforce", CAUSE)
    assert (one["code"], one["labels"], one["attempts"], one["retrying"]) == (CAUSE, ["cell phone"], 1, False)
    assert one["message"] is True


async def test_who_is_not_in_salesforce_yet_is_named_by_the_last_delivery_and_a_visit_by_patient_and_time(staffed):
    refuses(staffed, field="LastName", equals="Canary")
    new = await staffed.registers(first_name="Tess", last_name="Canary", date_of_birth="1990-05-06")
    await staffed.arrives(new, event="PATIENT_CREATE")
    visit = await books(staffed, await staffed.has_linked(first_name="Ann", last_name="Sample"))
    rule = {"object": "DrChrono_Appointment__c", "statusCode": CAUSE, "next": 1000, "external_id": str(visit["id"])}
    staffed.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
    await staffed.arrives(visit, event="APPOINTMENT_CREATE")

    found = {one["kind"]: one for one in (await listed(staffed, names=True))["items"]}

    assert (found["patient"]["name"], found["patient"]["birth_date"]) == ("Tess Canary", "1990-05-06")
    assert found["appointment"]["name"].startswith("Ann Sample, ")
    assert found["appointment"]["name"].endswith(("AM", "PM"))


async def test_the_vendors_message_is_sealed_without_our_values_and_shown_to_an_operator_once_that_is_noted(staffed):
    await has_failed(staffed)
    (one,) = (await listed(staffed))["items"]

    refused = await staffed.web.post(f"{PATH}/{one['id']}/reveal", headers=READS)
    shown = (await staffed.web.post(f"{PATH}/{one['id']}/reveal", headers=BEARER)).json()

    (row,) = await staffed.rows(failures)
    assert refused.status_code == 403
    assert shown["text"] == "Enter an area code, Ms. •••: ••• is none."
    assert (shown["vendor_code"], shown["source"]) == (CAUSE, "salesforce")
    assert "area code" not in row.message
    assert [(act.action, act.about) for act in await staffed.rows(audit) if act.action == "reveal"] == [
        ("reveal", f"patient {one['drchrono_id']}, message")
    ]


async def test_what_is_refused_of_a_record_says_why_though_the_rest_of_it_went_through(staffed):
    patient = await staffed.has_linked(first_name="Ada", last_name="Canary", date_of_birth="1980-02-03")
    refuses(staffed, field="MobilePhone", equals="(555) 010-0199")
    await staffed.arrives(await staffed.edits(patient, cell_phone="(555) 010-0199", city="Newtown"))

    assert staffed.contact()["MailingCity"] == "Newtown"
    assert await revealed(staffed) == "Enter an area code, Ms. •••: ••• is none."


async def test_drchronos_own_words_are_kept_by_field(staffed):
    await staffed.has_linked(first_name="Ada", last_name="Canary", date_of_birth="1980-02-03")
    said = {"email": ["Enter a valid email address.", "ada@canary.example is none."]}
    staffed.breaks("drchrono", "PATCH /api/patients", "error", status=400, body=said, next=None)
    staffed.human_edits_contact(Email="ada@canary.example")
    await staffed.hears()
    await staffed.settles()

    assert await revealed(staffed) == "email: Enter a valid email address. ••• is none."


async def revealed(clinic):
    (one,) = (await listed(clinic))["items"]
    return (await clinic.web.post(f"{PATH}/{one['id']}/reveal", headers=BEARER)).json()["text"]


async def test_a_note_is_an_operators_word_that_everybody_signed_in_sees_and_lies_sealed(staffed):
    await has_failed(staffed)
    (one,) = (await listed(staffed))["items"]

    def put(headers, text, link=one["id"]):
        return staffed.web.put(f"{PATH}/{link}/note", headers=headers, json={"text": text})

    answers = [(await put(READS, "no")).status_code, (await put(BEARER, " Called Ms. Canary. ")).status_code]
    answers.append((await put(BEARER, "x", link="01JSYNTHETICLINK0000000000")).status_code)
    (noted,) = (await listed(staffed))["items"]
    (row,) = await staffed.rows(failures)
    await put(BEARER, "")
    (cleared,) = (await listed(staffed))["items"]

    assert answers == [403, 204, 404]
    assert (noted["note"], noted["note_by"], cleared["note"]) == ("Called Ms. Canary.", "operator", None)
    assert "Canary" not in row.note
    assert [act.reason for act in await staffed.rows(audit) if act.action == "note"] == ["", ""]


@pytest.mark.parametrize("ask", [{"params": {"format": "csv"}}, {"headers": {"accept": "text/csv"}}], ids=str)
async def test_as_csv_all_of_them_come_without_names_or_messages_and_that_is_noted(staffed, ask):
    patient = await has_failed(staffed)

    answer = await staffed.web.get(PATH, params=ask.get("params"), headers=READS | ask.get("headers", {}))

    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert answer.headers["content-type"].startswith("text/csv")
    assert (row["drchrono_id"], row["error"], row["fields"], row["message"]) == (
        str(patient["id"]), CAUSE, "MobilePhone", "•••",
    )  # fmt: skip
    assert row["record"] == f"https://sync.example.com/records/drchrono/patient/{patient['id']}"
    assert "Canary" not in answer.text
    assert [act.about for act in await staffed.rows(audit) if act.action == "export"] == ["failures: every cause"]


async def test_what_was_dismissed_is_listed_for_itself_and_fails_again_without_a_word_in_its_history(staffed):
    patient = await has_failed(staffed)
    said = {"reason": "the practice keeps both numbers"}
    await staffed.web.post("/api/v1/failures/discard?expected=1", headers=BEARER, json=said)
    (row,) = await staffed.rows(failures)
    await staffed.web.post(f"/api/v1/records/drchrono/patient/{patient['id']}/recheck", headers=BEARER)
    await staffed.settles()

    waiting, (one,) = await listed(staffed), (await listed(staffed, dismissed=True))["items"]
    told = (await staffed.web.get(f"/api/v1/records/drchrono/patient/{patient['id']}", headers=READS)).json()["history"]

    assert (waiting["items"], waiting["total"]) == ([], 0)
    assert (one["status"], one["dismissed_by"], one["reason"]) == ("dismissed", "operator", said["reason"])
    assert one["since"].startswith(row.since.isoformat(timespec="seconds")[:19])
    assert [each["name"] for each in told][:3] == ["checked", "dismissed", CAUSE]
    assert (await attention.counts(staffed.runtime)).dismissed == 1


async def test_the_list_goes_on_where_the_page_before_ended(staffed):
    refuses(staffed, field="LastName", equals="Canary")
    for n in range(3):
        await staffed.delivers(
            await staffed.registers(first_name=f"Ada{n}", last_name="Canary"), event="PATIENT_CREATE"
        )
    await staffed.settles()

    first = await listed(staffed, limit=2)
    second = await listed(staffed, limit=2, after=first["next"])

    assert (first["total"], len(first["items"]), len(second["items"]), second["next"]) == (3, 2, 1, None)
    assert len({one["id"] for one in (*first["items"], *second["items"])}) == 3


async def test_a_record_that_is_tried_again_says_when_and_then_how_it_stands(staffed):
    await has_failed(staffed)
    await staffed.web.post("/api/v1/failures/retry?expected=1", headers=BEARER)
    (one,) = (await listed(staffed))["items"]
    staffed.salesforce.delete("/_control/record-faults").raise_for_status()

    async def stands():
        asked = [one["id"], "01JSYNTHETICLINK0000000000"]
        return [(each.state, each.is_settled) for each in await attention.settled(staffed.runtime, asked)]

    counts, retrying = await attention.counts(staffed.runtime), await stands()
    await staffed.settles()

    assert (one["retrying"], one["next_retry_at"] is not None) == (True, True)
    assert (counts.failed, counts.needs_review, counts.waiting) == (1, 0, 1)
    assert retrying == [("failed", False), (None, True)]
    assert await stands() == [("in_step", True), (None, True)]
    assert (await attention.counts(staffed.runtime)).waiting == 0
