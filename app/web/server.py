"""The HTTP server: uvicorn, which waits for nobody for ever.

uvicorn limits neither how long a request may be on its way nor how long its head may be: a few hundred half-sent ones
would use up all connections of a process. Here each phase of a request has a deadline, looked at once a second, and one
connection too many takes the place of the one waited for the longest. While it is us who do not read (a body waits for
its turn) or do not answer yet, nobody's time runs.
"""

import asyncio
import resource
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.log import OncePerMinute

_HSTS = ("Strict-Transport-Security", "max-age=31536000")
_TICKS_IN_A_SECOND = 10  # uvicorn's
_OTHER_FILES = 100  # what a process has open beside its connections: the database, Redis, both vendors
_ASKED_FOR_FILES = 16_384


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a client may take.

    head_s       for a request's head, from its first byte or the connection's begin
    body_s       for its body, from the end of the head
    stalled_s    for taking an answer that is ready
    head_bytes   how long a head may be
    connections  how many there may be at once
    """

    head_s: float = 10.0
    body_s: float = 60.0
    stalled_s: float = 30.0
    head_bytes: int = 32 * 1024
    connections: int = 10_000


class HeadTooLongError(ValueError):
    """A request's head has more bytes than are taken."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection, its deadlines, and what it may send."""

    limits = ConnectionLimits()
    warn = OncePerMinute()
    until: float | None = None  # the loop's time at which we no longer wait for the client
    _stalled_until: float | None = None
    _is_in_head, _head_bytes = False, 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a head; beyond the limit, in the place of whoever is waited for the longest."""
        if len(self.connections) >= self.limits.connections:
            waited_for = (one for one in self.connections if isinstance(one, LimitedProtocol) and one.until)
            oldest = min(waited_for, key=lambda one: one.until or 0.0, default=None)
            if oldest is not None:
                self.connections.discard(oldest)
                oldest.transport.abort()
            self.warn("connections.full", advice="raise the limit of open files, or let a proxy buffer requests")
        super().connection_made(transport)
        self._wait(self.limits.head_s)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that does not end is refused."""
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes:
                self.send_400_response("The head of the request is too long.")
                return
        elif self.until is None and (self.cycle is None or self.cycle.response_complete):
            self._wait(self.limits.head_s)  # also for bytes that begin nothing
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0
        self._wait(self.limits.head_s)

    def on_headers_complete(self) -> None:
        """End the head, and wait for the body.

        Raises  HeadTooLongError, which the parser makes a 400
        """
        self._is_in_head = False
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.limits.head_bytes:
            raise HeadTooLongError
        super().on_headers_complete()
        self._wait(self.limits.body_s)

    def on_message_complete(self) -> None:
        """Wait for nothing: the request is here."""
        super().on_message_complete()
        self.until = None

    def pause_writing(self) -> None:
        """Wait for the client to take what is written."""
        super().pause_writing()
        self._stalled_until = self.loop.time() + self.limits.stalled_s

    def resume_writing(self) -> None:
        """Wait for nothing: it was taken."""
        super().resume_writing()
        self._stalled_until = None

    def is_late(self, now: float) -> bool:
        """Say whether the client has let a deadline pass."""
        is_waited_for = self.until is not None and not self.flow.read_paused
        return (is_waited_for and now > (self.until or 0.0)) or now > (self._stalled_until or now)

    def _wait(self, span_s: float) -> None:
        self.until = self.loop.time() + span_s


class LimitedServer(uvicorn.Server):
    """The server, which lets go of whoever is late."""

    async def on_tick(self, counter: int) -> bool:
        """Look at the deadlines once a second."""
        if counter % _TICKS_IN_A_SECOND == 0:
            self.sweep()
        return await super().on_tick(counter)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until stopped; a start that fails ends the process."""
        super().run(sockets)
        if not self.started:
            sys.exit(STARTUP_FAILURE)

    def sweep(self) -> None:
        """Close every connection whose client has let a deadline pass."""
        now = asyncio.get_running_loop().time()
        for one in [*self.server_state.connections]:
            if isinstance(one, LimitedProtocol) and one.is_late(now):
                one.warn("connections.slow", advice="a request did not come whole in time; a proxy should buffer it")
                one.transport.abort()


def server(
    app: ASGIApp, *, host: str, port: int, proxies: Sequence[str], is_secure: bool, limits: ConnectionLimits
) -> LimitedServer:
    """Give what serves the app.

    proxies    the addresses and networks whose X-Forwarded-For counts
    is_secure  people come by https, and their browsers are told to come by nothing else
    """
    return LimitedServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=type("Protocol", (LimitedProtocol,), {"limits": limits}),
            ws="none",
            access_log=False,  # tokens live in paths, and our own line per delivery says more
            log_config=None,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            server_header=False,
            headers=[_HSTS] if is_secure else [],
            timeout_graceful_shutdown=20,
        )
    )


def limits_of_this_process() -> ConnectionLimits:
    """Give as many connections as this process may open files, once it may open as many as it can be let."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ASKED_FOR_FILES if hard == resource.RLIM_INFINITY else min(hard, _ASKED_FOR_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = _ASKED_FOR_FILES if soft == resource.RLIM_INFINITY else soft
    return ConnectionLimits(connections=min(max(files - _OTHER_FILES, files // 2), ConnectionLimits().connections))
