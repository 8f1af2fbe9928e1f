"""The call quota: a fixed window that starts at the top of the hour, and a burst rule that is off by default.

The answer to a call too many names the wait in its text only; there is no header to read it from.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from tests.standins.drchrono.state import State

BURST_CALLS = 10
BURST_S = 1.0


class Quota:
    """How much of the running window one application has used; `now` gives seconds since 1970, `since` any."""

    def __init__(self, now: Callable[[], float] = time.time, since: Callable[[], float] = time.monotonic) -> None:
        self._now, self._since = now, since
        self.used = 0
        self._window = -1
        self._recent: deque[float] = deque(maxlen=BURST_CALLS)

    def left_s(self, window_s: float) -> float:
        return window_s - self._now() % window_s

    def wait_s(self, limit: int, window_s: float, *, burst_rule: bool) -> float:
        """Counts one call; gives 0 if it may pass, else how long the caller should wait."""
        window = int(self._now() // window_s)
        if window != self._window:
            self._window, self.used = window, 0
        if limit and self.used >= limit:
            return self.left_s(window_s)
        if burst_rule:
            now = self._since()
            if len(self._recent) == BURST_CALLS and now - self._recent[0] < BURST_S:
                return BURST_S
            self._recent.append(now)
        self.used += 1
        return 0.0


def throttled(wait_s: float) -> Response:
    # A float, and large: that is how the live API words it.
    seconds = float(math.ceil(wait_s))
    return JSONResponse({"detail": f"Request was throttled. Expected available in {seconds} seconds."}, 429)


class Metered:
    """Middleware: latency for every vendor call; for all of /api and the token URL the quota of whose call it is."""

    def __init__(self, app: ASGIApp, state: "State") -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(("/api/", "/o/")):
            await self.app(scope, receive, send)
            return
        settings = self.state.settings
        if settings.latency_s:
            await asyncio.sleep(settings.latency_s)
        quota = self.state.quota
        if scope["path"].startswith(("/api/", "/o/token")):
            client, receive = await self._client(scope, receive)
            quota = self.state.quotas.get(client, quota)  # whoever is unknown uses up the first one's
            wait_s = quota.wait_s(settings.calls_per_hour, settings.quota_hour_s, burst_rule=settings.burst_rule)
            if wait_s:
                await throttled(wait_s)(scope, receive, send)
                return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and settings.limit_headers:
                left = str(settings.calls_per_hour - quota.used)
                MutableHeaders(scope=message)["X-RateLimit-Remaining"] = left
            await send(message)

        await self.app(scope, receive, told)

    async def _client(self, scope: Scope, receive: Receive) -> tuple[str, Receive]:
        """Gives which application calls, as far as it says so, and the request to be read again."""
        request = Request(scope, receive)
        if not scope["path"].startswith("/o/"):
            access = request.headers.get("authorization", "").rpartition(" ")[2]
            return self.state.tokens.client_of(access) or "", receive
        body = await request.body()

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        return dict(parse_qsl(body.decode("latin-1"))).get("client_id", ""), again
