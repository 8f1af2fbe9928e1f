"""Both sides changed one field: the rule decides, both values are kept, and it is told without telling them."""

from app.ports import SealedColumn
from app.store.tables import conflicts
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}


async def both_edit(clinic):
    patient = await clinic.has_linked(email="old@example.com", city="Testville")
    edited = await clinic.edits(patient, email="desk@example.com", city="Deskville")
    clinic.human_edits_contact(Email="crm@example.com", MobilePhone="555-010-7777")
    await clinic.delivers(edited)
    await clinic.hears()
    await clinic.settles()
    return patient


async def test_a_conflict_says_its_rule_and_keeps_both_values(clinic):
    patient = await both_edit(clinic)

    answer = (await clinic.web.get("/api/v1/conflicts", headers=BEARER)).json()
    (item,) = answer["items"]
    assert (item["field"], item["kind"], item["rule"]) == ("email", "patient", "salesforce owns it")
    assert (item["winner"], item["state"], item["drchrono_id"]) == ("salesforce", "confirmed", str(patient["id"]))
    (row,) = await clinic.rows(conflicts)
    kept = clinic.runtime.vault.open(row.kept, SealedColumn.CONFLICT_KEPT.of(row.id))
    assert kept == {"drchrono": "desk@example.com", "salesforce": "crm@example.com"}
    assert "example.com" not in str(answer)


async def test_disjoint_edits_beside_a_conflict_both_survive(clinic):
    patient = await both_edit(clinic)

    chart, contact = clinic.chart(patient), clinic.contact()
    assert (chart["email"], contact["Email"]) == ("crm@example.com", "crm@example.com")
    assert (chart["city"], contact["MailingCity"]) == ("Deskville", "Deskville")
    assert (chart["cell_phone"], contact["MobilePhone"]) == ("555-010-7777", "555-010-7777")


async def test_who_may_read_is_asked_before_anything_is_told(clinic):
    assert (await clinic.web.get("/api/v1/conflicts")).status_code == 401
    assert (await clinic.web.get("/api/v1/conflicts?limit=0", headers=BEARER)).status_code == 422
