"""A record's page: how it stands, both sides field by field on demand, masked until revealed, and its whole history."""

import pytest

from app.settings.fields import Settings
from app.store.tables import audit, deliveries
from app.sync.model import Kind
from tests.flow.browser import HOME, browsing
from tests.flow.calendar import books, has_visit
from tests.flow.clinic import LOOKS, OPERATOR, opened

VIEWER = "viewer-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
READS = {"authorization": f"Bearer {VIEWER}"}
ADA = {"first_name": "Ada", "last_name": "Fixture", "date_of_birth": "1980-02-03"}


@pytest.fixture
async def staffed(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        yield clinic


def path_of(patient, side="drchrono", kind="patient"):
    return f"/api/v1/records/{side}/{kind}/{patient['id']}"


async def record(clinic, patient, **asked):
    return (await clinic.web.get(path_of(patient), headers=READS, params=asked)).raise_for_status().json()


async def acted(clinic, patient, act, headers=BEARER):
    return await clinic.web.post(f"{path_of(patient)}/{act}", headers=headers)


async def fields(clinic, patient, act="reveal"):
    return {one["field"]: one for one in (await acted(clinic, patient, act)).raise_for_status().json()["fields"]}


def forgets(clinic):
    for side in (clinic.drchrono, clinic.salesforce):
        side.delete("/_control/calls")


def asked(clinic):
    """How often each side was asked for a record."""
    return clinic.calls("drchrono", "GET /api/patients"), clinic.calls("salesforce", "GET /services/data/v67.0/query")


async def noted(clinic):
    return [(row.role, row.action, row.about) for row in await clinic.rows(audit) if row.action not in LOOKS]


async def test_a_record_is_shown_by_either_sides_id_with_both_ids_and_without_a_call(staffed):
    patient = await staffed.has_linked(**ADA)
    contact_id = staffed.contact()["Id"]
    forgets(staffed)

    by_chart = await record(staffed, patient)
    by_contact = (await staffed.web.get(path_of({"id": contact_id[:15]}, "salesforce"), headers=READS)).json()

    assert (by_chart["drchrono_id"], by_chart["salesforce_id"]) == (str(patient["id"]), contact_id)
    assert (by_chart["state"], by_chart["cause"], by_chart["due_at"]) == ("in_step", None, None)
    assert (by_contact["id"], by_contact["history"]) == (contact_id, by_chart["history"])
    assert asked(staffed) == (0, 0)


async def test_its_history_tells_delivery_decision_call_and_answer_newest_first(staffed):
    patient = await staffed.has_linked(**ADA)
    patient = await staffed.edits(patient, cell_phone="(555) 010-7777")
    await staffed.arrives(patient)
    await staffed.delivers(patient, delivery="again")
    await staffed.settles()

    events = (await record(staffed, patient))["history"]

    told = [(one["what"], one["side"], one["name"], one["outcome"], one["fields"]) for one in events]
    again, update, modified, create, made = events
    assert told[1] == ("call", "salesforce", "update", "confirmed", ["cell_phone"])
    assert told[2] == ("delivery", "drchrono", "PATIENT_MODIFY", "kept", [])
    assert (made["name"], create["name"]) == ("PATIENT_CREATE", "create")
    assert "date_of_birth" in create["fields"]
    assert (update["belongs_to"], modified["belongs_to"]) == ([modified["id"]], [update["id"]])
    assert (create["belongs_to"], made["belongs_to"]) == ([made["id"]], [create["id"]])
    assert (again["belongs_to"], again["ended_at"] is not None) == ([], True)


async def test_a_conflict_and_its_rule_stand_by_the_call_that_carried_it_out_and_by_the_field(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.human_edits_contact(LastName="Theirs")
    patient = await staffed.edits(patient, last_name="Ours")
    await staffed.arrives(patient)

    call = next(one for one in (await record(staffed, patient))["history"] if one["conflicts"])
    shown = (await fields(staffed, patient, "read"))["last_name"]

    assert list(call["conflicts"]) == ["last_name"]
    assert (call["side"], shown["agreement"]) == ("salesforce", "equal")
    assert (shown["came"]["call"], shown["came"]["rule"]) == (call["id"], call["conflicts"]["last_name"])
    assert shown["came"]["deliveries"] == call["belongs_to"] != []


async def test_a_history_is_read_page_by_page(staffed):
    patient = await staffed.has_linked(**ADA)
    for number in range(6):
        patient = await staffed.edits(patient, email=f"ada{number}@example.com")
        await staffed.arrives(patient)

    whole, pages, before = (await record(staffed, patient, limit=200))["history"], [], None
    while True:
        found = await record(staffed, patient, limit=5, **({"before": before} if before else {}))
        pages.append(found["history"])
        if (before := found["next"]) is None:
            break

    assert len(whole) == 14
    assert [len(page) for page in pages] == [5, 5, 4]
    assert [one["id"] for page in pages for one in page] == [one["id"] for one in whole]


async def test_both_sides_are_read_by_one_call_to_each_and_values_stay_masked(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.human_edits_contact(MobilePhone="(555) 010-9999")
    forgets(staffed)

    answer = await acted(staffed, patient, "read", READS)

    found = {one["field"]: one for one in answer.json()["fields"]}
    assert asked(staffed) == (1, 1)
    assert answer.json()["answers"] == {"drchrono": "read", "salesforce": "read"}
    assert (found["first_name"]["agreement"], found["first_name"]["drchrono"]) == ("equal", "•••")
    assert (found["cell_phone"]["agreement"], found["cell_phone"]["moved"]) == ("differs", ["salesforce"])
    for value in ("Ada", "Fixture", "1980", "0142", "9999", "example"):
        assert value not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert await noted(staffed) == []


async def test_revealing_gives_the_values_and_is_noted_without_any(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.human_edits_contact(MobilePhone="(555) 010-9999")

    found = await fields(staffed, patient)

    assert (found["first_name"]["drchrono"], found["first_name"]["salesforce"]) == ("Ada", "Ada")
    assert (found["cell_phone"]["drchrono"], found["cell_phone"]["salesforce"]) == ("(555) 010-0142", "(555) 010-9999")
    assert await noted(staffed) == [("operator", "reveal", f"patient {patient['id']}")]


async def test_what_cannot_be_noted_is_not_revealed(staffed):
    patient = await staffed.has_linked(**ADA)
    refuse = "RAISE(ABORT, 'full')" if staffed.runtime.database.is_sqlite else None

    async def work(connection):
        if refuse:
            trigger = f"CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT {refuse}; END"
            await connection.exec_driver_sql(trigger)
        else:
            await connection.exec_driver_sql("ALTER TABLE audit ADD CONSTRAINT full_ CHECK (records < 0)")

    await staffed.runtime.database.transact(work)

    answer = await acted(staffed, patient, "reveal")

    assert answer.status_code == 503
    assert "Ada" not in answer.text


async def test_a_viewer_may_read_masked_and_neither_reveal_nor_have_it_looked_at(staffed):
    patient = await staffed.has_linked(**ADA)
    forgets(staffed)

    refused = [(await acted(staffed, patient, act, READS)).status_code for act in ("reveal", "look")]
    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        page = await browser.open(f"/records/drchrono/patient/{patient['id']}")
        before = asked(staffed)
        shown = await browser.presses("Compare")

    assert (refused, before) == ([403, 403], (0, 1)), "the name is one call"
    assert {name for form in page.forms for name, *_ in form.buttons} == {"Find", "Sign out", "Compare"}
    assert "only an operator may see them" in shown.text
    assert "0142" not in shown.text
    assert await noted(staffed) == []


async def test_looking_again_makes_the_record_due_asks_drchrono_and_is_noted(staffed):
    patient = await staffed.has_linked(**ADA)
    await staffed.edits(patient, last_name="Unheard")  # nothing tells of it
    due = (await acted(staffed, patient, "look")).json()
    await staffed.settles()

    assert (due["state"], due["lane"]) == ("on_its_way", "live")
    assert staffed.contact()["LastName"] == "Unheard"
    assert (await record(staffed, patient))["state"] == "in_step"
    assert await noted(staffed) == [("operator", "look", f"patient {patient['id']}")]


async def test_a_failed_record_that_is_looked_at_again_goes_through_once_its_cause_is_gone(staffed):
    refused = [{"errorCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": "no"}]
    staffed.breaks("salesforce", "PATCH /services/data", "error", status=400, body=refused, next=None)
    patient = await staffed.registers(**ADA)
    await staffed.arrives(patient, event="PATIENT_CREATE")
    failed = await record(staffed, patient)
    staffed.salesforce.delete("/_control/faults")

    await acted(staffed, patient, "look")
    await staffed.settles()

    assert (failed["state"], failed["salesforce_id"]) == ("failed", None)
    assert failed["fix"]
    assert (await record(staffed, patient))["state"] == "in_step"


async def test_a_person_reads_reveals_and_has_a_record_looked_at_on_its_page(staffed):
    patient = await staffed.has_linked(**ADA)
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open(f"/records/drchrono/patient/{patient['id']}")
        read = await browser.presses("Compare")
        revealed = await browser.presses("Show values")
        hidden = await browser.open(str(browser.page.url))
        looked = await browser.presses("Check again")

    assert (page.heading, page.status) == ("Ada Fixture", 200)
    assert "Synced" in page.text
    assert "PATIENT_CREATE" in page.text
    assert "0142" not in page.text + read.text + hidden.text
    assert "•••" in read.text
    assert "0142" in revealed.text
    assert revealed.response.headers["cache-control"] == "no-store"
    assert str(hidden.url) == f"{HOME}/records/drchrono/patient/{patient['id']}"
    assert "It is checked again in a moment" in looked.text
    assert "Pending" in looked.text
    assert [action for _, action, _ in await noted(staffed)] == ["reveal", "look"]


async def test_a_side_that_says_nothing_is_named_and_the_other_is_shown(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.breaks("drchrono", "GET /api/patients", "error", status=503, next=None)

    answer = (await acted(staffed, patient, "reveal")).json()

    first = next(one for one in answer["fields"] if one["field"] == "first_name")
    assert answer["answers"]["salesforce"] == "read"
    assert answer["answers"]["drchrono"].startswith("DrChrono did not answer (HTTP_503)")
    assert (first["read"], first["salesforce"], first["agreement"]) == (["salesforce"], "Ada", "unknown")


async def test_what_is_gone_on_a_side_is_said_to_be(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.salesforce.delete(f"/_control/records/Contact/{staffed.contact()['Id']}").raise_for_status()

    assert (await acted(staffed, patient, "read")).json()["answers"]["salesforce"] == "absent"


async def test_a_visit_is_compared_by_its_doctors_wall_clock(staffed):
    visit = await has_visit(staffed)

    answer = (await staffed.web.post(f"{path_of(visit, kind='appointment')}/reveal", headers=BEARER)).json()

    found = {one["field"]: one for one in answer["fields"]}
    assert {name for name, one in found.items() if one["agreement"] == "differs"} == set()
    assert found["scheduled_time"]["drchrono"] == found["scheduled_time"]["salesforce"] == visit["scheduled_time"]
    assert await noted(staffed) == [("operator", "reveal", f"appointment {visit['id']}")]


@pytest.mark.parametrize("kind", [Kind.DOCTOR, Kind.OFFICE])
async def test_doctors_and_offices_have_their_records_too(staffed, kind):
    one = (await staffed.links(kind))[0]
    path = f"/api/v1/records/drchrono/{kind.value}/{one.drchrono_id}"

    shown = (await staffed.web.get(path, headers=READS)).json()
    read = (await staffed.web.post(f"{path}/read", headers=READS)).json()

    assert (shown["state"], shown["salesforce_id"]) == ("in_step", one.salesforce_id)
    assert read["answers"] == {"drchrono": "read", "salesforce": "read"}
    assert {field["agreement"] for field in read["fields"]} <= {"equal", "unknown"}


@pytest.mark.parametrize("record_id", ["999999", "003000000000000AAA", "x" * 70, "%F0%9F%98%80"])
async def test_a_record_nobody_has_heard_of_is_not_found_and_it_is_said_so(staffed, record_id):
    answers = [
        await staffed.web.get(f"/api/v1/records/drchrono/patient/{record_id}", headers=BEARER),
        await staffed.web.post(f"/api/v1/records/salesforce/patient/{record_id}/reveal", headers=BEARER),
    ]
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open(f"/records/drchrono/patient/{record_id}")
        other = await browser.open("/records/drchrono/allergy/1")

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["detail"].startswith("nothing is known of that patient")
    assert (page.status, page.heading, other.status) == (404, "Not known", 404)


async def test_a_visit_and_a_patient_of_one_number_keep_their_histories_apart(staffed):
    patient = await staffed.has_linked(**ADA)
    visit = await books(staffed, patient)
    await staffed.arrives({**visit, "id": str(patient["id"])}, event="APPOINTMENT_CREATE")

    names = {one["name"] for one in (await record(staffed, patient))["history"] if one["what"] == "delivery"}

    assert names == {"PATIENT_CREATE"}
    assert len(await staffed.rows(deliveries)) == 2
