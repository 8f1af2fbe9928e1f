"""The journal of calls a stand-in received, so that a test can say what was asked and how often.

Control calls are not in it. Counting stays exact; the list of single calls is capped, so a benchmark may send
as many as it likes.
"""

import re
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROL = "/_control"
KEPT = 50_000

_ID = re.compile(r"(?<=/)(?:\d{3,}|(?=[A-Za-z0-9]*\d)(?:[A-Za-z0-9]{18}|[A-Za-z0-9]{15}))(?=/|$)")


def templated(path: str) -> str:
    """Gives the path with every record id (a number, or 15 or 18 letters and digits) replaced by `{id}`."""
    return _ID.sub("{id}", path)


class Calls:
    """What came in, newest last."""

    def __init__(self, template: Callable[[str], str] = templated) -> None:
        self._template = template
        self.calls: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()

    def begin(self, scope: Scope) -> dict[str, Any]:
        call = {
            "at": time.time(),
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "status": None,
        }
        self.calls.append(call)
        self.counts[f"{scope['method']} {self._template(scope['path'])}"] += 1
        return call

    def clear(self) -> None:
        self.calls.clear()
        self.counts.clear()

    async def _show(self, request: Request) -> Response:
        return JSONResponse({"calls": list(self.calls), "counts": dict(self.counts)})

    async def _clear(self, request: Request) -> Response:
        self.clear()
        return Response(status_code=204)

    def routes(self) -> list[Route]:
        path = f"{CONTROL}/calls"
        return [Route(path, self._show, methods=["GET"]), Route(path, self._clear, methods=["DELETE"])]


class Journalled:
    """Middleware: keeps every call; `status` stays null when no answer was sent.

    Whatever runs inside may add to `scope["call"]`, for example the record ids a call touched.
    """

    def __init__(self, app: ASGIApp, calls: Calls) -> None:
        self.app = app
        self.calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self.app(scope, receive, send)
            return
        call = scope["call"] = self.calls.begin(scope)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                call["status"] = message["status"]
            await send(message)

        await self.app(scope, receive, noting)
