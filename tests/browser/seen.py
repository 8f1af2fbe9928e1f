"""People at a browser: who has signed in once need not again, and where the browser is."""

import shutil

# the first is the same browser without what draws on a screen: a window costs it a third
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, _BROWSERS)), None)


class People:
    """Those of one clinic, by their tokens; to sign in takes as long as most of what is seen afterwards."""

    def __init__(self):
        self._cookies, self._windows = {}, {}

    def window(self, chromium, token=None, window="", **how):
        """Give a browser as `context` does, which is kept: with the cookies that it had when it was opened.

        window  a name, where what is done to it stays: whoever does that has one of their own
        """
        key = token, window, *sorted(how.items())
        if key not in self._windows:
            self._windows[key] = self.context(chromium, token, **how)
        known = self._windows[key]
        known.clear_cookies()
        known.add_cookies(self._cookies.get(token, {"cookies": []})["cookies"])
        return known

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
