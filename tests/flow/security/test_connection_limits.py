"""Whoever sends slowly, endlessly or not at all is let go, and others are answered meanwhile."""

import contextlib
import socket
import threading
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from app.web.server import ConnectionLimits, server
from tests.contract.listening import wait_until

LIMIT_S = 20.0
LIMITS = ConnectionLimits(head_s=0.3, body_s=0.3, stalled_s=0.3, head_bytes=4096, connections=20)
PATIENT = ConnectionLimits(head_bytes=4096, connections=20)
HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
WHOLE = HEAD + b"content-length: 2\r\n\r\n{}"


async def answer(request):
    if request.method == "GET":
        return Response(b"x" * 64_000_000)
    return Response(f"{len(await request.body())}")


@contextlib.contextmanager
def served(limits):
    """Give how to connect to a server with these limits; every connection is closed at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    it = server(
        Starlette(routes=[Route("/", answer, methods=["GET", "POST"])]),
        host="127.0.0.1", port=0, proxies=(), is_secure=True, limits=limits,
    )  # fmt: skip
    thread = threading.Thread(target=it.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: it.started, "the server listens")
        with contextlib.ExitStack() as stack:

            def connect(begins=b""):
                one = stack.enter_context(socket.create_connection(listener.getsockname(), timeout=LIMIT_S))
                one.sendall(begins)
                return one

            yield SimpleNamespace(connect=connect, connections=lambda: it.server_state.connections)
    finally:
        it.should_exit = True
        thread.join(LIMIT_S)
        listener.close()


@pytest.fixture
def web():
    with served(LIMITS) as it:
        yield it


@pytest.fixture
def patient():
    with served(PATIENT) as it:
        yield it


def said(connection):
    """Give all that is sent until the server closes; nothing where it breaks off."""
    heard = b""
    try:
        while part := connection.recv(65_536):
            heard += part
    except ConnectionResetError:
        return b""
    return heard


def status_of(connection):
    """Give the status of the next answer."""
    return int(connection.recv(65_536).split()[1])


UNFINISHED = {
    "nothing": b"",
    "blank lines": b"\r\n",
    "half a line": b"POST / HT",
    "half a head": HEAD,
    "half a header": HEAD + b"x-long: a",
    "half a body": HEAD + b"content-length: 10\r\n\r\n{}",
    "half a chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nab",
}


def test_who_does_not_send_on_is_let_go(web):
    connections = {name: web.connect(begins) for name, begins in UNFINISHED.items()}

    assert {name: said(one) for name, one in connections.items()} == dict.fromkeys(UNFINISHED, b"")


def test_who_begins_a_second_request_and_does_not_send_on_is_let_go(web):
    connection = web.connect(WHOLE)
    first = status_of(connection)

    connection.sendall(HEAD)

    assert (first, said(connection)) == (200, b"")


def test_who_does_not_take_the_answer_is_let_go(web):
    connection = web.connect(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")

    begins = connection.recv(1)
    wait_until(lambda: not web.connections(), "it is let go")

    assert begins == b"H"


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"x-long: " + b"a" * 5000 + b"\r\n\r\n",
        b"POST /" + b"a" * 5000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        HEAD + b"".join(b"x-%d: a\r\n" % number for number in range(1000)) + b"\r\n",
    ],
    ids=["a long header", "a long path", "many headers"],
)
def test_a_head_that_is_too_long_is_refused(patient, head):
    assert status_of(patient.connect(head)) == 400


def test_a_header_that_never_ends_is_refused(patient):
    connection = patient.connect(HEAD + b"x-long: ")

    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(2000):
            connection.sendall(b"a" * 8192)

    assert b" 400 " in said(connection)[:20] or said(connection) == b""


def test_a_large_body_in_the_same_packet_as_its_head_is_no_long_head(patient):
    body = b"x" * 30_000

    assert status_of(patient.connect(HEAD + b"content-length: 30000\r\n\r\n" + body)) == 200


def test_however_many_send_nothing_the_next_one_is_answered(patient):
    idle = [patient.connect(HEAD) for _ in range(60)]

    assert status_of(patient.connect(WHOLE)) == 200
    assert len(idle) == 60


def test_browsers_are_told_to_come_by_https_alone(patient):
    connection = patient.connect(WHOLE)

    assert b"strict-transport-security: max-age=31536000" in connection.recv(65_536).lower()
