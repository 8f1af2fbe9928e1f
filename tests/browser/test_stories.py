"""From the demo's end: what the front desk's guide tells, done by somebody who only reads what is on the pages.

Each story is told at a desk's screen and on a phone; each page on the way fits the screen.
"""

import base64
import csv
import io

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import browsers
from tests.browser.scene import MARIA, set_up_as_the_demo_ends
from tests.browser.seen import People
from tests.harness.cluster import town
from tests.harness.demo.screens import beside_each_other
from tests.harness.demo.work import DOCUMENTS_OF, contact_of, settings

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WIDER = """addEventListener("load", () => {
    if (document.documentElement.scrollWidth > innerWidth) console.error(`too wide: ${location.pathname}`)
})"""


@pytest.fixture(scope="module", params=[WIDE, PHONE], ids=["wide", "phone"])
def screen(request):
    """Give the size of what the stories are told on."""
    return request.param


@pytest.fixture(scope="module")
def clinic(screen, tmp_path_factory):  # one for each screen: what is settled on one is settled
    """The clinic as the demo leaves it, without the crowd."""
    folder = tmp_path_factory.mktemp("clinic")
    with town(folder, settings(folder, {"maria": MARIA})) as it:
        it.charts, it.people = set_up_as_the_demo_ends(it), People()
        yield it


@pytest.fixture
def page(clinic, chromium, screen):
    """Give the first page as Maria sees it on that screen; each page she comes to fits it."""
    with browsers(clinic, chromium, clinic.people) as open_:
        clinic.wait_until(clinic.is_quiet, "the story before to settle")  # names are read after edits are written
        page = open_(MARIA, viewport=screen)
        page.add_init_script(WIDER)
        page.goto("/")
        yield page


