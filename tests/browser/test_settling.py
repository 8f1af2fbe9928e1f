"""What waits for a person is settled in a real browser: a cause mended, a value picked, a rule undone."""

from playwright.sync_api import expect

from tests.browser.scene import edit_both, enter_second_contact, enter_twins, refuse, untold


def both(here, patient_id, field, theirs):
    contact = next(one for one in here.contacts() if one["DrChrono_Patient_Id__c"] == str(patient_id))
    return here.patients()[str(patient_id)][field], contact[theirs]


def test_a_cause_is_mended_and_what_failed_of_it_is_tried_again(here, operator):
    failing = here.ids[2:4]
    refuse(here, failing, "INVALID_EMAIL_ADDRESS", "email", "Email", "new@example.com")
    here.wait_until(here.is_quiet, "the edits to be refused")
    operator.goto("/failures?cause=INVALID_EMAIL_ADDRESS")
    cause = operator.locator("section.cause")
    expect(cause.get_by_role("heading")).to_contain_text("2 patients")

    here.salesforce.delete("/_control/record-faults").raise_for_status()
    cause.get_by_role("button", name="Try all 2 again").click()
    expect(operator.locator("main")).to_contain_text("2")
    operator.locator("main form[action='/failures/retry'] button").click()

    here.wait_until(here.is_quiet, "them to be tried")
    operator.goto("/failures?cause=INVALID_EMAIL_ADDRESS")
    expect(operator.locator("main")).to_contain_text("Nothing that failed matches")
    assert [both(here, one, "email", "Email") for one in failing] == [("new@example.com",) * 2] * 2


def test_a_held_field_is_seen_on_both_sides_and_the_picked_value_counts(here, operator):
    patient_id = here.ids[9]
    edit_both(here, patient_id, {"email": "left@example.com"}, {"Email": "right@example.com"})
    operator.goto(f"/records/drchrono/patient/{patient_id}")
    operator.get_by_role("link", name="See what it waits for").click()
    operator.get_by_role("button", name="Read both sides now").click()
    expect(operator.locator("tbody")).to_contain_text("•••")
    operator.get_by_role("button", name="Show the values").click()
    expect(operator.locator("tbody")).to_contain_text("left@example.com")
    expect(operator.locator("tbody")).to_contain_text("right@example.com")

    operator.get_by_label("Whose email counts").select_option("DrChrono's")
    operator.get_by_role("button", name="Let these count").click()

    here.wait_until(
        lambda: both(here, patient_id, "email", "Email") == ("left@example.com",) * 2, "both sides to hold the value"
    )
    here.wait_until(here.is_quiet, "it to be recorded")
    operator.reload()
    expect(operator.get_by_role("heading", level=1)).to_contain_text("not held")


def test_a_rule_is_undone_and_the_old_value_is_back_on_both_sides(here, operator):
    patient_id = here.ids[5]
    edit_both(here, patient_id, {"address": "1 Desk Street"}, {"MailingStreet": "2 Crm Street"})
    assert both(here, patient_id, "address", "MailingStreet") == ("2 Crm Street",) * 2
    operator.goto("/held")
    operator.locator("main a[href='/conflicts']").click()
    operator.locator("tbody tr", has_text="address").get_by_role("link", name="Look at it").click()
    operator.get_by_role("button", name="Show the values").click()
    expect(operator.locator("dl")).to_contain_text("1 Desk Street")

    operator.get_by_role("button", name="Put DrChrono's value back").click()

    here.wait_until(
        lambda: both(here, patient_id, "address", "MailingStreet") == ("1 Desk Street",) * 2, "the old value to be back"
    )
    here.wait_until(here.is_quiet, "it to be recorded")
    operator.goto("/conflicts?undo=done")
    expect(operator.locator("tbody")).to_contain_text("address")
    operator.goto("/audit?action=undo")
    expect(operator.locator("tbody tr").first).to_contain_text(f"patient {patient_id}, address")


def test_one_of_several_contacts_is_picked_and_nobody_is_made_twice(here, operator):
    with untold(here):
        enter_twins(here, "Double")
    here.wait_until(here.is_quiet, "them to be looked at")
    (chart,) = [key for key, one in here.patients().items() if one["first_name"] == "Double"]
    before = len(here.contacts()), len(here.patients())
    operator.goto(f"/records/drchrono/patient/{chart}")
    operator.get_by_role("link", name="See what it waits for").click()
    operator.get_by_role("button", name="Show the values").click()
    expect(operator.locator("tbody")).to_contain_text("Double")
    picked = operator.get_by_role("button", name="This one").first
    record_id = picked.inner_text().rpartition(": ")[2]
    picked.click()

    here.wait_until(here.is_quiet, "the word to be carried out")
    linked = {one["Id"]: one["DrChrono_Patient_Id__c"] for one in here.contacts() if one["FirstName"] == "Double"}
    assert [id_ for id_, key in linked.items() if key == chart] == [record_id]
    assert (len(here.contacts()), len(here.patients())) == before


def test_a_second_contact_is_merged_into_the_one_its_chart_has(here, operator):
    patient_id = here.ids[15]
    (first,) = [one for one in here.contacts() if one["DrChrono_Patient_Id__c"] == str(patient_id)]
    second = enter_second_contact(here, patient_id, MailingCity="Elsewhere")
    here.wait_until(lambda: is_held(operator, second), "it to be held")
    charts = len(here.patients())
    operator.goto(f"/records/salesforce/patient/{second}")
    operator.get_by_role("link", name="See what it waits for").click()
    operator.get_by_role("button", name="Show the values").click()
    expect(operator.locator("tbody")).to_contain_text("Elsewhere")
    operator.get_by_role("button", name="Merge into this one").click()

    here.wait_until(lambda: second not in [one["Id"] for one in here.contacts()], "the two to be one")
    here.wait_until(here.is_quiet, "it to be recorded")
    assert both(here, patient_id, "city", "MailingCity") == ("Springfield",) * 2
    assert len(here.patients()) == charts
    operator.goto("/audit?action=merge")
    expect(operator.locator("tbody tr").first).to_contain_text(f"patient {second}, into {first['Id']}")


def is_held(page, contact):
    page.goto(f"/records/salesforce/patient/{contact}")
    return page.get_by_role("link", name="See what it waits for").is_visible()
