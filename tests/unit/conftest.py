"""The unit suite's ground: properties that are the same on every run, and no way to a socket or a real `.env`."""

import socket

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from app.errors import Misconfigured
from app.settings import env_file
from tests.build import NEEDED, StandingClock

hypothesis_settings.register_profile(
    "unit",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],  # of a busy machine
)
hypothesis_settings.load_profile("unit")


class SocketOpened(AssertionError):  # noqa: N818
    """A unit test tried to reach the network."""


@pytest.fixture(autouse=True)
def _closed_sockets(monkeypatch):
    """Refuse every connection; the event loop's own socket pair stays, because it is never connected out."""

    def refuse(*_arguments, **_options):
        raise SocketOpened

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)


@pytest.fixture
def clock():
    return StandingClock()


@pytest.fixture
def said(monkeypatch, tmp_path):
    """Gives the settings of an environment that says these variables, on top of the least that is needed."""
    for name in env_file.EXPECTED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def load(**variables):
        for name, value in {**NEEDED, **variables}.items():
            if value is not None:
                monkeypatch.setenv(name, str(value))
        return env_file.load()

    return load


@pytest.fixture
def complaint(said):
    """Gives what is said about an environment that is wrong."""

    def complain(**variables):
        with pytest.raises(Misconfigured) as raised:
            said(**variables)
        return str(raised.value)

    return complain


@pytest.fixture(scope="session")
def rsa_key():
    """A private key of this test run, and its PEM text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
