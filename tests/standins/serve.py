"""Runs a stand-in: inside a test, on a thread; or as a process of its own, for the demo.

Both ways listen on loopback only and end without leaving a socket open. A stand-in served from here can also
break a connection instead of answering: `scope["state"]["hang_up"]` closes it, as a vendor's load balancer does.
"""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HOST = "127.0.0.1"
START_LIMIT_S = 20.0


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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
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


@contextmanager
def running(
    app: Any, *, ssl_certfile: str | None = None, ssl_keyfile: str | None = None, port: int = 0
) -> Iterator[str]:
    """Gives the base URL of the app, served on a thread until the block ends."""
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
        yield _base_url(listener, ssl_certfile)
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
