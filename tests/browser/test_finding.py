"""What a person looks for is found as they say it, wherever they are, and nothing they type is taken from them."""

from playwright.sync_api import expect

PHONE = {"width": 390, "height": 740}


def test_a_patient_is_found_as_people_say_them_and_the_search_is_there_on_the_way_back(operator):
    operator.goto("/patients")
    operator.get_by_label("Find a patient").press_sequentially("Olsen, Omar")
    expect(operator.locator("#found tbody th")).to_have_text(["Omar Olsen"] * 2)  # he was entered twice
    operator.get_by_role("link", name="Omar Olsen").first.click()
    expect(operator.get_by_role("heading", level=1)).to_have_text("Omar Olsen")

    operator.go_back()

    expect(operator.get_by_label("Find a patient")).to_have_value("Olsen, Omar")
    expect(operator.locator("#found tbody th")).to_have_text(["Omar Olsen"] * 2)
    assert "lsen" not in operator.url


def test_what_is_typed_on_queues_stays_while_the_numbers_are_read_again(here, opened):
    operator = opened(here.operator_token, window="whose clock is turned")
    operator.clock.install()
    operator.goto("/queues")
    reason = operator.locator("#reason-live")
    reason.press_sequentially("Salesforce is being")

    with operator.expect_response(lambda answer: answer.url.endswith("/queues")) as read_again:
        operator.clock.fast_forward(11_000)
    read_again.value.finished()
    operator.clock.run_for(1_000)
    reason.press_sequentially(" upgraded")

    expect(reason).to_have_value("Salesforce is being upgraded")
    expect(reason).to_be_focused()


def test_a_pasted_id_is_opened_from_any_page_of_a_phone(here, operator):
    operator.set_viewport_size(PHONE)
    operator.goto("/audit")
    operator.keyboard.press("/")
    operator.keyboard.insert_text(f"patient {here.ids[0]}")
    operator.keyboard.press("Enter")

    expect(operator).to_have_url(f"{here.given['PUBLIC_URL']}/records/drchrono/patient/{here.ids[0]}")
    assert operator.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
