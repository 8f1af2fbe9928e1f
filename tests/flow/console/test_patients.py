"""Patients are listed by how they stand and found by what a person types, which goes to Salesforce and nowhere else."""

import pytest
import sqlalchemy as sa

from app.runtime import ledger_of
from app.settings.fields import Settings
from app.store.clock import db_now
from app.store.record_views import RecordState
from app.store.tables import audit, failures, links
from app.sync.model import Side
from tests.flow.browser import HOME, browsing
from tests.flow.clinic import OPERATOR, SECRET, opened, settings_of
from tests.store.build import change

VIEWER = "viewer-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
READS = {"authorization": f"Bearer {VIEWER}"}
ADA = {"first_name": "Ada", "last_name": "Fixture-Lovell", "date_of_birth": "1980-02-03"}


@pytest.fixture
async def staffed(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        yield clinic


async def searched(clinic, words, headers=BEARER, **more):
    answer = await clinic.web.post("/api/v1/patients", headers=headers, json={"words": words, **more})
    return answer.raise_for_status().json()


def named(found):
    return [one["name"] for one in found["items"]]


def queries(clinic):
    return clinic.calls("salesforce", "GET /services/data/v67.0/query")


async def test_the_list_names_everybody_by_one_call_and_says_how_each_stands(staffed):
    linked = await staffed.has_linked(**ADA)
    coming = await staffed.registers(first_name="Bea", last_name="Fixture")
    await staffed.delivers(coming, event="PATIENT_CREATE")
    staffed.salesforce.delete("/_control/calls")

    found = (await staffed.web.get("/api/v1/patients", headers=READS)).json()

    assert [(one["name"], one["drchrono_id"], one["state"]) for one in found["items"]] == [
        (None, str(coming["id"]), "on_its_way"),
        ("Ada Fixture-Lovell", str(linked["id"]), "in_step"),
    ]
    assert (found["total"], found["next"], found["silence"]) == (2, None, None)
    assert queries(staffed) == 1


@pytest.mark.parametrize(
    "words",
    [
        "ada",
        "ADA fix",
        "lovell ada",
        "1980-02-03",
        "2/3/1980",
        "ada 1980-02-03",
        "Fixture-Lovell, Ada",
        "2/3/80",
        "(555) 010-0142",
        "ada 555.010.0142",
        "+1 555 010 0142",
        "010-0142",
        "ada.l@",
        "{chart}",
        "{drchrono}",
        "{salesforce}",
    ],
)
async def test_a_patient_is_found_by_name_birth_date_phone_email_chart_or_id_in_one_call(staffed, words):
    patient = await staffed.has_linked(**ADA, email="ada.l@example.com")
    other = {"cell_phone": "(555) 010-0199", "email": "ada@example.com"}
    await staffed.has_linked(first_name="Bea", last_name="Other", date_of_birth="1990-01-01", **other)
    contact = next(one for one in staffed.contacts() if one["FirstName"] == "Ada")
    typed = words.format(chart=patient["chart_id"], drchrono=patient["id"], salesforce=contact["Id"][:15])
    staffed.salesforce.delete("/_control/calls")

    found = await searched(staffed, typed, READS)

    assert named(found) == ["Ada Fixture-Lovell"]
    assert found["items"][0]["salesforce_id"] == contact["Id"]
    assert queries(staffed) == 1


@pytest.mark.parametrize(
    "words", ["da", "%", "_da", "A%", "' OR Name != '", "\\", "Ada' OR LastName LIKE '", "1980-02-31"]
)
async def test_wildcards_and_quotes_mean_themselves(staffed, words):
    await staffed.has_linked(**ADA)

    found = await searched(staffed, words)

    assert (found["items"], found["silence"]) == ([], None)


async def test_a_contact_that_is_no_patient_is_not_found(staffed):
    staffed.human_enters_contact(FirstName="Ada", LastName="Supplier")

    assert named(await searched(staffed, "supplier")) == []


async def test_more_than_a_page_is_read_page_by_page_by_last_name_and_where_it_ends_names_nobody(staffed):
    for number in range(120):
        name = {"FirstName": "Ada", "LastName": f"Same{number % 3}"}
        staffed.human_enters_contact(**name, DrChrono_Patient_Id__c=str(9000 + number))

    pages, after = [], None
    while True:
        found = await searched(staffed, "same", after=after)
        pages.append([(one["name"], one["drchrono_id"]) for one in found["items"]])
        if (after := found["next"]) is None:
            break
        assert "Same" not in after

    together = [one for page in pages for one in page]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert len(set(together)) == 120
    assert [name for name, _ in together] == sorted(name for name, _ in together)


async def test_the_list_is_read_page_by_page(staffed):
    for number in range(60):
        await staffed.delivers(await staffed.registers(first_name="Ada", last_name=f"Fixture{number}"))

    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        first = await browser.open("/patients")
        second = await browser.follows("Older")

    assert (first.text.count("Pending"), second.text.count("Pending")) == (50 + 1, 10 + 1)  # and a choice


async def test_the_list_of_one_state_holds_all_of_it_and_nobody_else(staffed):
    at = {"lane": "live", "base": {}, "floor": "", "excluded_by": None}
    rows = [
        {"id": f"01JSYNTHETICLINK000000{n:04}", "kind": kind, "drchrono_id": theirs, "salesforce_id": ours, **at}
        for n, (kind, theirs, ours) in enumerate([("patient", str(n), f"003{n}") for n in range(20)])
    ]
    for row in rows[::4]:
        row["salesforce_id"] = None
    for row in rows[17:19]:
        row["excluded_by"] = "drchrono"
    rows.append({**rows[1], "id": rows[1]["id"][:-4] + "9999", "kind": "doctor"})
    await change(staffed.runtime.database, sa.insert(links).values(rows))
    await change(staffed.runtime.database, sa.update(links).where(links.c.drchrono_id < "13").values(due_at=db_now()))
    why = {"side": "salesforce", "kind": "patient", "fields": "", "at": db_now()}
    for row in rows[1:20:3]:
        failed = {**why, "link_id": row["id"], "cause": "x", "is_held": row["id"] > rows[9]["id"]}
        failed |= {"dismissed_at": db_now(), "dismissed_by": "maria", "reason": "known"} if row is rows[16] else {}
        await change(staffed.runtime.database, sa.insert(failures).values(failed))

    everybody = (await staffed.web.get("/api/v1/patients?limit=200", headers=READS)).json()["items"]
    by_state = {
        state: (await staffed.web.get(f"/api/v1/patients?limit=200&state={state}", headers=READS)).json()
        for state in RecordState
    }

    assert sum(found["total"] for found in by_state.values()) == len(everybody) == 20
    for state, found in by_state.items():
        assert found["items"] == [one for one in everybody if one["state"] == state] != []
        assert found["total"] == len(found["items"])


async def test_the_page_lists_those_of_a_state_and_goes_on_in_it(staffed):
    for number in range(60):
        await staffed.delivers(await staffed.registers(first_name="Ada", last_name=f"Fixture{number}"))

    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        first = await browser.open("/patients?state=on_its_way")
        second = await browser.follows("Older")
        none = await browser.open("/patients?state=failed")
        unknown = await browser.open("/patients?state=nothing")

    assert [page.text.count("Pending") for page in (first, second, unknown)] == [51, 11, 51]
    assert "No patient has this status now" in none.text


async def test_a_person_searches_on_the_page_and_no_address_holds_what_they_typed(staffed):
    await staffed.has_linked(**ADA)
    for number in range(60):
        staffed.human_enters_contact(LastName=f"Sought{number}", DrChrono_Patient_Id__c=str(9000 + number))

    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        await browser.open("/patients")
        found = await browser.presses("Search", words="fixture-l")
        nobody = await browser.presses("Search", words="nobody")
        await browser.presses("Search", words="sought")
        more = await browser.presses("More")

    assert "Ada Fixture-Lovell" in found.text
    assert found.response.headers["cache-control"] == "no-store"
    assert "No patient matches" in nobody.text
    assert more.text.count("Sought") == 10
    assert {url for url in browser.visited if "patients" in url} == {f"{HOME}/patients"}


async def test_one_letter_lists_nobody_and_says_how_many_it_takes(staffed):
    await staffed.has_linked(**ADA)

    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        await browser.open("/patients")
        page = await browser.presses("Search", words="f")

    assert "Type two letters at least." in page.text
    assert "Ada" not in page.text


async def test_whoever_comes_back_finds_the_search_as_it_was_and_nobody_else_does(staffed):
    await staffed.has_linked(**ADA)
    await staffed.has_linked(first_name="Bea", last_name="Other", date_of_birth="1990-01-01")

    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        await browser.open("/patients")
        await browser.presses("Search", words="fixture-l")
        kept = browser.cookie("__Host-chronobridge_search").value
        await browser.follows("Ada Fixture-Lovell")
        back = await browser.open("/patients")
        everybody = await browser.follows("Show all")
        again = await browser.open("/patients")
    async with browsing(staffed) as other:
        await other.signs_in(OPERATOR)
        other.client.cookies.set("__Host-chronobridge_search", kept, domain="sync.example.com")
        theirs = await other.open("/patients")

    assert [form.fields["words"] for form in back.forms if "words" in form.fields] == ["fixture-l"]
    assert ("Ada Fixture-Lovell" in back.text, "Bea Other" in back.text) == (True, False)
    assert all("Bea Other" in page.text and "fixture-l" not in str(page.forms) for page in (everybody, again, theirs))
    assert "fixture" not in kept.lower()


async def test_a_record_is_found_by_its_id_though_salesforce_has_none(staffed):
    patient = await staffed.registers(**ADA)
    refused = [{"errorCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": "no"}]
    staffed.breaks("salesforce", "PATCH /services/data", "error", status=400, body=refused, next=None)
    await staffed.arrives(patient, event="PATIENT_CREATE")

    (found,) = (await searched(staffed, str(patient["id"])))["items"]

    assert (found["name"], found["salesforce_id"]) == (None, None)
    assert (found["state"], found["cause"]) == ("failed", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")


async def test_with_salesforce_away_the_list_is_there_by_id_and_state_and_the_page_says_so(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.breaks("salesforce", "GET /services/data", "error", status=503, next=None)

    listed = (await staffed.web.get("/api/v1/patients", headers=BEARER)).json()
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open("/patients")
        search = await browser.presses("Search", words="ada")

    assert [(one["name"], one["drchrono_id"], one["state"]) for one in listed["items"]] == [
        (None, str(patient["id"]), "in_step")
    ]
    assert listed["silence"].startswith("Salesforce did not answer")
    for shown in (page, search):
        assert f"Patient {patient['id']}" in shown.text
        assert "Salesforce did not answer" in shown.text


async def test_with_no_call_left_to_others_than_live_edits_nobody_is_asked_for_a_name(staffed):
    patient = await staffed.has_linked(**ADA)
    await ledger_of(staffed.runtime.settings, staffed.runtime.database, Side.SALESFORCE).told(600, 1000)
    staffed.app.state.runtime.salesforce.budget._known = None
    staffed.salesforce.delete("/_control/calls")

    found = await searched(staffed, "ada")
    listed = (await staffed.web.get("/api/v1/patients", headers=BEARER)).json()

    assert "kept for edits" in found["silence"]
    assert [one["drchrono_id"] for one in listed["items"]] == [str(patient["id"])]
    assert staffed.calls("salesforce", "GET") == 0


async def test_a_side_that_is_not_connected_is_said_not_to_be(database, empty_vendors):
    given = settings_of(
        database, str(empty_vendors.drchrono.base_url).rstrip("/"), None, empty_vendors.ca_file,
        salesforce_client_id=None, salesforce_client_secret=None, salesforce_org_id=None,
    )  # fmt: skip
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        patient = await clinic.registers(**ADA)
        await clinic.delivers(patient)
        listed = (await clinic.web.get("/api/v1/patients", headers=BEARER)).json()

    assert [one["drchrono_id"] for one in listed["items"]] == [str(patient["id"])]
    assert listed["silence"] == "Salesforce is not connected, so it was not asked."
    assert SECRET not in str(listed)


async def test_too_little_to_look_for_is_not_looked_for(staffed):
    await staffed.has_linked(**ADA)
    staffed.salesforce.delete("/_control/calls")

    found = await searched(staffed, " a ")

    assert (found["items"], found["silence"]) == ([], "Type two letters at least.")
    assert staffed.calls("salesforce", "GET") == 0
    assert await staffed.rows(audit) == []
