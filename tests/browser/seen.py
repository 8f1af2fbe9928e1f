"""A person at a browser: signing in, and where the browser is."""

import shutil

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def signed_in(context, token):
    """Give a page of somebody who has signed in."""
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    return page
