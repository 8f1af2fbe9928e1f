"""Whom a person looks for, what they see of them, and where none of it stays, in a real browser."""

from playwright.sync_api import expect

from tests.browser.people import PEOPLE
from tests.harness.demo.people import name_of

# letter by letter, with no time between them: a busy machine takes as long for a key as a person who rests
AT_ONCE = """(box, words) => { for (const letter of words) {
    box.value += letter
    box.dispatchEvent(new InputEvent("input", {bubbles: true}))
} }"""


def test_a_patient_is_searched_while_typing_and_the_address_says_nothing(here, operator):
    person = PEOPLE[0]
    operator.goto("/patients")
    operator.evaluate("window.isTheSamePage = true")

    operator.locator("#words").press_sequentially(person["last_name"])

    expect(operator.locator("#found caption")).to_have_text("Possible matches, by last name")
    expect(operator.locator("#found tbody")).to_contain_text(name_of(person))
    assert operator.evaluate("window.isTheSamePage")
    assert operator.url.endswith("/patients")
    kept = operator.evaluate("JSON.stringify([history.state, {...localStorage}, {...sessionStorage}])")
    assert person["last_name"] not in kept
    asked = operator.evaluate("performance.getEntriesByType('resource').map(one => one.name).join()")
    assert person["last_name"] not in asked


def test_a_search_waits_until_the_typing_rests(here, operator):
    posted = []
    operator.on("request", lambda one: posted.append(one.url) if one.method == "POST" else None)
    operator.goto("/patients")

    operator.locator("#words").evaluate(AT_ONCE, PEOPLE[1]["last_name"])

    expect(operator.locator("#found caption")).to_have_text("Possible matches, by last name")
    assert len(posted) == 1


def test_a_found_patients_history_is_opened_and_both_sides_are_read_and_revealed(here, operator):
    person = PEOPLE[0]
    operator.goto("/patients")
    operator.locator("#words").fill(str(here.ids[0]))
    operator.get_by_role("link", name=name_of(person)).click()

    expect(operator.locator("#history")).to_contain_text("PATIENT_CREATE")
    expect(operator.get_by_role("heading", level=1)).to_have_text(name_of(person))
    operator.get_by_role("button", name="Compare").click()
    expect(operator.locator("#both tbody").first).to_contain_text("•••")
    expect(operator.locator("#both")).not_to_contain_text(person["address"])
    operator.get_by_role("button", name="Show values").click()
    expect(operator.locator("#both")).to_contain_text(person["address"])
    assert operator.evaluate("document.activeElement.closest('#both') !== null")
    operator.goto("/audit?action=reveal")
    expect(operator.locator("tbody tr").first).to_contain_text(f"patient {here.ids[0]}")


def test_going_back_shows_no_value_again(here, operator):
    operator.goto(f"/records/drchrono/patient/{here.ids[0]}")
    operator.get_by_role("button", name="Show values").click()
    expect(operator.locator("#both")).to_contain_text(PEOPLE[0]["address"])
    operator.goto("/queues")

    operator.go_back()

    expect(operator.locator("#both")).to_contain_text("No value is stored here")
    expect(operator.locator("#both")).not_to_contain_text(PEOPLE[0]["address"])


def test_without_javascript_a_search_and_a_look_at_both_sides_work_as_well(here, opened):
    page = opened(here.operator_token, java_script_enabled=False)
    page.goto("/patients")
    page.locator("#words").fill(PEOPLE[0]["last_name"])
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=name_of(PEOPLE[0])).click()
    page.get_by_role("button", name="Compare").click()

    assert page.locator("#both").text_content().count("•••") > 0
    assert page.url.endswith(f"/records/drchrono/patient/{here.ids[0]}")


def test_a_viewer_sees_masked_values_alone(here, viewer):
    viewer.goto(f"/records/drchrono/patient/{here.ids[0]}")
    viewer.get_by_role("button", name="Compare").click()

    expect(viewer.locator("#both tbody").first).to_contain_text("•••")
    assert viewer.get_by_role("button", name="Show values").count() == 0
