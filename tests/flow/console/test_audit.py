"""Looking is noted: who saw which records, by page and by API, never what was typed or read."""

import csv
import io
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from rich.console import Console

from app.cli.audit import print_verdict
from app.operations import audit as operations
from app.ports import Act, Action, By
from app.store.audit import record
from app.store.tables import audit, audit_head
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}


async def noted(clinic):
    """The acts of the operator's token, oldest first; connecting, which every clinic begins with, left out."""
    found = sorted(await clinic.rows(audit), key=lambda row: row.position)
    return [(row.action, row.about, row.ids) for row in found if row.action != "connect"]


@pytest.fixture
async def patient(clinic):
    return await clinic.has_linked()


@pytest.mark.parametrize("way", ["/patients", "/api/v1/patients"])
async def test_a_list_of_patients_is_noted_with_their_ids(clinic, patient, way):
    await clinic.web.get(way, headers=BEARER)

    assert await noted(clinic) == [("list", "patients", str(patient["id"]))]


async def test_a_search_is_noted_by_whom_it_found_and_never_by_its_words(clinic, patient):
    words = f"{patient['last_name']} {patient['date_of_birth']}"
    answer = await clinic.web.post("/api/v1/patients", json={"words": words}, headers=BEARER)

    assert [one["drchrono_id"] for one in answer.json()["items"]] == [str(patient["id"])]
    assert await noted(clinic) == [("search", "patients", str(patient["id"]))]
    assert patient["last_name"] not in str(await clinic.rows(audit))


@pytest.mark.parametrize("way", ["/appointments?day=2026-12-01", "/api/v1/appointments?day=2026-12-01"])
async def test_a_day_of_appointments_is_noted(clinic, way):
    await clinic.web.get(way, headers=BEARER)

    assert await noted(clinic) == [("list", "appointments of 2026-12-01", "")]


@pytest.mark.parametrize(
    ("method", "way"),
    [("GET", "/records/drchrono/patient/{}"), ("POST", "/records/drchrono/patient/{}"),
     ("GET", "/api/v1/records/drchrono/patient/{}"), ("POST", "/api/v1/records/drchrono/patient/{}/read")],
)  # fmt: skip
async def test_a_record_that_was_shown_is_noted(clinic, patient, method, way):
    answer = await clinic.web.request(method, way.format(patient["id"]), headers=BEARER)

    assert answer.status_code == 200
    assert await noted(clinic) == [("show", f"patient {patient['id']}", str(patient["id"]))]


@pytest.mark.parametrize(
    ("path", "name"),
    [("/attention", "failures"), ("/conflicts", "conflicts"), ("/deliveries", "deliveries")]
    + [(f"/api/v1/{name}", name) for name in ("failures", "held", "conflicts", "deliveries")],
)
async def test_every_other_list_is_noted_too(clinic, path, name):
    answer = await clinic.web.get(path, headers=BEARER)

    assert answer.status_code == 200
    assert [one[:2] for one in await noted(clinic)] == [("list", name)]


async def test_reading_the_audit_adds_nothing_to_it(clinic):
    for way in ("/audit", "/api/v1/audit"):
        assert (await clinic.web.get(way, headers=BEARER)).status_code == 200

    assert await noted(clinic) == []


async def test_who_is_refused_sees_nothing_and_nothing_is_noted_as_seen(clinic, patient):
    await clinic.web.get("/api/v1/patients", headers={"authorization": "Bearer wrong"})
    await clinic.web.get("/api/v1/records/drchrono/patient/1", headers=BEARER)

    assert await noted(clinic) == []


async def test_a_page_that_looks_again_by_itself_is_noted_once_a_minute(clinic, patient):
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        for _ in range(3):
            await browser.open("/patients", **{"x-poll": "1"})
        for _ in range(2):
            await browser.open("/patients")

    assert [one[0] for one in await noted(clinic)] == ["sign_in", "list", "list", "list"]


