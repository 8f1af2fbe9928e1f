"""Both stand-ins for the whole run, emptied before each test; a clinic on either kind of database."""

import ssl
from types import SimpleNamespace

import pytest

from tests.flow.clinic import opened, settings_of
from tests.standins.drchrono.app import create_app as drchrono_app
from tests.standins.salesforce.app import create_app as salesforce_app
from tests.standins.salesforce.tls import throwaway
from tests.standins.serve import served


@pytest.fixture(scope="session")
def vendors(tmp_path_factory):
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    with (
        throwaway(ca_file) as files,
        served(drchrono_app(redirect_uris=["https://sync.example.com/connect/drchrono/callback"])) as here,
        served(salesforce_app(), ssl_certfile=files.certificate, ssl_keyfile=files.key) as there,
        here.client() as drchrono,
        there.client(ssl.create_default_context(cafile=str(ca_file))) as salesforce,
    ):
        yield SimpleNamespace(drchrono=drchrono, salesforce=salesforce, ca_file=ca_file)


@pytest.fixture
def empty_vendors(vendors):
    vendors.drchrono.post("/_control/reset")
    vendors.salesforce.post("/_control/reset")
    return vendors


@pytest.fixture
def known(database, empty_vendors):
    """The settings of a clinic whose both sides are set up."""
    it = empty_vendors
    return settings_of(
        database, str(it.drchrono.base_url).rstrip("/"), str(it.salesforce.base_url).rstrip("/"), it.ca_file
    )


@pytest.fixture
async def clinic(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as it:
        yield it
