"""What needs attention is settled in a real browser: fixed and retried, dismissed, a value chosen, a rule undone."""

from playwright.sync_api import expect

from tests.browser.people import PEOPLE
from tests.browser.scene import edit_both, enter_second_contact, enter_twins, refuse, untold
from tests.harness.demo.people import name_of


def both(here, patient_id, field, theirs):
    contact = next(one for one in here.contacts() if one["DrChrono_Patient_Id__c"] == str(patient_id))
    return here.patients()[str(patient_id)][field], contact[theirs]


def failing(here, page, ids, code):
    """Some patients whose e-mail Salesforce refuses until that is fixed, and the page that lists them."""
    refuse(here, ids, code, "email", "Email", "new@example.com")
    here.wait_until(here.is_quiet, "the edits to be refused")
    page.goto(f"/attention?cause={code}")
    expect(page.locator("section.cause").get_by_role("heading")).to_contain_text(f"{len(ids)} patient")


def test_what_is_fixed_is_retried_and_its_row_changes_by_itself(here, operator):
    failing(here, operator, here.ids[2:4], "INVALID_EMAIL_ADDRESS")
    here.salesforce.delete("/_control/record-faults").raise_for_status()
    row = operator.locator("tbody tr", has_text=name_of(PEOPLE[2]))

    row.get_by_role("button", name="Retry").click()

    expect(operator.get_by_role("status").filter(has_text="Retrying 1 record")).to_be_focused()
    expect(row).to_contain_text("Synced")
    expect(row.get_by_role("button", name="Retry")).to_have_count(0)
    operator.get_by_role("button", name="Retry all").click()
    expect(operator.locator("main")).to_contain_text("Retrying")
    here.wait_until(here.is_quiet, "the other one to be retried")
    operator.reload()
    expect(operator.locator("main")).to_contain_text("Nothing matches that filter")
    assert [both(here, one, "email", "Email") for one in here.ids[2:4]] == [("new@example.com",) * 2] * 2


def test_one_is_dismissed_with_a_reason_found_there_exported_and_restored(here, operator):
    failing(here, operator, here.ids[4:5], "STRING_TOO_LONG")
    operator.locator("tbody").get_by_role("button", name="Dismiss").click()
    operator.get_by_label("Dismiss, because").fill("the address is wrong on purpose")
    operator.get_by_role("button", name="Dismiss 1 record").click()
    expect(operator.locator("main")).to_contain_text("Nothing matches that filter")

    operator.get_by_role("link", name="Show dismissed").click()
    row = operator.locator("tbody tr", has_text=name_of(PEOPLE[4]))
    expect(row).to_contain_text("the address is wrong on purpose")
    with operator.expect_download() as download:
        operator.get_by_role("link", name="Download as CSV").click()
    here.salesforce.delete("/_control/record-faults").raise_for_status()
    row.get_by_role("button", name="Restore").click()

    assert f",{here.ids[4]}," in download.value.path().read_text()
    expect(operator.get_by_role("status").first).to_contain_text("Restored 1 record")
    here.wait_until(lambda: both(here, here.ids[4], "email", "Email") == ("new@example.com",) * 2, "it to be retried")
    here.wait_until(here.is_quiet, "it to be recorded")


def test_by_the_keyboard_alone_the_value_to_keep_is_chosen_and_counts(here, operator):
    patient_id = here.ids[9]
    edit_both(here, patient_id, {"email": "left@example.com"}, {"Email": "right@example.com"})
    operator.goto(f"/records/drchrono/patient/{patient_id}")
    operator.locator("main").get_by_role("link", name="Review").press("Enter")
    operator.get_by_role("button", name="Compare").press("Enter")
    expect(operator.locator("fieldset")).to_contain_text("left@example.com")
    expect(operator.locator("fieldset")).to_contain_text("right@example.com")

    operator.get_by_role("radio", name="Decide later").press("ArrowDown")
    expect(operator.get_by_role("radio", name="Keep DrChrono's")).to_be_checked()
    operator.get_by_role("button", name="Save decision").press("Enter")

    expect(operator.get_by_role("status").first).to_contain_text("Your decision is saved")
    here.wait_until(
        lambda: both(here, patient_id, "email", "Email") == ("left@example.com",) * 2, "both systems to hold the value"
    )
    here.wait_until(here.is_quiet, "it to be recorded")
    operator.get_by_role("link", name="The record").click()
    expect(operator.locator("#status")).to_contain_text("Synced")


def test_a_rule_is_undone_and_the_old_value_is_back_on_both_sides(here, operator):
    patient_id = here.ids[5]
    edit_both(here, patient_id, {"address": "1 Desk Street"}, {"MailingStreet": "2 Crm Street"})
    here.wait_until(
        lambda: both(here, patient_id, "address", "MailingStreet") == ("2 Crm Street",) * 2, "the rule to have decided"
    )
    operator.goto("/attention")
    operator.locator("main a[href='/conflicts']").click()
    operator.locator("tbody tr", has_text="Address").get_by_role("link", name="Review").click()
    operator.get_by_role("button", name="Show values").click()
    expect(operator.locator("dl")).to_contain_text("1 Desk Street")

    operator.get_by_role("button", name="Restore DrChrono's value").click()

    here.wait_until(
        lambda: both(here, patient_id, "address", "MailingStreet") == ("1 Desk Street",) * 2, "the old value to be back"
    )
    expect(operator.locator("#undo")).to_contain_text("restored in both systems")
    operator.goto("/audit?action=undo")
    expect(operator.locator("tbody tr").first).to_contain_text(f"patient {patient_id}, address")


def test_one_of_several_contacts_is_picked_and_nobody_is_made_twice(here, operator):
    with untold(here):
        enter_twins(here, "Double")
    here.wait_until(here.is_quiet, "them to be looked at")
    (chart,) = [key for key, one in here.patients().items() if one["first_name"] == "Double"]
    before = len(here.contacts()), len(here.patients())
    operator.goto(f"/records/drchrono/patient/{chart}")
    operator.locator("main").get_by_role("link", name="Review").click()
    operator.get_by_role("button", name="Find matches").click()
    expect(operator.locator("article").first).to_contain_text("Double")
    picked = operator.get_by_role("button", name="Link to this Contact").first
    record_id = picked.inner_text().rpartition(" ")[2]
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
    operator.locator("main").get_by_role("link", name="Review").click()
    operator.get_by_role("button", name="Find matches").click()
    expect(operator.locator("article", has_text=first["Id"])).to_contain_text("Elsewhere")
    operator.get_by_role("button", name="Merge into this Contact").click()
    name = name_of(PEOPLE[15])
    expect(operator.get_by_role("heading", level=1)).to_have_text(f"Merge {name} into {name}?")
    expect(operator.locator("tbody tr", has_text="City").locator("td").last).to_have_text("Springfield")
    operator.get_by_role("button", name="Merge the two Contacts").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text(name)
    expect(operator.get_by_role("status").first).to_contain_text("is merged into this one")

    here.wait_until(lambda: second not in [one["Id"] for one in here.contacts()], "the two to be one")
    here.wait_until(here.is_quiet, "it to be recorded")
    assert both(here, patient_id, "city", "MailingCity") == ("Springfield",) * 2
    assert len(here.patients()) == charts
    operator.goto("/audit?action=merge")
    expect(operator.locator("tbody tr").first).to_contain_text(f"patient {second}, into {first['Id']}")


def is_held(page, contact):
    page.goto(f"/records/salesforce/patient/{contact}")
    return page.locator("main").get_by_role("link", name="Review").is_visible()
