"""What the org is like is asked when a worker starts and once a day; what a field does not take is left out."""

from datetime import timedelta

import pytest

from app.runtime import open_runtime
from app.sync.model import Kind
from tests.flow.checked import found, line
from tests.flow.patience import ages
from workers.vendor_limits import OrgWatch

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
DESCRIBE = "GET /services/data/v67.0/sobjects/Contact/describe"


def admin_changes(clinic, name, **change):
    clinic.salesforce.patch(f"/_control/objects/Contact/fields/{name}", json=change).raise_for_status()


def length_of_a_city(runtime):
    return runtime.mappings[Kind.PATIENT].rows["city"].options.limits.length


async def test_what_a_field_does_not_take_is_left_out_and_the_rest_travels_at_the_first_try(clinic):
    admin_changes(clinic, "MailingCity", length=10)
    admin_changes(clinic, "DrChrono_Status__c", kind="picklist", options=["A", "I"])
    await OrgWatch(clinic.runtime).look()
    clinic.salesforce.delete("/_control/calls")
    who = {"first_name": "Ada", "last_name": "Test", "city": "Longer Than That", "patient_status": "D"}

    await clinic.arrives(await clinic.registers(**who), event="PATIENT_CREATE")

    made = clinic.contact()
    assert (made["LastName"], made["MailingCity"], made["DrChrono_Status__c"]) == ("Test", None, None)
    assert clinic.calls("salesforce", "PATCH") == 1
    assert await clinic.failures() == [("salesforce", "too_long", "MailingCity")], (
        "of several a failure names the first"
    )


async def test_a_field_that_is_never_empty_stays_and_what_else_was_edited_travels(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    admin_changes(clinic, "Email", required=True)
    await OrgWatch(clinic.runtime).look()

    await clinic.arrives(await clinic.edits(patient, email="", city="Testville"))

    assert (clinic.contact()["Email"], clinic.contact()["MailingCity"]) == ("old@example.com", "Testville")
    assert await clinic.failures() == [("salesforce", "required_by_salesforce", "Email")]


async def test_the_org_is_asked_when_a_worker_starts_and_once_a_day_by_one_for_all(clinic, known):
    first, second = OrgWatch(clinic.runtime), OrgWatch(clinic.runtime)
    asked = []
    for worker in (first, second, first, second):
        await worker.look()
        asked.append(clinic.calls("salesforce", DESCRIBE))
    await ages(clinic, timedelta(minutes=11))
    await OrgWatch(clinic.runtime).look()  # a worker that starts
    await first.look()
    asked.append(clinic.calls("salesforce", DESCRIBE))
    await ages(clinic, timedelta(days=1))
    await second.look()
    await first.look()
    asked.append(clinic.calls("salesforce", DESCRIBE))

    assert asked == [1, 1, 1, 1, 2, 3]


async def test_what_the_check_was_told_is_what_the_workers_go_by(clinic, known):
    worker = OrgWatch(clinic.runtime)
    await worker.look()
    admin_changes(clinic, "MailingCity", length=12)
    await found(known)

    await worker.look()

    async with open_runtime(known) as another:
        assert [length_of_a_city(one) for one in (clinic.runtime, another)] == [12, 12]


async def test_an_org_that_cannot_be_asked_changes_nothing_and_is_asked_again(clinic):
    admin_changes(clinic, "MailingCity", length=12)
    worker = OrgWatch(clinic.runtime)
    await worker.look()
    admin_changes(clinic, "MailingCity", length=14)
    await ages(clinic, timedelta(days=1))
    clinic.breaks("salesforce", DESCRIBE, "error", status=503, next=1)

    await worker.look()
    away = length_of_a_city(clinic.runtime)
    await ages(clinic, timedelta(minutes=11))
    await worker.look()

    assert (away, length_of_a_city(clinic.runtime)) == (12, 14)


async def test_the_check_says_where_the_org_is_and_which_duplicate_rules_may_refuse_a_record(clinic, known):
    quiet = [one.name for one in await found(known)]
    for kind, is_active in (("Contact", True), ("Contact", False), ("Lead", True)):
        rule = {"DeveloperName": f"Like_{kind}", "SobjectType": kind, "IsActive": is_active}
        clinic.salesforce.post("/_control/records/DuplicateRule", json=rule).raise_for_status()

    findings = await found(known)

    assert "salesforce duplicate rules" not in quiet
    assert "active (Contact: Like_Contact)" in line(findings, "salesforce duplicate rules").says
    assert "America/New_York" in line(findings, "salesforce organization").says
