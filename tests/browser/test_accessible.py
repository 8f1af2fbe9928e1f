"""axe-core finds nothing serious on any page, wide in light and on a phone in dark; every page fits its screen."""

import pytest
from axe_playwright_python.sync_playwright import Axe

PAGES = (
    "/", "/patients", "/appointments", "/attention",
    "/conflicts", "/queues", "/mapping", "/deliveries", "/connections", "/notices", "/audit",
)  # fmt: skip
PHONE = {"width": 360, "height": 740}
BAD = {"serious", "critical"}


def broken(page):
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found if one["impact"] in BAD]


def must_hold(page):
    """Fail unless the page, seen wide in light and on a phone in dark, breaks no rule and fits."""
    wide = broken(page)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)

    assert (wide, broken(page)) == ([], [])
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_breaks_no_rule_of_accessibility_and_fits_a_phone(operator, path):
    operator.goto(path)

    must_hold(operator)


def test_the_page_to_sign_in_breaks_none_either(opened):
    page = opened()
    page.goto("/login")

    assert broken(page) == []


def test_a_record_with_its_values_breaks_none_and_fits_a_phone(here, operator):
    operator.goto(f"/records/drchrono/patient/{here.ids[0]}")
    operator.get_by_role("button", name="Show values").click()
    operator.get_by_text("is noted in the audit").wait_for()

    must_hold(operator)


@pytest.mark.parametrize("cause", ["held", "several_contacts", "chart_of_another_contact"])
def test_what_a_person_decides_breaks_none_and_fits_a_phone(operator, cause):
    operator.goto(f"/attention?cause={cause}")
    operator.locator("tbody").get_by_role("link", name="Review").first.click()
    operator.locator("main form[action$='/compare'] button").click()
    operator.locator("fieldset, article").first.wait_for()

    must_hold(operator)


def test_the_question_before_a_merge_breaks_none_and_fits_a_phone(operator):
    operator.goto("/attention?cause=chart_of_another_contact")
    operator.locator("tbody").get_by_role("link", name="Review").first.click()
    operator.get_by_role("button", name="Find matches").click()
    operator.get_by_role("button", name="Merge into this Contact").click()
    operator.get_by_text("This cannot be undone here.").wait_for()

    must_hold(operator)


def test_a_conflict_with_its_values_breaks_none_and_fits_a_phone(operator):
    operator.goto("/conflicts?field=city")
    operator.locator("tbody tr td:last-child a").first.click()
    operator.get_by_role("button", name="Show values").click()
    operator.get_by_text("is noted in the audit").wait_for()

    must_hold(operator)


def test_a_deliverys_page_breaks_none(operator):
    operator.goto("/deliveries?side=drchrono&kind=patient")
    operator.locator("tbody tr td:last-child a").first.click()
    operator.get_by_role("button", name="Reveal").wait_for()

    must_hold(operator)


def test_a_page_that_asks_whether_one_is_sure_breaks_none(operator):
    operator.goto("/attention")
    operator.locator("tbody").get_by_role("button", name="Dismiss").first.click()
    operator.get_by_label("Dismiss, because").wait_for()

    must_hold(operator)


def test_the_page_after_a_consent_breaks_none(operator):
    operator.goto("/connections")
    operator.get_by_role("link", name="Reconnect").click()
    operator.get_by_role("button", name="Allow").click()
    operator.get_by_role("heading", name="Connected as").wait_for()

    must_hold(operator)


def test_a_page_that_says_no_breaks_none(operator):
    operator.goto("/records/drchrono/patient/nobody")

    must_hold(operator)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_read_without_javascript_too(here, opened, path):
    page = opened(here.operator_token, java_script_enabled=False)
    page.goto(path)

    assert page.locator("main").inner_text().strip() != ""


def test_the_keyboard_reaches_the_page_behind_the_navigation(operator):
    operator.goto("/queues")
    operator.keyboard.press("Tab")
    operator.keyboard.press("Enter")
    operator.keyboard.press("Tab")

    assert operator.evaluate("document.activeElement.id") == "reason-live"
