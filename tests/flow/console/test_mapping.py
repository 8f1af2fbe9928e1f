"""The page of the mapping: beside each field what the org last said of it, and what does not fit, in words."""

from app.operations.selfcheck import check_everything
from app.sync.mappings import file
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR

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
