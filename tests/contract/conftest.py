"""Our clients as a process has them, over a real store, and the vendors' stand-ins they talk to."""

import ssl
from types import SimpleNamespace

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.store.rate_ledger import RateLedger
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from app.vendors import http
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.oauth import DrChronoGrant
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import Allowance
from app.vendors.rate_limit.salesforce import unlimited
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.oauth import Credentials, SalesforceGrant
from tests.standins.drchrono.app import create_app as drchrono_app
from tests.standins.salesforce.app import create_app as salesforce_app
from tests.standins.salesforce.org import Credentials as OrgCredentials
from tests.standins.salesforce.tls import throwaway
from tests.standins.serve import running
from tests.standins.tests.conftest import api, control, server, session, signed_in

__all__ = ["api", "control", "server", "session", "signed_in"]  # fixtures that the stand-ins' own tests have, too

USER = "sync@clinic.example"
REDIRECT = "http://127.0.0.1/callback"
APPLICATION = "standin-client"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def org(key, tmp_path_factory):
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    app = salesforce_app(credentials=OrgCredentials(username=USER, public_key=public))
    with (
        throwaway(ca_file) as files,
        running(app, ssl_certfile=files.certificate, ssl_keyfile=files.key) as url,
        httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=str(ca_file))) as control,
    ):
        yield SimpleNamespace(url=url, ca_file=ca_file, control=control, files=files)


def credentials(org, **more):
    given = {
        "login_url": org.url, "client_id": "standin-client-id", "client_secret": "standin-client-secret",
        "username": None, "private_key": None, "org_id": "00DSYN000000001",
    }  # fmt: skip
    return Credentials(**(given | more))


@pytest.fixture
async def client_of(org, database, vault):
    """Gives clients of the org that sign in as told, all with the same stored token, and closes them."""
    org.control.post("/_control/reset")
    context, clients = http.trusted(org.ca_file), []

    def opened(**more):
        grant = SalesforceGrant(credentials(org, **more), context)
        store = VendorTokens(database, vault, Side.SALESFORCE)
        clients.append(Salesforce(grant, store, context, "67.0", lambda *_line, **_rest: None, unlimited()))
        return clients[-1]

    yield opened
    for client in clients:
        await client.close()


@pytest.fixture
def salesforce(client_of):
    return client_of()


@pytest.fixture(scope="module")
def _drchrono_url():
    with running(drchrono_app()) as url:
        yield url


@pytest.fixture
async def practice(_drchrono_url, database, vault):
    """A practice with nobody connected: its control door, our store, and grants and clients of ours, closed at the end.

    grant(budget)  the API application; its budget counts in the store unless told
    client(budget) a client as another process would have one
    join(user)    has a user press Allow, and connects the first client; gives it
    """
    with httpx.Client(base_url=_drchrono_url) as control:
        control.post("/_control/reset")
        store, context, opened = VendorTokens(database, vault, Side.DRCHRONO), http.trusted(None), []

        def grant(budget=None, url=_drchrono_url):
            budget = budget or DrChronoRateLimit("drchrono", RateLedger(database, APPLICATION), Allowance(10_000, 1000))
            opened.append(DrChronoGrant(url, APPLICATION, "standin-secret", context, budget))
            return opened[-1]

        def client(budget=None):
            opened.append(DrChrono(grant(budget), store, context, lambda *_line, **_rest: None))
            return opened[-1]

        def code(**asked):
            return control.post("/_control/oauth/code", json={"redirect_uri": REDIRECT, **asked}).json()["code"]

        async def join(**asked):
            ours = client()
            await ours.broker.replace(await ours.grant.exchange(code(**asked), REDIRECT))
            return ours

        def counted(prefix):
            counts = control.get("/_control/calls").json()["counts"]
            return sum(count for name, count in counts.items() if name.startswith(prefix))

        def fault(match, times=1, **deed):
            control.post("/_control/faults", json={"match": match, "next": times, **deed})

        yield SimpleNamespace(
            control=control, store=store, database=database, url=_drchrono_url,
            grant=grant, client=client, code=code, join=join, counted=counted, fault=fault,
        )  # fmt: skip
        for one in opened:
            await one.close()
