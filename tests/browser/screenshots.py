"""`make screenshots`: the pages of the console as the demo ends, into deploy/docs/images/."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.scene import MARIA, set_up_as_the_demo_ends, settings
from tests.browser.seen import BROWSER, People
from tests.harness.cluster import ROOT, town
from tests.harness.demo.people import DOZEN
from tests.harness.demo.screens import beside_each_other
from tests.harness.demo.work import DOCUMENTS_OF, enter_twins

IMAGES = ROOT / "deploy" / "docs" / "images"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
PAGES = {
    "overview": "/",
    "patients": "/patients",
    "appointments": "/appointments",
    "attention": "/attention",
    "conflicts": "/conflicts",
    "queues": "/queues",
    "deliveries": "/deliveries",
    "connections": "/connections",
    "audit": "/audit",
    "help": "/help",
}
LONGEST = 1200  # of a picture, in pixels
DECIDED = {"held": "review", "several_contacts": "review-matches", "chart_of_another_contact": "review-merge"}


def main():
    """Start a clinic, let things happen in it, and picture every page: light, and some dark and on a phone."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        town(Path(folder), settings(Path(folder)), service=False) as here,
        sync_playwright() as driver,
    ):
        people = People()
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        _first_load(here, browser, people)
        charts = set_up_as_the_demo_ends(here)
        for looks, screen, names in (
            ("light", WIDE, list(PAGES)),
            ("dark", WIDE, ["overview"]),
            ("light", PHONE, ["overview", "attention"]),
        ):
            how = {"base_url": here.given["PUBLIC_URL"], "viewport": screen, "color_scheme": looks}
            context = people.context(browser, MARIA, **how)
            page = context.new_page()
            for name in names:
                page.goto(PAGES[name])
                page.wait_for_load_state("load")
                suffix = "-dark" if looks == "dark" else "-phone" if screen is PHONE else ""
                _picture(page, f"{name}{suffix}")
            if screen is WIDE and looks == "light":
                _found(page)
                _record(page, charts["Omar Olsen"])
                _documents(page, here, charts[DOCUMENTS_OF])
                for cause, name in DECIDED.items():
                    _decided(page, cause, name)
                _merge(page)
                _conflict(page)
                _delivery(page)
                _sure(page)
                _checked(page)
                _mapping(page, here)
                _sign_in(browser.new_context(base_url=here.given["PUBLIC_URL"], viewport=WIDE).new_page())
            context.close()
        page = browser.new_context(viewport={"width": 1280, "height": 460}).new_page()
        with beside_each_other(here, [charts[name] for name in DOZEN]) as address:
            page.goto(address)
            page.frame_locator("iframe[title=Salesforce]").locator("tr").first.wait_for()
            page.screenshot(path=IMAGES / "both-sides.png")
        browser.close()


def _first_load(here, browser, people):
    """Picture what the first page says of a clinic that was there long before it is connected."""
    enter_twins(here, "Before")
    for name in ("Ada", "Ben", "Cleo"):
        who = {"first_name": name, "last_name": "Early", "date_of_birth": "1980-01-01", "gender": "Female"}
        here.drchrono.post("/_control/patients?silent=true", json=who).raise_for_status()
    here.enters_record("Contact", FirstName="Ada", LastName="Early", Birthdate="1980-01-01")
    here.start_connected()
    context = people.context(browser, MARIA, base_url=here.given["PUBLIC_URL"], viewport=WIDE)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Preview", exact=True).click()
    page.locator("dt", has_text="Counted").nth(2).wait_for()  # of documents, too
    _picture(page, "first-load")
    page.get_by_role("button", name="Start the initial sync of patients").click()
    _picture(page, "first-load-sure")
    page.context.close()


def _found(page):
    """Picture whom a search finds."""
    page.goto("/patients")
    page.get_by_label("Find a patient").fill("Olsen, Omar")
    page.get_by_text("Possible matches").wait_for()
    _picture(page, "patients-found")


