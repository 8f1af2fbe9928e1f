"""The unit suite's ground: properties that are the same on every run, and no way to a socket or a real `.env`."""

import socket

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "unit",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("unit")


class SocketOpened(AssertionError):
    """A unit test tried to reach the network."""


@pytest.fixture(autouse=True)
def _closed_sockets(monkeypatch):
    """Refuse every connection; the event loop's own socket pair stays, because it is never connected out."""

    def refuse(*_arguments, **_options):
        raise SocketOpened

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
