"""A patient named Canary is looked for, read, revealed and met on a day: no log, audit, metric or address knows."""

import sqlalchemy as sa

from app.store.tables import conflicts, metadata
from tests.flow.browser import browsing
from tests.flow.calendar import TEN, books
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}
CANARY = {
    "first_name": "Canary", "last_name": "Canarysson", "date_of_birth": "1951-02-03", "email": "canary@canary.example",
    "cell_phone": "(555) 010-2468", "city": "Canaryville",
}  # fmt: skip
WORDS = ("anary", "1951-02-03", "010-2468")


async def everything_done(clinic, browser):
    """A person and a script see all there is of the patient; gives what they were shown."""
    patient = await clinic.has_linked(**CANARY)
    visit = await books(clinic, patient)
    await clinic.arrives(visit, event="APPOINTMENT_CREATE")
    await browser.signs_in(OPERATOR)
    shown = [await browser.open("/patients")]
    shown += [await browser.presses("Search", words=words) for words in ("Canary", "1951-02-03", "canarysson canary")]
    shown.append(await browser.open(f"/appointments?day={TEN[:10]}"))
    shown.append(await browser.open(f"/records/drchrono/patient/{patient['id']}"))
    shown.append(await browser.presses("Compare"))
    shown.append(await browser.presses("Show values"))
    shown += [*await undoes(clinic, browser, patient), *await picks(clinic, browser)]
    await is_refused_in_words_that_name_the_patient(clinic, patient)
    clinic.breaks(
        "salesforce",
        "GET /services/data",
        "error",
        status=400,
        body=[{"errorCode": "MALFORMED_QUERY", "message": "LIKE 'Canary%'"}],
        next=2,
    )
    await browser.open("/patients")
    shown.append(await browser.presses("Search", words="Canary"))
    for path, body in (("patients", {"words": "Canary"}), (f"records/drchrono/patient/{patient['id']}/reveal", None)):
        await clinic.web.post(f"/api/v1/{path}", headers=BEARER, json=body)
    return patient, shown


async def is_refused_in_words_that_name_the_patient(clinic, patient):
    """A rule in Salesforce quotes what it refuses; a person reads that, notes something, and downloads the list."""
    rule = {
        "object": "Contact", "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "next": 9,
        "message": "Canary Canarysson, born 1951-02-03, does not live in Canaryville.",
        "match": {"field": "LastName", "equals": "Canarysson"},
    }  # fmt: skip
    clinic.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
    await clinic.arrives(await clinic.edits(patient, email="canary2@canary.example"))
    path = "/api/v1/failures/records"
    (one,) = (await clinic.web.get(path, headers=BEARER, params={"names": True})).json()["items"]
    await clinic.web.put(f"{path}/{one['id']}/note", headers=BEARER, json={"text": "Canary was called."})
    told = (await clinic.web.post(f"{path}/{one['id']}/reveal", headers=BEARER)).json()["text"]
    assert (one["name"], told) == ("Canary Canarysson", "•••, born •••, does not live in •••.")
    assert "anary" not in (await clinic.web.get(path, headers=BEARER, params={"format": "csv"})).text


async def undoes(clinic, browser, patient):
    """Both sides change where the patient lives; a person sees both and has the old value put back."""
    await clinic.both_edit(patient, {"city": "Canary East"}, {"MailingCity": "Canary West"})
    await clinic.arrives(clinic.chart(patient))
    (row,) = await clinic.rows(conflicts)
    await browser.open(f"/conflicts/{row.id}")
    pages = [await browser.presses("Show values"), await browser.presses("Restore DrChrono's value")]
    await clinic.settles()
    return pages


async def picks(clinic, browser):
    """Two Contacts are who a new chart is; a person sees all three and picks one."""
    for town in ("Canary North", "Canary South"):
        clinic.human_enters_contact(
            FirstName="Canary", LastName="Canarysdottir", Birthdate="1951-02-03", MailingCity=town
        )
    chart = await clinic.registers(**CANARY | {"last_name": "Canarysdottir", "gender": "Female"})
    await clinic.arrives(chart, event="PATIENT_CREATE")
    await browser.open("/attention")
    (row,) = (await clinic.web.get("/api/v1/held", headers=BEARER)).json()["items"]
    await browser.open(f"/attention/{row['link']}")
    pages = [await browser.presses("Find matches"), await browser.presses("Link to this Contact")]
    await clinic.settles()
    return pages


async def test_what_is_looked_for_and_revealed_is_in_no_log_audit_metric_or_address(clinic, capsys):
    async with browsing(clinic) as browser:
        patient, shown = await everything_done(clinic, browser)
        numbers = (await clinic.web.get("/metrics")).text
    lines = "".join(capsys.readouterr())
    tables = {table.name: str(await clinic.runtime.database.read(sa.select(table))) for table in metadata.sorted_tables}

    assert sum("Canarysson" in page.text for page in shown) >= 7  # it was there to be leaked
    assert f"patient {patient['id']}" in tables["audit"]
    assert "record.synced" in lines
    places = {"log": lines, "metrics": numbers, "addresses": str(browser.visited), **tables}
    assert [(name, word) for name, text in places.items() for word in WORDS if word in text] == []


async def test_an_address_behind_a_sign_in_page_names_nobody_either(clinic):
    async with browsing(clinic) as browser:
        page = await browser.open("/patients?words=Canary")

    assert "anary" not in str(page.url)
