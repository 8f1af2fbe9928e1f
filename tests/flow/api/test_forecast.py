"""What the vendors let us call, what waits for it and when it is done: in the API, metrics and at the terminal."""

import io
import json
import re
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from rich.console import Console

from app.cli.queue import print_queue
from app.settings import env_file
from app.store.rate_ledger import RateLedger
from app.store.tables import links
from app.sync.model import Lane
from tests.build import HASH_KEY, KEY
from tests.flow.clinic import OPERATOR

BEARER = {"Authorization": f"Bearer {OPERATOR}"}


async def queue(clinic):
    return (await clinic.web.get("/api/v1/queue", headers=BEARER)).json()


async def drchrono(clinic):
    return (await queue(clinic))["forecast"]["drchrono"]


async def metrics(clinic):
    """The numbers by name and labels."""
    text = (await clinic.web.get("/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^(chronobridge_\S+) (\S+)$", text, re.MULTILINE)}


async def printed(clinic, **how):
    out = io.StringIO()
    await print_queue(clinic.runtime.settings, Console(file=out, width=100, soft_wrap=how["as_json"]), **how)
    return out.getvalue()


@pytest.fixture
async def edited(clinic):
    """Two patients were edited in Salesforce, and nothing has been written to DrChrono yet."""
    patients = [await clinic.has_linked(first_name=name) for name in ("Ada", "Bea")]
    for contact in clinic.contacts():
        clinic.human_edits_contact(contact["Id"], Email="new@example.com")
    assert await clinic.hears() == 200
    return patients


async def test_nobody_waits_while_nothing_is_due(clinic):
    found = await drchrono(clinic)

    assert (sum(found["waiting"].values()), found["caught_up_at"], found["paused_until"]) == (0, None, None)
    assert found["says"].startswith("DrChrono: nothing waiting, ")


async def test_edits_on_their_way_to_drchrono_wait_for_its_calls_and_it_is_said_until_when(clinic, edited):
    before = datetime.now().astimezone()

    found = await drchrono(clinic)

    assert found["waiting"] == {"live": 2, "retry": 0, "confirm": 0, "compare": 0, "backfill": 0}
    assert (
        before - timedelta(seconds=2) <= datetime.fromisoformat(found["caught_up_at"]) < before + timedelta(minutes=1)
    )
    assert re.fullmatch(
        r"DrChrono: 2 edits waiting, [\d,]+ calls left this hour, caught up by \d\d:\d\d UTC.*", found["says"]
    )


async def test_what_goes_to_salesforce_alone_waits_for_no_call_of_drchronos(clinic):
    await clinic.delivers(await clinic.registers(first_name="Ada"))

    assert sum((await drchrono(clinic))["waiting"].values()) == 0


async def test_calls_are_told_by_lane_and_those_left_are_what_remains_of_the_hour(clinic):
    application = RateLedger(clinic.runtime.database, clinic.runtime.settings.drchrono_client_id)
    before = await drchrono(clinic)

    await application.count(Lane.COMPARE, lambda ledger: ((int(ledger.at // 3600),), 1, 0.0))
    after = await drchrono(clinic)

    assert after["calls_made"]["compare"] == before["calls_made"]["compare"] + 1
    assert after["calls_left"] == after["calls_per_hour"] - sum(after["calls_made"].values())
    assert datetime.fromisoformat(after["resets_at"]) > datetime.now().astimezone()


async def test_a_drchrono_that_wants_to_be_left_alone_is_said_to_be_and_until_when(clinic, edited):
    await clinic.runtime.drchrono.grant.budget.answered(429, 2295.0)

    found = await drchrono(clinic)

    until = datetime.fromisoformat(found["paused_until"]) - datetime.now().astimezone()
    assert timedelta(seconds=2285) < until <= timedelta(seconds=2296)
    assert found["caught_up_at"] >= found["paused_until"]
    assert "left alone until" in found["says"]


async def test_salesforces_day_is_told_once_it_has_been_heard_of(clinic):
    clinic.app.state.runtime.salesforce.budget._remember_s = 0.0
    await clinic.runtime.salesforce.budget.asked(1234, 100_000)

    after = (await queue(clinic))["forecast"]["salesforce"]

    assert after["share"] == 0.5
    assert (after["calls_used"], after["calls_per_day"], after["paused_until"]) == (1234, 100_000, None)
    assert after["says"] == "Salesforce: 1,234 of the day's 100,000 calls used, from 50,000 on live edits only"


async def test_the_numbers_are_in_the_metrics(clinic, edited):
    clinic.app.state.runtime.salesforce.budget._remember_s = 0.0
    await clinic.runtime.salesforce.budget.asked(1234, 100_000)
    await clinic.runtime.drchrono.user()

    found = await metrics(clinic)

    assert found['chronobridge_calls_left{side="salesforce"}'] == 100_000 - 1234
    assert 0 < found['chronobridge_calls_left{side="drchrono"}'] <= 100_000
    assert found['chronobridge_waiting_for_drchrono{lane="live"}'] == 2
    assert found['chronobridge_drchrono_calls_this_hour{lane="live"}'] > 0
    assert found['chronobridge_calls_paused_seconds{side="drchrono"}'] == 0
    assert 0 < found["chronobridge_drchrono_caught_up_seconds"] < 60


async def test_a_terminal_shows_what_waits_which_lane_is_paused_and_the_forecast(clinic, edited):
    await clinic.web.post("/api/v1/lanes/compare/pause", headers=BEARER)

    lines = (await printed(clinic, as_json=False)).splitlines()

    assert lines[0].split() == ["kind", "direction", "queue", "pending", "oldest"]
    assert lines[1].split()[:5] == ["patient", "to", "DrChrono", "live", "2"]
    assert re.fullmatch(r"0 failed, 0 need review, \d+ writes a minute", lines[2])
    assert lines[3] == "queue compare is paused: paused by an operator"
    assert lines[4].startswith("DrChrono: 2 edits waiting, ")
    assert lines[5].startswith("Salesforce: ")


async def test_a_terminal_says_that_nothing_waits(clinic):
    assert (await printed(clinic, as_json=False)).startswith("nothing is pending; 0 failed, 0 need review, ")


async def test_a_script_gets_what_the_api_says(clinic, edited):
    found = json.loads(await printed(clinic, as_json=True))

    assert found.keys() == (await queue(clinic)).keys()
    assert found["forecast"]["drchrono"]["waiting"]["live"] == 2


async def test_without_a_side_there_is_nothing_to_forecast_of_it(clinic):
    known = env_file.load(
        _env_file=None,
        database_url=clinic.runtime.database.url.render_as_string(hide_password=False),
        public_url="https://sync.example.com",
        encryption_keys=KEY,
        hash_keys=HASH_KEY,
        operator_token=OPERATOR,
    )
    out = io.StringIO()

    await print_queue(known, Console(file=out, soft_wrap=True), as_json=True)

    assert json.loads(out.getvalue())["forecast"] == {"drchrono": None, "salesforce": None, "documents": None}


@pytest.mark.parametrize("cause", ["hour_is_spent", "seconds_are_full", "HTTP_429"])
async def test_a_record_that_had_no_call_left_waits_for_one(clinic, cause):
    patient = await clinic.has_linked()
    await clinic.delivers(await clinic.edits(patient, city="Newtown"))

    async def refused(connection):
        await connection.execute(sa.update(links).values(last_error=cause, lane=Lane.RETRY.value))

    await clinic.runtime.database.transact(refused)

    assert (await drchrono(clinic))["waiting"]["retry"] == 1
