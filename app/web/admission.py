"""Admission: what every request meets before a route: its host, size and address, who asks, how many there are at once.

FastAPI reads and parses a body before it asks any dependency, so none of this can be left to the routes: whoever has no
right to be heard is answered before a byte of the body is read, and a body has a limit on every path. A path is closed
to strangers unless it is named here or a webhook's, which knows its senders itself. Probes are answered by whatever
name they are asked (a kubelet names the pod's address), and however many requests are under way.

An address typed with a slash too many means the one without: those who send webhooks follow no redirect, and one
would repeat whatever stands in the path.

A delivery goes from here straight to its webhook: the layers and the router behind, which do nothing for it, would take
a third of all that answering it takes. What a webhook raises is answered as everywhere else.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.log import OncePerMinute
from app.metrics.definitions import FORWARDED
from app.runtime import Runtime
from app.web import auth, pages, probes
from app.web.validation import must_be_fit_address

MOST_BYTES = 64 * 1024
MOST_AT_ONCE = 2_000
LOOPBACK = ("localhost", "127.0.0.1", "::1")
WEBHOOKS, API = "/webhooks/", "/api/"
# a callback's state is its proof
OPEN = frozenset(
    {
        "/login",
        *(f"/login/{provider}{end}" for provider in ("oidc", "drchrono") for end in ("", "/callback")),
        "/openapi.json",
        "/connect/drchrono/callback",
    }
)
_OPEN_BELOW = (WEBHOOKS, "/static/")
_COME_AGAIN_S = "5"
_SLASHES = re.compile("/{2,}")

Webhook = Callable[[Request], Awaitable[Response]]


def no_webhook(_path: str) -> Webhook | None:
    """Give no webhook: every request is the app's."""
    return None


class Admission:
    """The layer in front of routing.

    hosts         the names by which this service may be asked, beside this machine's own
    limits        beginning of a path -> how many bytes a body there may have; every other: 64 KiB
    is_forwarded  whether a proxy is trusted to say for whom it asks
    at_once       how many requests may be under way, probes apart
    webhook       path -> what answers a POST there; None: the app's routes do
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        limits: Mapping[str, int],
        is_forwarded: bool = True,
        at_once: int = MOST_AT_ONCE,
        webhook: Callable[[str], Webhook | None] = no_webhook,
    ) -> None:
        self._webhook = webhook
        self._app, self._limits, self._is_forwarded = app, tuple(limits.items()), is_forwarded
        self._hosts = frozenset((*hosts, *LOOPBACK))
        self._warn = OncePerMinute()
        self._most_at_once, self._at_once = at_once, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request here, or hand it on with its body limited."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _tidy(scope["path"])
        scope, most = {**scope, "path": path}, self._limit(path)
        receive = _limited(receive, most)
        if path in probes.PATHS:
            await self._app(scope, receive, send)
            return
        self._at_once += 1
        try:
            answer = await self._answer(Request(scope, receive), path, most)
            await answer(scope, receive, send)
        finally:
            self._at_once -= 1

    async def _answer(self, request: Request, path: str, most: int) -> ASGIApp:
        """Give what answers a request: a refusal, what its webhook says, or the app."""
        try:
            await self._admit(request.scope, path, most)
            webhook = self._webhook(path) if request.method == "POST" else None
            return self._app if webhook is None else await webhook(request)
        except Exception as error:
            handlers = request.app.exception_handlers
            handle = next((handlers[one] for one in type(error).__mro__ if one in handlers), None)
            if handle is None:
                raise
            answer: Response = await handle(request, error)
            return answer

    def _limit(self, path: str) -> int:
        return next((most for beginning, most in self._limits if path.startswith(beginning)), MOST_BYTES)

    async def _admit(self, scope: Scope, path: str, most: int) -> None:
        """Return where a request may go on.

        Raises  HTTPException, PageRefused, StoreUnavailable: what is answered instead
        """
        if self._at_once > self._most_at_once:
            self._warn("web.busy")
            raise HTTPException(503, "too many requests at once; come again", {"Retry-After": _COME_AGAIN_S})
        host, length, is_forwarded = b"", b"", False
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"content-length":
                length = value
            elif name == b"x-forwarded-for":
                is_forwarded = True
        if _name(host) not in self._hosts:
            self._warn("host.unknown", advice="let the proxy pass on Host as it came, or name it in ALLOWED_HOSTS")
            raise HTTPException(421, "this service answers by the host of PUBLIC_URL and ALLOWED_HOSTS only")
        if length.isdigit() and int(length[:20]) > most:
            raise _too_large(most)
        must_be_fit_address(path, scope["query_string"])
        if is_forwarded and not self._is_forwarded:
            runtime: Runtime = scope["app"].state.runtime
            runtime.counts.add(FORWARDED)
        if path not in OPEN and not path.startswith(_OPEN_BELOW):
            request = Request(scope)
            await (auth.reader(request) if path.startswith(API) else pages.known(request))


def names_of(public_url: str, host: str, *others: str) -> frozenset[str]:
    """Give the names by which a service may be asked: PUBLIC_URL's, the address it listens on, and others."""
    return frozenset(filter(None, (urlsplit(public_url).hostname, host.lower(), *others)))


def _tidy(path: str) -> str:
    """Give a path without doubled slashes, and without one at its end."""
    return _SLASHES.sub("/", path).rstrip("/") or "/"


def _name(host: bytes) -> str:
    """Give the name a Host header asks for, without its port."""
    text = host.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".") if "@" not in text else ""


def _limited(receive: Receive, most: int) -> Receive:
    """Give a body's parts up to so many bytes in all.

    Raises  HTTPException at the part that is one too many
    """
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > most:
                raise _too_large(most)
        return message

    return limited


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the body is larger than {most} bytes")
