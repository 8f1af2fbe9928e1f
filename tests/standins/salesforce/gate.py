"""The door every REST call passes: session, daily allowance, length of the address, latency, and the usage header.

An ASGI layer of its own, because it runs for every call a benchmark makes. It also drops a trailing slash, and one of
two in front, so that each route exists with and without.
"""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.web import answer, bearer

LONGEST_ADDRESS = 16_384
_DATA = "/services/data"
_EXPIRED = ApiError("INVALID_SESSION_ID", "Session expired or invalid", status=401)
_EXHAUSTED = ApiError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
_TOO_LONG = "<html><head><title>Error 414 URI Too Long</title></head><body><h1>414 URI Too Long</h1></body></html>"


class Gate:
    """Middleware around the routes."""

    def __init__(self, app: ASGIApp, org: Org) -> None:
        self.app = app
        self.org = org

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        if raw.startswith(b"//"):
            scope["path"] = "/" + scope["path"].lstrip("/")
        if raw.endswith(b"/") and len(raw) > 1:
            scope["path"] = scope["path"].rstrip("/") or "/"
        if len(raw) + len(scope["query_string"]) > LONGEST_ADDRESS:
            await Response(_TOO_LONG, 414, media_type="text/html")(scope, receive, send)
        elif not scope["path"].startswith(f"{_DATA}/"):
            await self.app(scope, receive, send)
        else:
            await self._data(scope, receive, self._counted(send))

    async def _data(self, scope: Scope, receive: Receive, send: Send) -> None:
        org = self.org
        if org.settings.versions and not _is_offered(scope["path"], org.settings.versions):
            await answer(not_found().as_body(), 404)(scope, receive, send)
            return
        if org.settings.latency_s:
            await asyncio.sleep(org.settings.latency_s)
        refusal = None
        if not org.greet(bearer(scope)):
            refusal = _EXPIRED
        elif org.calls_used >= org.settings.daily_calls:
            refusal = _EXHAUSTED
        else:
            org.calls_used += 1
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await answer(refusal.as_body(), refusal.status)(scope, receive, send)

    def _counted(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                usage = f"api-usage={self.org.calls_used}/{self.org.settings.daily_calls}"
                MutableHeaders(scope=message)["Sforce-Limit-Info"] = usage
            await send(message)

        return counted


def _is_offered(path: str, versions: list[str]) -> bool:
    # Inferred: a version that is not offered is an address that does not exist, whoever asks, and costs no call.
    version = path.removeprefix(f"{_DATA}/").partition("/")[0]
    return version.removeprefix("v") in versions
