"""Both stand-ins, each as on its first day, and clients that call them as documented; nothing of the service."""

import httpx
import pytest

from tests.standins.drchrono.app import create_app as drchrono_app
from tests.standins.salesforce.app import create_app as salesforce_app
from tests.standins.serve import running
from tests.standins.tests.known import CLIENT, LOGIN, PROVIDER, REDIRECT


@pytest.fixture(scope="module")
def server():
    """The address of a DrChrono stand-in."""
    with running(drchrono_app()) as url:
        yield url


@pytest.fixture
def control(server):
    """Its control door, as on the first day."""
    with httpx.Client(base_url=f"{server}/_control") as control:
        control.post("/reset")
        yield control


@pytest.fixture
def signed_in(server, control):
    """Gives a client that calls as this user."""
    clients = []

    def client(user=PROVIDER, scope=""):
        asked = {"redirect_uri": REDIRECT, "user": user, "scope": scope}
        code = control.post("/oauth/code", json=asked).json()["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **CLIENT}
        token = httpx.post(f"{server}/o/token/", data=form).json()["access_token"]
        clients.append(httpx.Client(base_url=f"{server}/api", headers={"Authorization": f"Bearer {token}"}))
        return clients[-1]

    yield client
    for opened in clients:
        opened.close()


@pytest.fixture
def api(signed_in):
    return signed_in()


@pytest.fixture(scope="module")
def _salesforce():
    with running(salesforce_app()) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def session(_salesforce):
    """A client with a session in an org as it was on the first day."""
    _salesforce.post("/_control/reset")
    token = _salesforce.post("/services/oauth2/token", data=LOGIN).json()["access_token"]
    _salesforce.headers["Authorization"] = f"Bearer {token}"
    return _salesforce
