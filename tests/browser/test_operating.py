"""What a person does at the console, in a real browser, against real processes."""

from playwright.sync_api import expect


def applied_today(page):
    return int(page.locator(".flow.right strong").inner_text().replace(",", ""))


def lives_in(here, city):
    return any(contact["MailingCity"] == city for contact in here.contacts())


def test_an_edit_is_watched_as_it_travels_without_a_reload(here, operator):
    operator.goto("/")
    before = applied_today(operator)
    operator.evaluate("window.isTheSamePage = true")

    here.drchrono.patch(f"/_control/patients/{here.ids[0]}", json={"city": "Shelbyville"})

    operator.wait_for_function(
        "before => Number(document.querySelector('.flow.right strong').textContent.replace(',', '')) > before",
        arg=before,
    )
    assert operator.evaluate("window.isTheSamePage")
    here.wait_until(lambda: lives_in(here, "Shelbyville"), "the edit to arrive")


def test_a_lane_is_paused_with_a_reason_and_resumed(here, operator):
    operator.goto("/queues")
    operator.locator("#reason-live").fill("a drill")
    operator.locator("form[action='/queues/live/pause'] button").click()
    expect(operator.get_by_text("a drill")).to_be_visible()

    here.drchrono.patch(f"/_control/patients/{here.ids[1]}", json={"city": "Ogdenville"})
    operator.goto("/")
    expect(operator.locator(".headline")).to_contain_text("Paused: Live")
    operator.goto("/queues")
    operator.get_by_role("button", name="Resume", exact=True).click()
    operator.goto("/")

    expect(operator.locator(".headline")).not_to_contain_text("Paused")
    here.wait_until(lambda: lives_in(here, "Ogdenville"), "the edit to arrive")
    here.wait_until(here.is_quiet, "it to be recorded")


def test_a_viewer_reads_and_may_not_act(viewer):
    for path in ("/", "/queues", "/deliveries", "/connections", "/audit"):
        viewer.goto(path)
        assert viewer.locator("main form[method=post]").count() == 0, path

    assert viewer.request.post("/queues/live/pause", form={"reason": "because"}).status == 403


def test_the_practice_is_connected_by_consent(here, operator):
    operator.goto("/connections")
    operator.get_by_role("link", name="Reconnect").click()
    operator.get_by_role("button", name="Allow").click()

    expect(operator.get_by_role("heading", level=1)).to_contain_text("Connected as")
    operator.goto("/audit?action=connect")
    expect(operator.locator("tbody tr").first).to_contain_text("drchrono")


def test_both_sides_are_tried_out(operator):
    for side in ("drchrono", "salesforce"):
        operator.goto("/connections")
        operator.locator(f"form[action='/connections/{side}/test'] button").click()
        expect(operator.get_by_text(f"{side} token")).to_be_visible()


def test_a_delivery_is_inspected_revealed_and_run_again(here, operator):
    operator.goto("/deliveries?side=drchrono&kind=patient")
    operator.locator("tbody tr td:last-child a").first.click()
    expect(operator.locator("tbody")).to_contain_text("•••")
    operator.get_by_role("button", name="Reveal").click()
    expect(operator.locator("tbody")).not_to_contain_text("•••")
    operator.get_by_role("button", name="Replay").click()

    expect(operator.locator("main")).to_contain_text("1 replayed")
    here.wait_until(here.is_quiet, "it to be looked at")


def test_whoever_sits_idle_is_asked_to_sign_in_again(here, operator):
    operator.goto("/")
    operator.context.clear_cookies()

    expect(operator).to_have_url(f"{here.given['PUBLIC_URL']}/login?next=/")
    expect(operator.get_by_label("Secret")).to_be_visible()


def test_a_range_is_chosen_by_keyboard_and_its_charts_tell_a_pointer_and_a_reader_the_same(here, operator):
    here.wait_until(here.is_quiet, "nothing to be counted meanwhile")
    operator.set_viewport_size({"width": 390, "height": 844})
    operator.goto("/")
    operator.get_by_role("link", name="7 days").focus()
    operator.keyboard.press("Enter")
    expect(operator.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")

    titles = operator.locator(".chart").first.locator("g:has(rect.first, rect.second) title").all_text_contents()
    operator.get_by_text("Show the figures").focus()
    operator.keyboard.press("Enter")
    figures = operator.get_by_role("region", name="Figures").locator("td[data-label='From DrChrono']").all_inner_texts()

    told = [int(title.split("From DrChrono: ")[1].split("\n")[0].replace(",", "")) for title in titles]
    assert sum(told) == sum(int(figure.replace(",", "")) for figure in figures) > 0
    assert operator.evaluate("document.documentElement.scrollWidth") <= 390
