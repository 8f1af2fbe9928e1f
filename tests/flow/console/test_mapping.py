"""The page of the mapping: beside each field what the org last said of it, and what does not fit, in words."""

import json

import sqlalchemy as sa

from app.cli import mapping
from app.operations.selfcheck import check_everything
from app.store.clock import db_now
from app.store.tables import failures
from app.sync.mappings import file
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR
from tests.store.build import change

BEARER = {"authorization": f"Bearer {OPERATOR}"}


async def asked(clinic):
    answer = await clinic.web.get("/api/v1/mapping", headers=BEARER)
    return {one["kind"]: one for one in answer.json()["kinds"]}


async def test_what_the_org_said_against_a_field_is_told_by_the_page_as_by_the_api(clinic):
    before = (await asked(clinic))["patient"]
    clinic.salesforce.patch("/_control/objects/Contact/fields/Email", json={"length": 40}).raise_for_status()
    async for _ in check_everything(clinic.runtime):
        pass

    patient = (await asked(clinic))["patient"]
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open("/mapping")

    assert not before["described"]
    assert patient["described"]
    assert len(patient["fields"]) == len(file.load()["patient"].rows)
    (email,) = [one for one in patient["fields"] if one["field"] == "email"]
    assert email["types"] == {"drchrono": "text", "salesforce": "email, 40 characters"}
    says = "Contact.Email takes 40 characters, the mapping lets 80 pass; a longer value is left out"
    assert [(one["red"], one["says"]) for one in email["problems"]] == [(True, says)]
    assert says in page.text


async def test_what_came_of_a_field_in_the_last_week_is_counted_and_leads_to_its_records(clinic):
    patient = await clinic.has_linked(email="first@example.com", cell_phone="555-010-0100")
    await clinic.both_edit(patient, {"email": "desk@example.com"}, {"Email": "crm@example.com"})
    await clinic.settles()
    refused = {"link_id": (await clinic.link(patient)).id, "side": "salesforce", "kind": "patient", "at": db_now()}
    row = {**refused, "cause": "too_long", "fields": "Email,MailingCity", "is_held": False}
    await change(clinic.runtime.database, sa.insert(failures).values(row))

    lately = {one["field"]: one["last_week"] for one in (await asked(clinic))["patient"]["fields"]}
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open("/mapping")

    assert lately["cell_phone"] == {"writes": {"drchrono": 0, "salesforce": 1}, "refusals": [], "conflicts": 0}
    assert lately["email"]["conflicts"] == 1
    assert lately["email"]["writes"]["drchrono"] == 1
    assert lately["email"]["refusals"] == [{"side": "salesforce", "field": "Email", "count": 1}]
    assert lately["city"]["refusals"] == [{"side": "salesforce", "field": "MailingCity", "count": 1}]
    assert page.links["1 refused"] == "/attention?kind=patient&side=salesforce&field=MailingCity"  # of two the last
    assert page.links["1 conflict"] == "/conflicts?kind=patient&field=email"


async def test_the_command_shows_what_the_org_last_said_while_it_does_not_answer(clinic, capsys):
    async for _ in check_everything(clinic.runtime):
        pass
    capsys.readouterr()
    away = clinic.runtime.settings.model_copy(update={"salesforce_login_url": "https://127.0.0.1:9"})

    gave = await mapping._show(away, as_json=True)

    out = capsys.readouterr().out
    said = json.loads(out[out.index("{\n") :])
    assert (gave, said["ok"]) == (0, True)
    assert said["not_asked"].endswith("what it last said is shown")
    assert all(kind["described"] for kind in said["kinds"])


async def test_the_command_asks_nobody_for_a_copy_of_the_database(clinic, capsys):
    copy = clinic.runtime.settings.model_copy(update={"public_url": "https://copy.example.com"})
    clinic.salesforce.delete("/_control/calls")

    await mapping._show(copy, as_json=True)

    assert "opened first under another PUBLIC_URL" in capsys.readouterr().out
    assert clinic.calls("salesforce", "GET") == 0
