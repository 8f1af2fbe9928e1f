"""Failures on demand: a test adds a rule, and the next matching calls fail in the way it names.

A rule is `{"match": "POST /api/patients", "do": "error", "next": 1, "status": 503, "body": ..., "delay_s": 0}`:

    match   METHOD /path-prefix; the method may be `*`
    next    how many calls it affects (default 1; null: until cleared)
    do      error                 answer `status` (default 500) and `body`; the work is not done
            throttle              the vendor's own "too many calls" answer; the work is not done
            timeout_before        hang for `delay_s`, then answer `status` (default 504); the work is not done
            timeout_after_commit  do the work, hang for `delay_s`, then answer as if nothing had been
            drop_after_commit     do the work, then close the connection without an answer
            answer_after_commit   do the work, then answer `status` (default 200) and `body` instead
            drop_before           close the connection without an answer; the work is not done
            slow                  wait `delay_s`, then do the work and answer
            page_after_commit     do the work, then answer as `error` would: a gateway lost the vendor's own answer
            half                  do the work, then hang up in the middle of the answer
            cut_upload            take in half of the body, then close the connection; the work is not done
    body    JSON, or text as it is, of the type that it looks like: text that begins with `<?xml` goes out as XML,
            with `<` as HTML, with `{` or `[` as JSON, with a quotation mark as CSV
    headers more headers of that answer
    delay_s seconds, default 30

Control calls never fail. The first matching rule counts.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.standins.calls import CONTROL

_LOOKS_LIKE = {
    "<?xml": "text/xml",
    "<": "text/html",
    "{": "application/json",
    "[": "application/json",
    '"': "text/csv",
}
DEEDS = (
    "error",
    "throttle",
    "timeout_before",
    "timeout_after_commit",
    "drop_after_commit",
    "answer_after_commit",
    "drop_before",
    "slow",
    "page_after_commit",
    "half",
    "cut_upload",
)


@dataclass(slots=True)
class Rule:
    """One failure, and how many more calls it will hit."""

    match: str
    do: str
    next: int | None = 1
    status: int | None = None
    body: Any = None
    headers: dict[str, str] | None = None
    delay_s: float = 30.0

    def __post_init__(self) -> None:
        if self.do not in DEEDS:
            raise ValueError(f"do: one of {', '.join(DEEDS)}")
        if len(self.match.split()) != 2:
            raise ValueError("match: METHOD /path-prefix")

    def fits(self, scope: Scope) -> bool:
        method, prefix = self.match.split()
        return method in ("*", scope["method"]) and scope["path"].startswith(prefix)

    def answer(self, default_status: int) -> Response:
        status = self.status or default_status
        if isinstance(self.body, str):
            begins = self.body.lstrip()
            media = next((media for mark, media in _LOOKS_LIKE.items() if begins.startswith(mark)), "text/plain")
            return Response(self.body, status, self.headers, media_type=media)
        if self.body is None:
            return Response(status_code=status, headers=self.headers)
        return JSONResponse(self.body, status, self.headers)


class Faults:
    """The rules in force. `throttled` builds the vendor's answer to too many calls."""

    def __init__(self, throttled: Callable[[], Response]) -> None:
        self.throttled = throttled
        self.rules: list[Rule] = []

    def take(self, scope: Scope) -> Rule | None:
        for rule in self.rules:
            if rule.fits(scope):
                if rule.next is not None:
                    rule.next -= 1
                    if rule.next <= 0:
                        self.rules.remove(rule)
                return rule
        return None

    async def _add(self, request: Request) -> Response:
        try:
            rule = Rule(**await request.json())
        except (TypeError, ValueError) as error:
            return JSONResponse({"detail": str(error)}, 400)
        self.rules.append(rule)
        return JSONResponse({"rules": len(self.rules)}, 201)

    async def _clear(self, request: Request) -> Response:
        self.rules.clear()
        return Response(status_code=204)

    def routes(self) -> list[Route]:
        path = f"{CONTROL}/faults"
        return [Route(path, self._add, methods=["POST"]), Route(path, self._clear, methods=["DELETE"])]


class Faulty:
    """Middleware: lets the rules strike. Goes inside `Journalled`, so that a failed call is in the journal too."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.faults.rules or scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self.app(scope, receive, send)
            return
        rule = self.faults.take(scope)
        if rule is None:
            await self.app(scope, receive, send)
            return
        scope.get("call", {})["fault"] = rule.do
        match rule.do:
            case "error":
                await rule.answer(500)(scope, receive, send)
            case "throttle":
                await self.faults.throttled()(scope, receive, send)
            case "timeout_before":
                if await _still_there(receive, rule.delay_s):
                    await rule.answer(504)(scope, receive, send)
            case "timeout_after_commit":
                answer = await _answer_of(self.app, scope, receive)
                if await _still_there(receive, rule.delay_s):
                    for message in answer:
                        await send(message)
            case "drop_after_commit":
                await _answer_of(self.app, scope, receive)
                await _hang_up(scope, receive)
            case "answer_after_commit":
                await _answer_of(self.app, scope, receive)
                await rule.answer(200)(scope, receive, send)
            case "drop_before":
                await _hang_up(scope, receive)
            case "slow":
                await asyncio.sleep(rule.delay_s)
                await self.app(scope, receive, send)
            case "page_after_commit":
                await _answer_of(self.app, scope, receive)
                await rule.answer(500)(scope, receive, send)
            case "half":
                await _send_half(await _answer_of(self.app, scope, receive), send)
                await _hang_up(scope, receive)
            case "cut_upload":
                await _take_half(scope, receive)
                await _hang_up(scope, receive)


async def _answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":  # what nobody may ever hear, the journal tells
            scope.get("call", {})["unheard"] = message["status"]
        messages.append(message)

    await app(scope, receive, keep)
    return messages


async def _send_half(answer: list[Message], send: Send) -> None:
    """Sends the head as it is, which says how long the whole would be, and half of what was to follow."""
    start, *rest = answer
    body = b"".join(message.get("body", b"") for message in rest)
    await send(start)
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


async def _take_half(scope: Scope, receive: Receive) -> None:
    length = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
    taken = 0
    while taken < length // 2 and (message := await receive())["type"] == "http.request":
        taken += len(message.get("body", b""))


async def _still_there(receive: Receive, delay_s: float) -> bool:
    try:
        async with asyncio.timeout(delay_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return True
    return False


async def _hang_up(scope: Scope, receive: Receive) -> None:
    close = scope.get("state", {}).get("hang_up")
    if close is None:
        raise ConnectionResetError("dropped by a fault rule")
    close()
    while (await receive())["type"] != "http.disconnect":
        pass
