"""Pages for people: rendered on the server, readable without scripts, and sent so that no other site can use them."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.datastructures import URL

from app.operations import failures
from app.operations.accounts import Role
from app.operations.clinic_time import age
from app.operations.failures import Group
from app.operations.labels import in_words, label
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.web import flash, moments
from app.web.auth import CSRF_FIELD, caller_of, is_from_elsewhere, is_meant, refuse_bearer
from app.web.charts import in_seconds
from app.web.flash import Flash
from app.web.validation import must_be_fit_form

_MOST_FIELDS = 400  # three for each mapped field that differs


HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # the callback's address holds a code; stricter, forms would not say their origin
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


_templates = Environment(
    loader=PackageLoader("app.web"), autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True
)


def pages_router(prefix: str = "") -> APIRouter:
    """Give what a module declares its pages on, whole as they are served (`auth.py`, api_router); no schema names them.

    prefix  what stands in all their paths
    """
    return APIRouter(prefix=prefix, tags=["pages"], include_in_schema=False)


def count(number: int) -> str:
    """Give a number with its thousands apart."""
    return f"{number:,}"


def capital(text: str) -> str:
    """Give a text that begins as a sentence does."""
    return text[:1].upper() + text[1:]


def short_id(id_: str) -> str:
    """Give the end of an id: of those made in one moment the beginnings are alike."""
    return f"…{id_[-_SHORT:]}" if len(id_) > _SHORT else id_


_SHORT = 8


def file_size(size: int) -> str:
    """Give a file's size as people read it, in thousands of bytes and thousands of those."""
    if size < _MB:
        return f"{max(size / _KB, 0.1):,.1f} KB" if size < 10 * _KB else f"{size / _KB:,.0f} KB"
    return f"{size / _MB:,.1f} MB"


_KB, _MB = 1_000, 1_000_000
_templates.filters |= {"count": count, "capital": capital, "short_id": short_id, "file_size": file_size}
_templates.filters |= {"age": age, "moment": moments.moment, "exact": moments.exact, "clock": moments.clock}
_templates.filters["birth_date"] = moments.birth_date
_templates.filters |= {
    "wall_clock": lambda shown: moments.here().wall_clock(shown),
    "whole_day": lambda day: moments.here().whole_day(day),
}


_templates.filters |= {"words": in_words, "label": label}
_templates.tests["ahead"] = lambda at: at is not None and at > moments.here().now


def linked(text: str | None, site: str, name: str) -> Markup:
    """Give advice with what it names as people use it: an address of ours is a link, a command stands as code.

    site  PUBLIC_URL
    name  begins the ids of the links: by them the focus stays where it is while a page reads itself again
    """
    parts = _NAMED.split(text or "")
    return Markup("").join(
        _as_used(part, site, f"{name}-{at}") if at % 2 else escape(part) for at, part in enumerate(parts)
    )


def _as_used(part: str, site: str, id_: str) -> Markup:
    if part.startswith("`"):
        return Markup("<code>{}</code>").format(part.strip("`"))
    if not part.startswith(f"{site}/") or part.startswith(f"{site}/webhooks/"):  # no page: vendors send to it
        return escape(part)
    return Markup('<a id="{}" href="{}">{}</a>').format(id_, part.removeprefix(site), part)


_NAMED = re.compile(r"(https?://[^\s,;]*[^\s,;.:)]|`[^`]+`)")
_templates.filters |= {"linked": linked, "span": in_seconds}


_templates.globals["nav"] = (
    ("Overview", "/"),
    ("Needs attention", "/attention"),
    ("Patients", "/patients"),
    ("Appointments", "/appointments"),
    ("Deliveries", "/deliveries"),
)
# what keeps the service itself running, apart from the day's work
_templates.globals["system_nav"] = (
    ("Queues", "/queues"),
    ("Mapping", "/mapping"),
    ("Connections", "/connections"),
    ("Check", "/check"),
    ("Audit", "/audit"),
    ("Help", "/help"),
)


