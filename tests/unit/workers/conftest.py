"""What a look ends in: a pass whose parts are real and of which none is opened."""

import pytest

from app.runtime import Runtime
from app.store.database import Database
from app.store.encryption import Vault
from app.store.work_queue import DeliveredBody, Due, LeasedBatch
from app.sync.decide import decide
from app.sync.model import Kind, Lane, Seen, Side
from app.vendors.salesforce.org_description import OrgMappings
from app.wakeup import Wakeup
from tests.build import KEY, KEYS, LATER_STAMP, NOW, SHIPPED, rules
from workers.batch import Batch, Observed
from workers.outcome import outcome_of

ATTEMPT_LIMIT = 3


@pytest.fixture
def run(said, tmp_path):
    """A runtime whose parts are real and of which none is opened."""
    settings = said(ATTEMPT_LIMIT=ATTEMPT_LIMIT)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/never.db")
    bell = Wakeup(None, lambda: None)
    mappings = OrgMappings({Kind.PATIENT: SHIPPED})
    return Runtime(settings, database, Vault((KEY.encode(),)), KEYS, mappings, bell, None, None)


@pytest.fixture
def end(run):
    """Gives what is saved of a look: decided here unless it failed, and written with this outcome."""

    def ending(link, what, outcome=None, attempts=0, by=None, side=Side.SALESFORCE):
        by = by or rules()
        due = Due(link, 1, 1, attempts, (DeliveredBody("01JDELIVERY", 0, "sealed", LATER_STAMP, NOW),))
        work = Batch(run, by, LeasedBatch(Kind.PATIENT, Lane.LIVE, "token", NOW, (due,)))
        plan = decide(by, link, what, NOW) if isinstance(what, Seen) else None
        outcomes = {} if outcome is None else {side: outcome}
        return outcome_of(work, Observed(due, what), plan, outcomes)

    return ending
