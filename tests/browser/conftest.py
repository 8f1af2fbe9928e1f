"""One clinic on real processes and one browser for all of these tests; without a browser they are skipped.

A test has pages of its own. Whoever looks at them keeps their windows, because a new one takes a second of Chromium's
time, three times as long as a page; their cookies are put right before each test, and the console stores nothing else.
"""

from contextlib import contextmanager

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.scene import VIEWER, set_up, settings
from tests.browser.seen import BROWSER, People
from tests.harness.cluster import town

WIDE = {"width": 1280, "height": 720}
PATIENCE_MS = 60_000  # what is retried waits two seconds for the poll, and a busy machine takes its time
expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items):
    ours = [item for item in items if "/browser/" in str(item.path)]
    for item in ours:
        item.add_marker(pytest.mark.processes)
        item.add_marker(pytest.mark.timeout(400))
        if BROWSER is None:
            item.add_marker(pytest.mark.skip(reason="no Chromium here: apt-get install chromium-headless-shell"))


@pytest.fixture(scope="session")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    with town(folder, settings(folder)) as it:
        it.ids = set_up(it)
        yield it


@pytest.fixture(scope="package")
def people():
    return People()


@pytest.fixture(scope="package")  # its loop must have ended before a test with a loop of its own begins
def chromium():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


# a browser says so of each answer that is no success, and a story asks for some of them on purpose
ANSWERED = "Failed to load resource: the server responded with a status of"


def is_error(said):
    """Say whether what a page's console was told is amiss; htmx tells of its own errors there."""
    return said.type == "error" and not said.text.startswith(ANSWERED)


@contextmanager
def browsers(clinic, chromium, people):
    """Open a page of somebody who is signed in, or of nobody; an error in a page's console is a failure."""
    windows, thrown = [], []

    def open_(token=None, viewport=None, **how):
        window = people.window(chromium, token, base_url=clinic.given["PUBLIC_URL"], **how)
        window.set_default_timeout(PATIENCE_MS)
        windows.append(window)
        page = window.new_page()
        page.set_viewport_size(viewport or WIDE)
        page.on("pageerror", lambda error: thrown.append(str(error)))
        page.on("console", lambda said: thrown.append(said.text) if is_error(said) else None)
        return page

    yield open_
    for page in [page for window in windows for page in window.pages]:
        page.close()
    assert thrown == []


@pytest.fixture
def opened(here, chromium, people):
    with browsers(here, chromium, people) as open_:
        yield open_


@pytest.fixture
def operator(here, opened):
    return opened(here.operator_token)


@pytest.fixture
def viewer(opened):
    return opened(VIEWER)
