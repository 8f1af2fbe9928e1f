"""Salesforce's own senders at the real doors: what people do there is heard, also badly carried, and heard once."""

import pytest
import sqlalchemy as sa

from app.main import create_app
from app.store.tables import deliveries, events
from tests.contract.listening import quieted
from tests.flow.clinic import KEY, OUTBOUND
from tests.flow.heard import changed
from tests.standins.serve import running

EVENTS = "event-token-of-the-tests"
UNKIND = {"duplicate": 3, "shuffle": True, "seed": 7, "batch": 3, "retry_s": 0.05}


@pytest.fixture
def org(known, empty_vendors):
    """Salesforce, and the address of our service."""
    given = changed(known, salesforce_event_tokens=EVENTS, salesforce_event_signing_keys=KEY)
    with running(create_app(given)) as url:
        yield empty_vendors.salesforce, url
        empty_vendors.salesforce.post("/_control/reset")


async def rows(database, table):
    return await database.read(sa.select(table))


def people_at_work(salesforce):
    """Ten Contacts are created, one is edited and one is deleted; gives their ids."""
    ids = [salesforce.post("/_control/records/Contact", json={"LastName": f"N{n}"}).json()["Id"] for n in range(10)]
    salesforce.patch(f"/_control/records/Contact/{ids[0]}", json={"FirstName": "Ada"})
    salesforce.delete(f"/_control/records/Contact/{ids[1]}")
    return ids


async def test_outbound_messages_are_all_acknowledged_and_their_records_due(org, database):
    salesforce, url = org
    given = {
        "url": f"{url}/webhooks/salesforce/outbound/{OUTBOUND}",
        "objects": {"Contact": ["LastName"]},
        "hold": True,
    }
    salesforce.put("/_control/outbound", json=given | UNKIND)
    ids = people_at_work(salesforce)
    salesforce.put("/_control/outbound", json={"hold": False})

    found = quieted(lambda: salesforce.get("/_control/outbound").json())

    assert (found["delivered"], found["given_up"]) == (11, 0)
    assert {row.record_id for row in await rows(database, events)} == set(ids) - {ids[1]}
    assert len(await rows(database, deliveries)) <= 4


@pytest.mark.parametrize("shape", ["flow", "apex", "relay"])
async def test_platform_events_are_all_taken_and_each_with_an_id_kept_once(org, database, shape):
    salesforce, url = org
    given = {"url": f"{url}/webhooks/salesforce/events", "token": EVENTS, "shape": shape, "signing_key": KEY}
    salesforce.post("/_control/events", json=given | {"duplicate": 2})
    ids = people_at_work(salesforce)

    found = quieted(lambda: salesforce.get("/_control/events").json())

    assert (found["delivered"], found["given_up"]) == (12, 0)
    assert {row.record_id for row in await rows(database, events)} == set(ids)
    assert len(await rows(database, deliveries)) <= (24 if shape == "flow" else 12)  # a flow's callout has no id
