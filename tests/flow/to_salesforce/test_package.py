"""The first day at an org that has nothing of ours: deployed, checked, previewed, loaded, and an edit on each side."""

import asyncio
from io import StringIO

import httpx
import pytest
from rich.console import Console

from app.cli.backfill import run_backfill
from app.cli.deploy import DeployRequest, deploy_package
from app.cli.dry_run import print_dry_run
from app.operations.deploy import Patience
from app.runtime import open_runtime
from app.sync.mappings import file
from app.vendors.drchrono import client
from app.vendors.salesforce.metadata.source import source_files
from tests.contract.salesforce.test_deploy import ADMIN, seen, serving, somebody_signs_in, the
from tests.flow.checked import found, reds, served
from tests.flow.clinic import DOCTOR, Clinic, settings_of
from tests.flow.patience import EVENTS
from tests.standins.drchrono.app import create_app
from tests.standins.salesforce import oauth_device
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.serve import running

ADA = {"first_name": "Ada", "last_name": "Test", "date_of_birth": "1990-02-03", "email": "old@example.com"}


@pytest.fixture
def first_day(database, tmp_path, monkeypatch):
    """A service between a practice and an org without anything of ours; gives its settings and both vendors."""
    monkeypatch.setattr(oauth_device, "INTERVAL_S", 0.01)
    monkeypatch.setattr(client, "BULK_WAITS_S", (0.0,) * 5)
    with (
        running(create_app()) as practice,
        httpx.Client(base_url=practice, timeout=30) as drchrono,
        serving(tmp_path, Catalog()) as org,
        served(settings_of(database, practice, org.url, org.ca_file), salesforce_event_tokens=EVENTS) as known,
    ):
        the(org, deploy_looks=0)
        yield known, drchrono, org


def a_terminal():
    return Console(file=StringIO(), width=200)


async def deploys(known, org):
    request = DeployRequest(user=ADMIN, patience=Patience(looks_s=(0.0,)))
    signing_in = asyncio.create_task(somebody_signs_in(org))
    code = await deploy_package(known, source_files(file.load()), a_terminal(), request)
    await signing_in
    return code


async def test_from_an_empty_org_to_an_edit_on_each_side_by_the_commands_alone(first_day):
    known, drchrono, org = first_day
    drchrono.post("/_control/patients?silent=true", json={**ADA, "doctor": int(DOCTOR)}).raise_for_status()
    async with open_runtime(known) as runtime, httpx.AsyncClient(base_url=known.public_url) as web:
        clinic = Clinic(runtime, web, drchrono, org.control)
        await clinic.connects()
        before = reds(await found(known))
        code = await deploys(known, org)
        after = reds(await found(known))

        terminal = a_terminal()
        await print_dry_run(known, terminal, None, since_ever=True)
        none_yet = clinic.contacts()
        await run_backfill(known, a_terminal(), None, since_ever=True)
        await clinic.settles()
        loaded = clinic.contact()
        (chart,) = clinic.charts()
        await clinic.arrives(await clinic.edits(chart, city="Testville"))
        clinic.human_edits_contact(Email="new@example.com")
        await seen(lambda: org.control.get("/_control/outbound").json()["delivered"])
        await clinic.settles()

    assert {"mapping: patient", "mapping: appointment"} <= before.keys()
    assert (code, after) == (0, {})
    assert none_yet == []
    assert "nothing was written at a vendor" in terminal.file.getvalue()
    assert (loaded["FirstName"], loaded["DrChrono_Patient_Id__c"]) == ("Ada", str(chart["id"]))
    assert clinic.contact()["MailingCity"] == "Testville"
    assert clinic.chart(chart)["email"] == "new@example.com"
