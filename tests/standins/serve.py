"""Runs a stand-in: inside a test, on a thread; or as a process of its own, for the demo.

Both ways listen on loopback only and end without leaving a socket open. A stand-in served from here can also
break a connection instead of answering: `scope["state"]["hang_up"]` closes it, as a vendor's load balancer does.
"""

import asyncio
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.standins.calls import CONTROL

HOST = "127.0.0.1"
START_LIMIT_S = 20.0
ANSWER_LIMIT_S = 30.0


class _Protocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["hang_up"] = self.transport.abort

    def shutdown(self) -> None:
        # An injected hang must not hold the server open: whoever still waits loses the connection.
        super().shutdown()
        self.transport.abort()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: str = "") -> None:
        super().__init__(config)
        self._ready = ready
        self.loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        if self._ready:
            print(f"ready {self._ready}", flush=True)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def _config(app: Any, ssl_certfile: str | None, ssl_keyfile: str | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        backlog=2048,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
        ssl_certfile=ssl_certfile,
        ssl_keyfile=ssl_keyfile,
    )


def _base_url(listener: socket.socket, ssl_certfile: str | None) -> str:
    return f"{'https' if ssl_certfile else 'http'}://{HOST}:{listener.getsockname()[1]}"


@dataclass(frozen=True, slots=True)
class Served:
    """An app that is served on a thread: at which URL, and the loop it runs in."""

    app: Any
    url: str
    loop: asyncio.AbstractEventLoop

    def client(self, verify: ssl.SSLContext | bool = True) -> httpx.Client:
        """Gives a client of it whose calls at the control door take the short way."""
        return httpx.Client(base_url=self.url, timeout=ANSWER_LIMIT_S, transport=ControlTransport(self, verify))


class ControlTransport(httpx.HTTPTransport):
    """Hands what is asked at the control door to the app in its own loop, without a socket; all else goes over one.

    A test asks there a dozen times, and a call takes a quarter of what it takes over TLS.
    """

    def __init__(self, served: Served, verify: ssl.SSLContext | bool = True) -> None:
        super().__init__(verify=verify)
        self._served = served

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.startswith(CONTROL):
            return super().handle_request(request)
        asked = asyncio.run_coroutine_threadsafe(self._answer(request, request.read()), self._served.loop)
        return asked.result(ANSWER_LIMIT_S)

    async def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        url, sent = request.url, asyncio.Event()
        start: Message = {}
        parts: list[bytes] = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method,
            "scheme": url.scheme, "path": url.path, "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query, "root_path": "", "server": (url.host, url.port), "client": (HOST, 0),
            "headers": [(name.lower(), value) for name, value in request.headers.raw], "state": {},
        }  # fmt: skip

        async def receive() -> Message:
            if not sent.is_set():
                sent.set()
                return {"type": "http.request", "body": body, "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._served.app(scope, receive, send)
        return httpx.Response(start["status"], headers=start.get("headers", []), content=b"".join(parts))


@contextmanager
def running(
    app: Any, *, ssl_certfile: str | None = None, ssl_keyfile: str | None = None, port: int = 0
) -> Iterator[str]:
    """Gives the base URL of the app, served on a thread until the block ends."""
    with served(app, ssl_certfile=ssl_certfile, ssl_keyfile=ssl_keyfile, port=port) as it:
        yield it.url


@contextmanager
def served(
    app: Any, *, ssl_certfile: str | None = None, ssl_keyfile: str | None = None, port: int = 0
) -> Iterator[Served]:
    """Gives the app, served on a thread until the block ends."""
    listener = _listen(port)
    server = _Server(_config(app, ssl_certfile, ssl_keyfile))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="stand-in", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the stand-in did not start")
            time.sleep(0.005)
        yield Served(app, _base_url(listener, ssl_certfile), server.loop)
    finally:
        server.should_exit = True
        thread.join(timeout=START_LIMIT_S)
        listener.close()


def main_server(app: Any, port: int, *, ssl_certfile: str | None = None, ssl_keyfile: str | None = None) -> None:
    """Serves until SIGTERM or SIGINT; `ready URL` is printed once connections are accepted."""
    listener = _listen(port)
    server = _Server(_config(app, ssl_certfile, ssl_keyfile), _base_url(listener, ssl_certfile))
    # uvicorn raises the signal again once it has stopped; being asked to stop is no failure here.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    server.run(sockets=[listener])
