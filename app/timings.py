"""How long the service's own waits are: leases, beats, looks, and how long a vendor's answer is worth waiting for.

One value, made once where a process begins and handed down from there. They belong together: a call ends before the
lease under which it was made, a lease is renewed before it ends, a worker beats several times before it counts as dead.
Tests that kill processes shrink all of them alike, so the proportions they prove are those of production.
"""

import os
from dataclasses import dataclass
from datetime import timedelta

TOKEN_LEASE = timedelta(seconds=30)  # whoever asks a vendor for a token gives up by then
_SCALE = "CHRONOBRIDGE_TIME_SCALE"  # for tests alone, and no setting: nobody should run a clinic by it


@dataclass(frozen=True, slots=True)
class Timings:
    """The waits. What is not here has to do with a vendor or a person, and keeps its own time."""

    lease: timedelta = timedelta(seconds=20)
    scan_held: timedelta = timedelta(seconds=10)
    call_s: float = 12.0  # a vendor's answer; less than a lease, by enough to renew that meanwhile
    transfer_s: float = 60.0  # the bytes of a document, in or out; the lease is renewed meanwhile
    connect_s: float = 4.0
    read_s: float = 10.0
    beat_s: float = 4.0
    alive: timedelta = timedelta(seconds=15)
    listens_s: float = 10.0  # how often a worker says to Redis that it listens; it is forgotten a second later
    redis_wait_s: float = 10.0  # the longest between two tries to reach Redis
    pool_s: float = 3.0  # for a connection to the database; less than a look of the probes may take
    probe_s: float = 5.0
    probe_old_s: float = 20.0

    def times(self, scale: float) -> "Timings":
        """Give all of them longer or shorter alike."""
        return Timings(*(getattr(self, name) * scale for name in self.__slots__))


REAL = Timings()


def of_this_process() -> Timings:
    """Give what this process goes by."""
    return REAL.times(float(os.environ.get(_SCALE, "1")))