def opens(page, name):
    """Follow a link of the menu."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()


def row_of(page, name):
    return page.locator("tbody tr", has_text=name)


def holds(clinic, name, field, theirs):
    return clinic.patients()[str(clinic.charts[name])][field], contact_of(clinic, clinic.charts[name])[theirs]


def test_a_patient_is_found_by_name_and_the_page_says_why_he_waits(page):
    opens(page, "Patients")
    page.get_by_label("Find a patient").fill("Olsen, Omar")
    page.get_by_role("link", name="Omar Olsen").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Omar Olsen")
    expect(page.locator("main")).to_contain_text("born 6/15/1974")
    expect(page.locator("main")).to_contain_text("A validation rule in Salesforce")
    page.get_by_role("button", name="What Salesforce said").click()
    expect(page.locator("main")).to_contain_text("A mobile phone needs its area code")


def test_the_failing_records_are_taken_along_as_a_file(clinic, page):
    opens(page, "Needs attention")
    page.get_by_role("link", name="Failed").click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download as CSV").click()

    rows = list(csv.DictReader(io.StringIO(taken.value.path().read_text())))
    contact = contact_of(clinic, clinic.charts["Hana Hale"])["Id"]
    assert [row for row in rows if contact in row.values()]
    assert not [row for row in rows if "Hale" in str(row)]


def test_what_was_in_the_way_is_mended_and_the_records_are_retried(clinic, page):
    with beside_each_other(clinic, list(clinic.charts.values())) as address:
        screens = page.context.new_page()
        screens.goto(address)
        salesforce = screens.frame_locator("iframe[title=Salesforce]")
        salesforce.get_by_role("button", name="Switch off").click()
        expect(salesforce.get_by_role("button", name="Switch on")).to_be_visible()
    opens(page, "Needs attention")
    page.get_by_role("link", name="Failed").click()
    page.locator("section", has_text="validation rule").get_by_role("button", name="Retry all").click()

    expect(page.get_by_role("status")).to_contain_text("Retrying 4 records")
    expect(row_of(page, "Omar Olsen")).to_contain_text("Synced")
    assert holds(clinic, "Omar Olsen", "cell_phone", "MobilePhone") == ("010-0140", "010-0140")


def test_a_document_that_was_refused_is_mended_in_the_chart_and_travels(clinic, page):
    opens(page, "Patients")
    page.get_by_label("Find a patient").fill("Abel, Ada")
    page.get_by_role("link", name=DOCUMENTS_OF).click()
    fax = page.locator("#documents tbody tr", has_text="Fax")
    expect(fax).to_contain_text("The file of this document is of a type that does not travel.")

    (filed,) = clinic.drchrono.get("/_control/documents").json()["documents"]
    mended = {"name": "fax.pdf", "file": base64.b64encode(b"%PDF-1.7\nthe fax, scanned\n%%EOF\n").decode()}
    clinic.drchrono.patch(f"/_control/documents/{filed['id']}", json=mended).raise_for_status()
    fax.get_by_role("button", name="Retry").click()

    expect(fax).to_contain_text("Synced")
    (file,) = clinic.records("ContentVersion")
    assert file["FirstPublishLocationId"] == contact_of(clinic, clinic.charts[DOCUMENTS_OF])["Id"]


def test_a_conflict_is_settled_by_the_keyboard_alone(clinic, page):

    def go_to(control):
        for _ in range(80):
            page.keyboard.press("Tab")
            if control.evaluate("it => it === document.activeElement"):
                return
        raise AssertionError("the keyboard does not reach it")

    go_to(page.get_by_role("link", name="Needs attention").first)
    page.keyboard.press("Enter")
    go_to(page.get_by_role("link", name="Needs review"))
    page.keyboard.press("Enter")
    go_to(row_of(page, "Kai Keats").get_by_role("link", name="Review"))
    page.keyboard.press("Enter")
    go_to(page.get_by_role("button", name="Compare"))
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("kai@desk.example.com")
    go_to(page.get_by_role("radio", name="Decide later"))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    go_to(page.get_by_role("button", name="Save decision"))
    page.keyboard.press("Enter")

    clinic.wait_until(
        lambda: holds(clinic, "Kai Keats", "email", "Email") == ("kai@desk.example.com",) * 2, "the e-mail"
    )


def test_the_right_one_of_two_twins_is_linked(clinic, page):
    before = len(clinic.contacts()), len(clinic.patients())
    opens(page, "Needs attention")
    row_of(page, "Tina Example").get_by_role("link", name="Review").click()
    page.get_by_role("button", name="Find matches").click()
    expect(page.get_by_role("button", name="Link to this Contact")).to_have_count(2)
    page.get_by_role("button", name="Link to this Contact").first.click()

    def is_linked():
        twins = [one for one in clinic.contacts() if one["FirstName"] == "Tina"]
        return len([one for one in twins if one["DrChrono_Patient_Id__c"]]) == 1

    clinic.wait_until(is_linked, "the twin to be linked")
    assert (len(clinic.contacts()), len(clinic.patients())) == before


def test_a_double_is_merged_after_a_preview(clinic, page):
    stays = contact_of(clinic, clinic.charts["Ivo Irving"])
    opens(page, "Needs attention")
    row_of(page, "Ivo Irving").get_by_role("link", name="Review").click()
    page.get_by_role("button", name="Find matches").click()
    page.get_by_role("button", name="Merge into this Contact").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Merge Ivo Irving into Ivo Irving?")
    expect(page.get_by_role("alert")).to_contain_text("cannot be undone")
    page.get_by_role("button", name="Merge the two Contacts").click()

    clinic.wait_until(lambda: len([1 for one in clinic.contacts() if one["FirstName"] == "Ivo"]) == 1, "the merge")
    assert contact_of(clinic, clinic.charts["Ivo Irving"]) == stays | {
        name: contact_of(clinic, clinic.charts["Ivo Irving"])[name]
        for name in stays
        if name.startswith(("Last", "System"))
    }


def test_one_is_dismissed_with_a_reason_and_the_record_says_who_did_it(clinic, page):
    opens(page, "Needs attention")
    row_of(page, "Grove").get_by_role("button", name="Dismiss").click()
    page.get_by_label("Dismiss, because").fill("The clinic knows the name.")
    page.get_by_role("button", name="Dismiss 1 record").click()

    expect(page.get_by_role("status")).to_contain_text("Dismissed 1 record")
    page.get_by_role("link", name="Dismissed").first.click()
    expect(row_of(page, "Grove")).to_contain_text("The clinic knows the name.")
    page.get_by_role("link", name="Grove").first.click()
    history = page.locator("section", has=page.get_by_role("heading", name="History"))
    expect(history).to_contain_text("maria")
    expect(history).to_contain_text("ismissed")


def test_what_a_rule_decided_is_undone(clinic, page):
    opens(page, "Needs attention")
    page.get_by_role("link", name="Conflicts that a rule has resolved").click()
    row_of(page, "Address").get_by_role("link", name="Review").click()
    page.get_by_role("button", name="Show values").click()
    expect(page.locator("main")).to_contain_text("1 Desk Street")
    page.get_by_role("button", name="Restore DrChrono's value").click()

    clinic.wait_until(
        lambda: holds(clinic, "Pia Plum", "address", "MailingStreet") == ("1 Desk Street",) * 2, "the old value"
    )
    expect(page.locator("main")).to_contain_text("restored in both systems")


def test_the_mapping_is_read(page):
    opens(page, "Mapping")

    expect(row_of(page, "cell_phone").first).to_contain_text("MobilePhone")
    expect(row_of(page, "cell_phone").first).to_contain_text("Salesforce")
    expect(row_of(page, "email").first).to_contain_text("needs review")


def test_who_did_what_is_found_out(page):
    opens(page, "Appointments")
    opens(page, "Audit")

    expect(row_of(page, "maria").first).to_contain_text("appointments")


def test_staff_sign_in_with_drchrono_and_are_found_in_the_audit_by_name(clinic, chromium, page):
    with browsers(clinic, chromium, clinic.people) as open_:
        theirs = open_(viewport=page.viewport_size)
        theirs.add_init_script(WIDER)
        theirs.goto("/queues")
        theirs.get_by_role("link", name="Sign in with DrChrono").click()
        theirs.get_by_label("Or be somebody else").select_option("fixture.staff")
        theirs.get_by_role("button", name="Allow").click()
        expect(theirs.locator("body")).to_contain_text("signed in as fixture.staff (DrChrono 610002), operator")
        theirs.locator("#reason-backfill").fill("a drill")
        theirs.locator("form[action='/queues/backfill/pause'] button").click()
        expect(theirs.get_by_text("a drill")).to_be_visible()
        theirs.get_by_role("button", name="Resume", exact=True).click()
        expect(theirs.get_by_text("a drill")).to_have_count(0)
    opens(page, "Audit")

    paused = row_of(page, "fixture.staff (DrChrono 610002)").filter(has_text="a drill")
    expect(paused.first).to_contain_text("Initial sync")


def test_help_is_one_click_away(page):
    page.get_by_role("link", name="Help").click()

    expect(page.get_by_role("heading", name="Fix it, and retry")).to_be_visible()
