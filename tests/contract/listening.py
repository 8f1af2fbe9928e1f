"""An endpoint that vendors' deliveries are sent to: it keeps what came, and answers as it is told."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tests.standins.serve import running

LIMIT_S = 10.0


@dataclass
class Listener:
    """`answers` are given in turn, and then `answer` for good; both as (status, body)."""

    answer: tuple[int, bytes] = (200, b"")
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    url: str = ""

    async def __call__(self, request):
        self.times.append(time.monotonic())
        self.bodies.append(await request.body())
        self.headers.append(dict(request.headers))
        status, body = self.answers.pop(0) if self.answers else self.answer
        return Response(body, status, {"location": "/elsewhere"} if status == 302 else None, "text/xml; charset=utf-8")


@contextmanager
def listening(answer):
    """Gives a listener at an address of its own."""
    listener = Listener(answer)

    async def receive(request):
        return await listener(request)

    with running(Starlette(routes=[Route("/{path:path}", receive, methods=["POST", "GET"])])) as url:
        listener.url = f"{url}/here"
        yield listener


def quieted(look):
    """Wait until nothing waits or is under way; gives what was seen then."""
    seen = []

    def is_quiet():
        seen.append(look())
        return (seen[-1]["waiting"], seen[-1]["in_flight"]) == (0, 0)

    wait_until(is_quiet, "quiet")
    return seen[-1]


def wait_until(holds, what):
    """Look until it holds; fails when it does not within the limit."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, f"it never came to: {what}"
        time.sleep(0.005)
