"""axe-core finds nothing serious on any page, in light and in dark, wide and on a phone; every page fits its screen."""

import pytest
from axe_playwright_python.sync_playwright import Axe

PAGES = (
    "/", "/patients", "/appointments", "/failures", "/held",
    "/conflicts", "/lanes", "/deliveries", "/connections", "/audit",
)  # fmt: skip
BAD = {"serious", "critical"}


def broken(page):
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found if one["impact"] in BAD]


@pytest.mark.parametrize("looks", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_breaks_no_rule_of_accessibility(here, opened, path, looks):
    page = opened(here.operator_token, color_scheme=looks)
    page.goto(path)

    assert broken(page) == []


def test_the_page_to_sign_in_breaks_none_either(opened):
    page = opened()
    page.goto("/login")

    assert broken(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_on_a_phone_nothing_hangs_over_the_edge(here, opened, path):
    page = opened(here.operator_token, viewport={"width": 360, "height": 740})
    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert broken(page) == []


@pytest.mark.parametrize("looks", ["light", "dark"])
def test_a_record_with_its_values_breaks_none_and_fits_a_phone(here, opened, looks):
    page = opened(here.operator_token, color_scheme=looks, viewport={"width": 360, "height": 740})
    page.goto(f"/records/drchrono/patient/{here.ids[0]}")
    page.get_by_role("button", name="Show the values").click()
    page.get_by_text("is noted in the audit").wait_for()

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert broken(page) == []


@pytest.mark.parametrize("looks", ["light", "dark"])
@pytest.mark.parametrize("cause", ["held", "several_contacts"])
def test_what_a_person_decides_breaks_none_and_fits_a_phone(here, opened, looks, cause):
    page = opened(here.operator_token, color_scheme=looks, viewport={"width": 360, "height": 740})
    page.goto(f"/held?cause={cause}")
    page.get_by_role("link", name="Look at it").first.click()
    page.get_by_role("button", name="Show the values").click()
    page.get_by_role("table").wait_for()

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert broken(page) == []


@pytest.mark.parametrize("looks", ["light", "dark"])
def test_a_conflict_with_its_values_breaks_none_and_fits_a_phone(here, opened, looks):
    page = opened(here.operator_token, color_scheme=looks, viewport={"width": 360, "height": 740})
    page.goto("/conflicts?field=city")
    page.locator("tbody tr td:last-child a").first.click()
    page.get_by_role("button", name="Show the values").click()
    page.get_by_text("is noted in the audit").wait_for()

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert broken(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_read_without_javascript_too(here, opened, path):
    page = opened(here.operator_token, java_script_enabled=False)
    page.goto(path)

    assert page.locator("main").inner_text().strip() != ""


def test_the_keyboard_reaches_the_page_behind_the_navigation(operator):
    operator.goto("/lanes")
    operator.keyboard.press("Tab")
    operator.keyboard.press("Enter")
    operator.keyboard.press("Tab")

    assert operator.evaluate("document.activeElement.id") == "reason-live"
