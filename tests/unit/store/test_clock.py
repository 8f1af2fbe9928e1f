"""Every instant says what it is, so that a clock that jumps moves all that must be moved and nothing else."""

import pytest

from app.store import clock_skew
from app.store.clock import Instant
from app.store.clock_skew import instants
from app.store.tables import metadata
from app.timings import REAL, TOKEN_LEASE

INSTANTS = [column for table in metadata.tables.values() for column in table.c if isinstance(column.type, Instant)]


@pytest.mark.parametrize("column", INSTANTS, ids=str)
def test_every_instant_says_what_it_is(column):
    assert column.info.get("time") in ("deadline", "lease", "stamp")


def test_nothing_else_says_so():
    assert [str(one) for one in instants("deadline", "lease", "stamp")] == [str(one) for one in INSTANTS]


def test_every_lease_says_how_long_it_is():
    lengths = {str(one): one.info["length"] for one in instants("lease")}

    assert lengths == {
        "links.lease_until": REAL.lease,
        "matches.until": REAL.lease,
        "scans.held_until": REAL.scan_held,
        "connections.lease_until": TOKEN_LEASE,
    }


def test_a_clock_that_was_turned_back_brings_back_every_deadline_but_that_of_a_write():
    left = {str(one) for one in instants("deadline")} - {str(one) for one in clock_skew._DEADLINES}

    assert left == {"journal.settle_at"}
