"""The demo's page of both vendors' own screens: an edit on one side is seen on the other."""

from playwright.sync_api import expect

from tests.harness.demo.screens import beside_each_other


def test_an_edit_on_one_side_shows_on_the_other_both_ways(here, opened):
    page = opened()
    with beside_each_other(here, here.ids[:14]) as address:
        page.goto(address)
        left, right = page.frame_locator("iframe[title=DrChrono]"), page.frame_locator("iframe[title=Salesforce]")

        left.locator("tr", has_text="Nora").get_by_role("link", name="edit").click()
        left.get_by_label("City").fill("Capital City")
        left.get_by_role("button", name="Save").click()
        expect(right.locator("tr", has_text="Nora")).to_contain_text("Capital City")

        right.locator("tr", has_text="Milo").get_by_role("link", name="edit").click()
        right.get_by_label("Email").fill("milo.new@example.com")
        right.get_by_role("button", name="Save").click()
        expect(left.locator("tr", has_text="Milo")).to_contain_text("milo.new@example.com")