async def test_what_a_command_does_is_noted_with_the_systems_user(clinic):
    await operations.note_command(clinic.runtime, Action.BACKFILL, "patients")

    (row,) = [row for row in await clinic.rows(audit) if row.action == "backfill"]
    assert (row.role, row.who) == ("operator", "command")
    assert row.name == operations.by_command().name != ""


async def exported(clinic, since=None, until=None):
    out = io.StringIO()
    await operations.export(clinic.runtime, out, since, until, By("operator", "command", "root"))
    return list(csv.DictReader(io.StringIO(out.getvalue())))


async def test_an_export_holds_every_row_and_is_noted_itself(clinic, patient):
    await clinic.web.get("/api/v1/patients", headers=BEARER)

    found = await exported(clinic)

    (listed,) = [row for row in found if row["action"] == "list"]
    assert (listed["name"], listed["who"], listed["ids"], listed["records"]) == (
        "operator", "bearer", str(patient["id"]), "1",
    )  # fmt: skip
    assert [row["position"] for row in found] == [str(at) for at in range(1, len(found) + 1)]
    assert (await noted(clinic))[-1][0] == "export"


async def test_the_page_leads_to_what_a_row_is_about_and_counts_only_what_was_counted(clinic, patient):
    page = f"/records/drchrono/patient/{patient['id']}"
    await clinic.web.get(page, headers=BEARER)
    await clinic.web.post("/api/v1/queues/compare/pause", headers=BEARER)

    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        found = await browser.open("/audit")

    assert (found.links[f"patient {patient['id']}"], found.links["Reconciliation"]) == (page, "/queues")
    assert '<td data-label="Records" class="number"></td>' in found.response.text


async def test_an_operator_downloads_it_from_its_page_which_is_noted_and_a_stranger_does_not(clinic, patient):
    await clinic.web.get("/api/v1/patients", headers=BEARER)

    answer = await clinic.web.get("/audit.csv", headers=BEARER)

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert [row["action"] for row in rows][-2:] == ["list", "export"]
    assert (await clinic.web.get("/audit.csv")).status_code == 303


@pytest.mark.parametrize("reason", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"], ids=repr)
async def test_no_cell_of_an_export_is_a_formula(clinic, reason):
    await record(clinic.runtime.database, Act(By("operator", "bearer", "anna"), Action.PAUSE, "live", 0, reason))

    assert [row["reason"] for row in await exported(clinic) if row["action"] == "pause"] == [f"'{reason}"]


async def test_an_export_is_of_the_time_that_was_asked_for(clinic):
    await record(clinic.runtime.database, Act(By("operator", "bearer", "anna"), Action.PAUSE, "live"))
    now = datetime.now(UTC)

    assert await exported(clinic, until=datetime(2020, 1, 1, tzinfo=UTC)) == []
    assert await exported(clinic, since=datetime(2020, 1, 1, tzinfo=UTC), until=now.replace(year=now.year + 1)) != []


async def verdict(clinic, anchor=None):
    out = io.StringIO()
    code = await print_verdict(clinic.runtime.settings, Console(file=out, soft_wrap=True), anchor)
    return code, out.getvalue()


async def test_verifying_says_that_it_is_whole_and_how_an_end_cut_off_would_show(clinic):
    await clinic.web.get("/api/v1/patients", headers=BEARER)
    code, said = await verdict(clinic)
    anchor = next(line for line in said.splitlines() if line.startswith("anchor: ")).removeprefix("anchor: ")

    assert (code, said.split(":")[0]) == (0, "whole")
    assert (await verdict(clinic, anchor))[0] == 0
    assert (await verdict(clinic, "yesterday"))[0] == 2


async def test_verifying_names_the_first_row_that_was_changed_and_fails(clinic):
    for _ in range(3):
        await clinic.web.get("/api/v1/patients", headers=BEARER)
    (head,) = await clinic.rows(audit_head)
    last = head.position
    lie = sa.update(audit).where(audit.c.position == last - 1).values(name="somebody else")
    await clinic.runtime.database.transact(lambda connection: connection.execute(lie))

    code, said = await verdict(clinic)

    assert code == 1
    assert said.startswith(f"broken: row {last - 1} (")
