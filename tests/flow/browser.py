"""A person's browser: goes where it is sent, keeps cookies per host, fills in forms and presses their buttons.

Our own pages are answered by the app in this process, everything else over real HTTP. What it does about `Origin`,
`Sec-Fetch-Site` and `form-action` is what Chrome does.

Source  Fetch, "append a request Origin header"; CSP 3, form-action, which Chrome and Safari hold redirects to as well
"""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

HOME = "https://sync.example.com"
_VOID = {"br", "hr", "img", "input", "link", "meta"}


class BlockedError(AssertionError):
    """The browser shows an error of its own instead of going on."""


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str | None, str, str | None]] = field(default_factory=list)


class Page(HTMLParser):
    """What came of a request, as a person reads it: heading, text, links and forms."""

    def __init__(self, response):
        super().__init__()
        self.response, self.status, self.url = response, response.status_code, response.url
        self.forms, self.links, self.words, self.heading, self._open, self._button, self._said = (
            [],
            {},
            [],
            "",
            [],
            None,
            "",
        )
        if "html" in response.headers.get("content-type", ""):
            self.feed(response.text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in _VOID:
            self._open.append((tag, given))
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").upper()))
        elif tag == "input" and self.forms and "name" in given and "form" not in given:
            if given.get("type") not in ("radio", "checkbox") or "checked" in given:
                self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button":
            sends = given.get("type") != "button"
            self._button = (given.get("name"), given.get("value", ""), given.get("formaction")) if sends else None
            self._said = ""

    def handle_endtag(self, tag):
        if self._open and self._open[-1][0] == tag:
            self._open.pop()
        if tag == "button" and self.forms and self._button:
            self.forms[-1].buttons.append((self._said, *self._button))

    def handle_data(self, data):
        inside = [tag for tag, _ in self._open]
        if "style" in inside or "title" in inside:
            return
        self.words.append(data)
        if "h1" in inside:
            self.heading += data.strip()
        if inside and inside[-1] == "a":
            self.links[data.strip()] = self._open[-1][1].get("href", "")
        if "button" in inside and ("span", {"class": "hidden"}) not in self._open:
            self._said = f"{self._said} {data.strip()}".strip()


class Browser:
    def __init__(self, client):
        self.client, self.page, self.visited = client, None, []

    async def open(self, url, **headers):
        """Type an address, or follow a link; gives the page where that ends."""
        return await self._went(self.client.build_request("GET", httpx.URL(HOME).join(url), headers=headers))

    async def follows(self, link):
        return await self.open(str(self.page.url.join(self.page.links[link])))

    async def presses(self, text, **filled):
        """Press a button of this page, with its form's fields filled in; gives the page where that ends."""
        form, (_, name, value, elsewhere) = next(
            (form, button) for form in self.page.forms for button in form.buttons if button[0] == text
        )
        fields = {**form.fields, **filled, **({name: value} if name else {})}
        headers = self._said_of(self.page, target := self.page.url.join(elsewhere or form.action))
        if form.method == "GET":  # its fields are the address
            request = self.client.build_request("GET", target.copy_with(params=fields), headers=headers)
        else:
            request = self.client.build_request(form.method, target, data=fields, headers=headers)
        return await self._went(request, submits=self.page)

    async def signs_in(self, token):
        if self.page is None or self.page.heading != "Sign in":
            await self.open("/login")
        return await self.presses("Sign in", token=token)

    def csrf(self):
        """Give the token that the forms of this page carry."""
        return next(form.fields["csrf_token"] for form in self.page.forms if "csrf_token" in form.fields)

    def cookie(self, name):
        return next((one for one in self.client.cookies.jar if one.name == name), None)

    @staticmethod
    def _said_of(page, target):
        is_ours = _origin(page.url) == _origin(target)
        policy = page.response.headers.get("referrer-policy")
        is_told = policy != "no-referrer" and (is_ours or policy != "same-origin")
        origin = _origin(page.url) if is_told else "null"
        return {"origin": origin, "sec-fetch-site": "same-origin" if is_ours else "cross-site"}

    async def _went(self, request, submits=None):
        for _ in range(10):
            if submits is not None:
                _must_be_allowed(submits, request.url)
            self.visited.append(str(request.url))
            response = await self.client.send(request)
            if response.next_request is None:
                self.page = Page(response)
                return self.page
            request = response.next_request
        raise BlockedError("redirected too often")


def _origin(url):
    return f"{url.scheme}://{url.netloc.decode()}"


def _must_be_allowed(page, target):
    policy = page.response.headers.get("content-security-policy", "")
    for directive in policy.split(";"):
        name, *sources = directive.split() or [""]
        if name == "form-action":
            allowed = {_origin(page.url) if source == "'self'" else source for source in sources}
            if _origin(target) not in allowed:
                raise BlockedError(f"form-action of {page.url} does not allow {_origin(target)}")


@asynccontextmanager
async def browsing(clinic, address="203.0.113.5", *, home=HOME):
    """Give a browser on a machine with this address, for which the clinic's app is `home`."""
    ours = httpx.ASGITransport(clinic.app, raise_app_exceptions=False, client=(address, 50000))
    async with httpx.AsyncClient(mounts={home: ours}, follow_redirects=False, timeout=30) as client:
        yield Browser(client)
