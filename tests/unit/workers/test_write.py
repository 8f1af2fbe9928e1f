"""What became of writes that were on their way when something failed: what the vendor did, only its own word tells."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from app.errors import LeaseLost, OutcomeUnknown, StoreUnavailable, Unauthorized, Unavailable, ValueRefused
from app.runtime import salesforce_budget, salesforce_client
from app.store.journal import Entry
from app.store.vendor_tokens import VendorTokens
from app.store.work_queue import LeasedBatch
from app.sync.model import Base, Kind, Lane, Link, Side, WriteState
from app.vendors import http
from app.vendors.salesforce.wire import Saved
from tests.build import NOW, rules
from workers import write
from workers.batch import Batch, PreparedWrite, Written

SIDES = pytest.mark.parametrize("side", Side)
ORG = {
    "salesforce_login_url": "https://login.salesforce.com",
    "salesforce_client_id": "id",
    "salesforce_client_secret": SecretStr("secret"),
    "salesforce_org_id": "00DSYN0000000012BA",
}
UNFORESEEN = [ValueError("Jane Canary"), RecursionError(), StoreUnavailable("away"), ValueRefused("no")]
SAID = [Unavailable("salesforce", "PATCH", status=503), Unauthorized("salesforce", "PATCH"), LeaseLost("too late")]


@pytest.fixture
async def batch(run):
    """A batch whose org is connected, and never called."""
    settings, store = run.settings, VendorTokens(run.database, run.vault, Side.SALESFORCE)
    settings = settings.model_copy(update=ORG)
    org = salesforce_client(settings, store, http.trusted(None), salesforce_budget(settings, run.database))
    async with run.database.opened():
        yield Batch(replace(run, salesforce=org), rules(), LeasedBatch(Kind.PATIENT, Lane.LIVE, "token", NOW, ()))
        await org.close()


def writes(side):
    """Three writes to a side."""
    links = [Link(f"link{number}", Kind.PATIENT, str(number), f"003{number}", Base()) for number in range(3)]
    return [PreparedWrite(link, link.id_on(side), Entry(link.id, side, "update", {}), {}, {}) for link in links]


def failing(error):
    async def send(*_given):
        raise error

    return send


def answering(*answers):
    async def send(*_given):
        return answers

    return send


def states(planned, outcomes):
    """What is journalled of each write."""
    return [write._answer(one, outcomes[one.link.id]).state for one in planned]


@SIDES
@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
async def test_what_nobody_foresaw_once_writes_were_sent_leaves_each_unknown(batch, side, error):
    planned = writes(side)

    outcomes = await write._sent(batch, None, failing(error), planned)

    assert states(planned, outcomes) == [WriteState.UNKNOWN] * 3


@SIDES
@pytest.mark.parametrize("error", SAID, ids=lambda error: type(error).__name__)
async def test_what_says_that_nothing_was_written_is_taken_at_its_word(batch, side, error):
    planned = writes(side)

    outcomes = await write._sent(batch, None, failing(error), planned)

    assert states(planned, outcomes) == [WriteState.REFUSED] * 3
    assert set(outcomes.values()) == {error}


@SIDES
async def test_a_database_that_goes_away_in_one_call_leaves_that_one_unknown_and_the_others_as_answered(batch, side):
    planned = writes(side)
    answers = Saved("0", created=False), StoreUnavailable("away"), Saved("2", created=False)

    outcomes = await write._sent(batch, None, answering(*answers), planned)

    assert [type(outcomes[one.link.id]) for one in planned] == [Written, OutcomeUnknown, Written]
    assert states(planned, outcomes) == [WriteState.CONFIRMED, WriteState.UNKNOWN, WriteState.CONFIRMED]