def _record(page, patient_id):
    """Picture a record with both sides read, its values masked."""
    page.goto(f"/records/drchrono/patient/{patient_id}")
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("•••").first.wait_for()
    _picture(page, "record")


def _documents(page, here, patient_id):
    """Picture a patient's documents: one that was refused, and one that has traveled."""
    filed = {"patient": patient_id, "description": "X-ray, left hand", "date": "2026-11-03", "name": "x-ray.png"}
    made = {"metatags": '["Share with CRM"]', "made": {"kind": "png", "size": 300_000, "seed": 7}}
    here.drchrono.post("/_control/documents", json={**filed, **made}).raise_for_status()
    here.web.post(f"/api/v1/records/drchrono/patient/{patient_id}/recheck").raise_for_status()
    here.wait_until(lambda: here.records("ContentVersion"), "the picture")
    here.wait_until(here.is_quiet, "the picture to settle")
    page.goto(f"/records/drchrono/patient/{patient_id}")
    page.locator("#documents").screenshot(path=IMAGES / "documents.png")


def _decided(page, cause, name):
    """Picture what a person decides, with the values, which are invented."""
    page.goto(f"/attention?cause={cause}")
    page.locator("tbody").get_by_role("link", name="Review").first.click()
    page.locator("main form[action$='/compare'] button").click()
    page.locator("fieldset, article").first.wait_for()
    _picture(page, name)


def _merge(page):
    """Picture the question before two Contacts are merged."""
    page.get_by_role("button", name="Merge into this Contact").click()
    page.get_by_role("button", name="Merge the two Contacts").wait_for()
    _picture(page, "merge")


def _conflict(page):
    """Picture a conflict that can be undone, with both values, which are invented."""
    page.goto("/conflicts")
    page.locator("tbody").get_by_role("link", name="Review").first.click()
    page.get_by_role("button", name="Show values").click()
    page.get_by_text("is noted in the audit").wait_for()
    _picture(page, "conflict")


def _delivery(page):
    """Picture what was delivered, masked."""
    page.goto("/deliveries?side=drchrono&kind=patient")
    page.locator("tbody tr td:last-child a").first.click()
    page.get_by_role("button", name="Reveal").wait_for()
    _picture(page, "delivery")


def _sure(page):
    """Picture the question before failures are dismissed, with the number first."""
    page.goto("/attention")
    page.locator("tbody").get_by_role("button", name="Dismiss").first.click()
    page.get_by_label("Dismiss, because").wait_for()
    _picture(page, "dismiss")


def _checked(page):
    """Picture what a check found."""
    page.goto("/check")
    page.get_by_role("button", name="Check now").click()
    page.get_by_text("; ended").wait_for()
    _picture(page, "check")


def _mapping(page, here):
    """Picture the mapping where a field of the org's is too short, as far down as the first screens."""
    email = "/_control/objects/Contact/fields/Email"
    here.salesforce.patch(email, json={"length": 40}).raise_for_status()
    page.goto("/connections")
    page.locator("form[action='/connections/salesforce/test'] button").click()
    page.wait_for_load_state("load")
    page.goto("/mapping")
    page.get_by_text("takes 40 characters").wait_for()
    page.set_viewport_size({"width": 1280, "height": 1300})
    page.screenshot(path=IMAGES / "mapping.png")
    page.set_viewport_size(WIDE)
    here.salesforce.patch(email, json={"length": 80}).raise_for_status()


def _sign_in(page):
    page.goto("/login")
    _picture(page, "sign-in")


def _picture(page, name):
    height = min(page.evaluate("document.documentElement.scrollHeight"), LONGEST)
    whole = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": max(height, page.viewport_size["height"])}
    page.screenshot(path=IMAGES / f"{name}.png", full_page=True, clip=whole)
    print(f"deploy/docs/images/{name}.png")


if __name__ == "__main__":
    main()
