"""Whatever cuts a first contact off, the test patient is as it was found, or it is said that it is not."""

import asyncio
import io
import json

import pytest
import typer
from rich.console import Console

from app.cli.first_contact import TerminalOperator, run_first_contact
from app.operations.first_contact.context import Waits
from app.operations.first_contact.run import Wanted
from app.runtime import open_runtime
from tests.flow.checked import changed
from tests.flow.first_contact.person import tried, verdicts

PHONE = "(555) 010-0199"
LONG = Waits(delivery_s=30.0, look_s=0.02, list_s=(0.0, 0.0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "first-contact.json"


async def test_a_run_that_is_interrupted_puts_the_patient_back(clinic, path):
    patient = await clinic.has_linked(home_phone=PHONE)
    working = asyncio.create_task(tried(clinic, path, "patient_edit", patient=patient, waits=LONG))
    while clinic.chart(patient)["home_phone"] == PHONE:  # noqa: ASYNC110 - the stand-in runs on a thread of its own
        await asyncio.sleep(0.02)
    touched = json.loads(path.read_text())["altered"]

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert touched == ["DrChrono, test patient: home_phone"]
    assert clinic.chart(patient)["home_phone"] == PHONE
    assert json.loads(path.read_text())["altered"] == []


async def test_a_write_that_is_under_way_at_the_interruption_is_put_back_after_it(clinic, path):
    patient = await clinic.has_linked(home_phone=PHONE)
    was = clinic.contact()["HomePhone"]
    clinic.salesforce.delete("/_control/calls")
    clinic.breaks("salesforce", "PATCH /services/data/v67.0/composite", "slow", delay_s=0.5)
    working = asyncio.create_task(tried(clinic, path, "contact_edit", patient=patient, waits=LONG))
    while not clinic.calls("salesforce", "PATCH "):  # noqa: ASYNC110 - the stand-in runs on a thread of its own
        await asyncio.sleep(0.02)

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await asyncio.sleep(0.6)  # a thread cannot be cancelled: what it sends lands

    assert clinic.contact()["HomePhone"] == was
    assert json.loads(path.read_text())["altered"] == []


async def test_what_cannot_be_put_back_is_said_at_once_and_at_every_run_after(clinic, known, path):
    patient = await clinic.has_linked(home_phone=PHONE)
    clinic.breaks("drchrono", "PATCH /api/patients", "slow", delay_s=0)
    clinic.breaks("drchrono", "PATCH /api/patients", "error", status=400, body={"home_phone": ["no"]})

    report, person = await tried(clinic, path, "patient_edit", patient=patient)
    screen = io.StringIO()
    again = TerminalOperator(Console(file=screen, soft_wrap=True), frozenset(), is_there=False)
    code = await run_first_contact(known, path, again, Wanted())

    assert [
        line for line in person.lines if line.startswith("NOT PUT BACK for certain: DrChrono, test patient: home_phone")
    ]
    assert report.altered
    assert code == 1
    assert "NOT PUT BACK for certain by a run before" in screen.getvalue()
    assert "Not put back for certain" in path.with_suffix(".md").read_text()


async def test_a_write_without_an_answer_is_not_called_put_back(clinic, path):
    patient = await clinic.has_linked(home_phone=PHONE)
    clinic.breaks("drchrono", "PATCH /api/patients", "drop_after_commit")

    report, _ = await tried(clinic, path, "patient_edit", patient=patient)

    assert clinic.chart(patient)["home_phone"] == PHONE
    assert report.altered == ["DrChrono, test patient: home_phone"], "it may land late"


async def test_a_prompt_that_is_interrupted_ends_the_run_and_leaves_its_report(clinic, known, path, monkeypatch):
    await tried(clinic, path)
    screen = io.StringIO()
    operator = TerminalOperator(Console(file=screen, soft_wrap=True), frozenset(), is_there=True)

    def interrupted(*_, **__):
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", interrupted)
    code = await run_first_contact(known, path, operator, Wanted())

    assert code == 1
    assert "Stopped; run it again to go on." in screen.getvalue()
    assert "| as assumed |" in path.with_suffix(".md").read_text()


def api_calls(clinic):
    return sum(clinic.drchrono.get("/_control/calls").json()["counts"].values())


async def test_a_tenth_of_the_hour_is_not_exceeded_and_the_next_run_goes_on(clinic, known, path):
    few = changed(known, drchrono_calls_per_hour=30)
    async with open_runtime(few) as runtime:
        clinic.runtime = runtime
        report, person = await tried(clinic, path)
        first = api_calls(clinic)
        again, _ = await tried(clinic, path)

    assert not person.is_whole
    assert verdicts(report)["user_redirect"] == "as assumed"
    assert first <= 3
    assert api_calls(clinic) == first
    assert verdicts(report)["version"] == "as assumed", "the other side has calls of its own"
    assert verdicts(again)["user_redirect"] == "as assumed"
