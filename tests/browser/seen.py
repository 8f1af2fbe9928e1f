"""People at a browser: who has signed in once need not again, and where the browser is."""

import shutil

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class People:
    """Those of one clinic, by their tokens; to sign in takes as long as most of what is seen afterwards."""

    def __init__(self):
        self._cookies = {}

    def context(self, chromium, token=None, **how):
        """Give a browser of somebody who has signed in, or of nobody where there is no token."""
        context = chromium.new_context(storage_state=self._cookies.get(token), **how)
        if token and token not in self._cookies:
            self._sign_in(context, token)
        return context

    def _sign_in(self, context, token):
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("Secret").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        page.close()
        self._cookies[token] = context.storage_state()