@dataclass(frozen=True, slots=True)
class PageMessage:
    """A page that says one thing, and what can be done about it. `ways` are links: text -> path of ours."""

    title: str
    text: str
    status: int = 200
    ways: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What a page asks before an act that cannot be taken back, or that stops everything.

    texts   what it comes to, the gravest first
    action  where the form goes, with `fields` and `meant`; `back` is where one goes who does not mean it
    """

    title: str
    texts: tuple[str, ...]
    action: str
    button: str
    back: str
    fields: Mapping[str, str] = field(default_factory=dict)


class PageRefused(Exception):  # noqa: N818 - named for what happened
    """A page answers with something else than what was asked for."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__()


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page: how many records need attention, and what the act before it came to."""

    waiting: int
    flash: Flash | None
    request: Request


_frame: ContextVar[Frame | None] = ContextVar("frame", default=None)


def page(name: str, caller: Caller | None, status: int = 200, *, onward: str = "", **values: Any) -> HTMLResponse:
    """Give a rendered page.

    onward  an address of another site that the page's form may lead on to by a redirect
    values  what its template shows, escaped
    """
    frame = _frame.get() if caller else None
    text = _templates.get_template(f"{name}.html").render(caller=caller, frame=frame, **values)
    policy = HEADERS["Content-Security-Policy"].replace("form-action 'self'", f"form-action 'self' {onward}".rstrip())
    answer = HTMLResponse(text, status, {**HEADERS, "Content-Security-Policy": policy})
    if frame is not None and frame.flash is not None:
        flash.drop(frame.request, answer)
    return answer


def message_page(message: PageMessage, caller: Caller | None) -> HTMLResponse:
    """Give the page that says a message."""
    return page("message", caller, message.status, message=message)


def redirect(path: str) -> RedirectResponse:
    """Send a browser on to a page of ours."""
    return RedirectResponse(path, 303, HEADERS)


def redirect_after(request: Request, path: str, text: str, *ways: tuple[str, str]) -> RedirectResponse:
    """Send a browser on to a page of ours, which says what the act came to and where to look next."""
    answer = redirect(path)
    flash.put(request, answer, Flash(text, ways))
    return answer


async def form(request: Request) -> dict[str, str]:
    """Give the fields of a form; asked again, the same ones.

    Raises  HTTPException for too many fields, or a NUL in one
    """
    return dict(await _fields(request))


async def ticked(request: Request, name: str) -> list[str]:
    """Give everything that a form says under one name, as of boxes that were ticked.

    Raises  as `form`
    """
    return [value for field, value in await _fields(request) if field == name]


async def is_confirmed(request: Request, caller: Caller) -> bool:
    """Say whether whoever acts was asked and meant it; a script by its bearer means what it sends.

    Raises  as `form`
    """
    return caller.csrf is None or "meant" in await form(request)


async def _fields(request: Request) -> list[tuple[str, str]]:
    if not hasattr(request.state, "form"):
        raw = await request.body()
        try:
            fields = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise HTTPException(413, f"a form has {_MOST_FIELDS} fields at most") from None
        must_be_fit_form(fields)
        request.state.form = fields
    given: list[tuple[str, str]] = request.state.form
    return given


async def reader(request: Request) -> Caller:
    """Let whoever is signed in see a page, or act on one of ours.

    Raises  PageRefused: a stranger's browser is sent to sign in and comes back; HTTPException as `form`
    """
    found = await known(request)
    await _must_be_meant(request, found)
    return found


async def operator(request: Request) -> Caller:
    """Let only operators see a page or act on it.

    Raises  as `reader`; the role is checked first
    """
    found = await known(request)
    if found.role is not Role.OPERATOR:
        text = "You are signed in to read. Sign out, and sign in as one of OPERATORS or with OPERATOR_TOKEN."
        raise PageRefused(message_page(PageMessage("Only an operator may do this", text, 403), found))
    await _must_be_meant(request, found)
    return found


async def known(request: Request) -> Caller:
    """Give who is signed in.

    Raises  PageRefused for a stranger; HTTPException as `auth.refuse`
    """
    moments.begin_page(request.app.state.runtime)
    found = await caller_of(request)
    if found is not None:
        runtime: Runtime = request.app.state.runtime
        waiting = await failures.number_of(runtime, Group())
        _frame.set(Frame(waiting, None if is_of_script(request) else flash.take(request), request))
        return found
    refuse_bearer(request)
    if "authorization" in request.headers:
        text = "Send OPERATOR_TOKEN or the secret of an account as bearer token."
        raise PageRefused(message_page(PageMessage("That token is not known", text, 401), None))
    if request.method == "GET":
        away = f"/login?next={quote(asked_address(request), safe='/')}"
        if is_of_script(request):  # a script follows no redirect to another page: it is told to go there
            raise PageRefused(Response(status_code=401, headers={**HEADERS, "HX-Redirect": away}))
        raise PageRefused(redirect(away))
    raise PageRefused(
        message_page(PageMessage("You are signed out", "Sign in and try again.", 401, (("Sign in", "/login"),)), None)
    )


def is_of_script(request: Request) -> bool:
    """Say whether a page's script asks for a part of it; what an act came to is for the page that is loaded whole."""
    return "hx-request" in request.headers


async def _must_be_meant(request: Request, found: Caller) -> None:
    if request.method == "GET" or found.csrf is None:
        return
    if is_from_elsewhere(request) or not is_meant(found, (await form(request)).get(CSRF_FIELD)):
        text = "The form came from another site, or from a page of an earlier sign-in. Nothing was done."
        raise PageRefused(
            message_page(PageMessage("That was not sent from this page", text, 403, (("Back", "/"),)), found)
        )


_QUERY = "A-Za-z0-9_.~%&=+,*-"  # of an address that is written out: nothing that names another site or ends a header
_OWN_PATH = re.compile(rf"/(?![/\\])[A-Za-z0-9/_.-]*(?:\?[{_QUERY}]*)?", re.ASCII)
_LONGEST_PATH = 1_000  # it goes by an address, and to an identity provider and back by a cookie


def asked_address(request: Request) -> str:
    """Give the address that was asked for, with its query, as `own_path` takes it; never with words of a search.

    Where a script asked for a part of a page, it is the page's.
    """
    asking = request.headers.get("hx-current-url")
    url = URL(asking) if asking else request.url
    kept = [(name, value) for name, value in parse_qsl(url.query) if name != "words"]
    return f"{url.path}?{urlencode(kept)}" if kept else url.path


def own_path(wanted: str | None) -> str:
    """Give an address of ours to go to after signing in: whatever is no plain path of this site becomes `/`.

    A query may follow the path; it leads nowhere by itself.
    """
    is_ours = wanted and len(wanted) <= _LONGEST_PATH and _OWN_PATH.fullmatch(wanted)
    return wanted if wanted and is_ours else "/"


def is_for_a_person(request: Request) -> bool:
    """Say whether a browser asks for a page, so that an error is one too; scripts and vendors are told in JSON."""
    is_theirs = request.url.path.startswith(("/api/", "/webhooks/", "/static/"))
    return "text/html" in request.headers.get("accept", "") and not is_theirs
