"""What a history showed, as frozen values: all that a checker knows.

Everything comes from the stand-ins (what each side holds, what people did there, which calls we made) and from our HTTP
contract (queue, failures, conflicts, probes). Nothing comes from our tables. `at` is in seconds since 1970; a record's
`fields` are in the normal form of the mapping, so that equal means equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sync.model import Fields, Kind, Side


@dataclass(frozen=True, slots=True)
class Record:
    """One living record of a side.

    key   the DrChrono id: its own, or the external id that it bears; None where it bears none
    who   what nobody ever edits, so that a second one of the same is seen; empty for kinds that cannot be doubled
    """

    side: Side
    kind: Kind
    id: str
    key: str | None
    who: str
    fields: Fields
    is_deleted: bool = False
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person did to a record: created it, or set some of its fields, given in their normal form."""

    at: float
    side: Side
    kind: Kind
    id: str
    fields: Fields
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice of a change; `state` is delivered, lost for good, or whatever the vendor calls it meanwhile."""

    side: Side
    kind: Kind
    id: str
    state: str
    sends: int

    @property
    def is_acknowledged(self) -> bool:
        """Whether the service said 2xx, or sent an Ack."""
        return self.state == "delivered"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of ours as a stand-in logged it.

    fault    what was made to happen to it; empty for nothing
    unheard  the status of an answer that was held back
    tells_status  whether it only told Salesforce's records how they are synced
    """

    at: float
    side: Side
    method: str
    path: str
    status: int | None
    fault: str
    unheard: int | None = None
    tells_status: bool = False

    @property
    def has_landed(self) -> bool:
        """Whether it was carried out, heard of or not."""
        status = self.unheard if self.unheard is not None else self.status
        return status is not None and status < 300  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Write:
    """A write of ours that a side carried out.

    changes      whether it changed anything there
    is_put_back  whether it changed only what no edit of Salesforce's decides: a field that goes there only
    """

    at: float
    side: Side
    kind: Kind
    id: str
    is_new: bool
    changes: bool = True
    is_put_back: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """A line of /api/v1/conflicts."""

    kind: Kind
    key: str
    field: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A line of /api/v1/failures."""

    cause: str
    kind: Kind
    fields: tuple[str, ...]
    count: int
    fix: str


@dataclass(frozen=True, slots=True)
class Poison:
    """The record that was made impossible to write: its DrChrono id, and the cause that must be told of it."""

    key: str
    cause: str
    at: float


@dataclass(frozen=True, slots=True)
class Burst:
    """Many records changed at once while everything was well, and what that cost.

    calls   to Salesforce; None where that is not what is measured
    writes  to DrChrono, of the record that had the most
    """

    what: str
    records: int
    calls: int | None = None
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at the probes, from `began` to `ended`.

    livez, readyz  the status, None when nobody answered
    parts          the states that /healthz gave, empty when nobody answered
    """

    began: float
    ended: float
    livez: int | None
    readyz: int | None
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spell:
    """A time during which something was up, or was down; `until` is None while it lasts."""

    what: str
    is_up: bool
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What was seen when the world was quiet again, and what had happened since it last was.

    is_heard  False where every notice of the act was lost for good
    left      what was still waiting when patience ended; empty when the world came to rest
    after     calls that we made although nothing was left to do
    broken    what stopped the history before its end; empty when nothing did
    """

    name: str
    began: float
    ended: float
    is_heard: bool = True
    left: str = ""
    records: tuple[Record, ...] = ()
    edits: tuple[Edit, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    calls: tuple[Call, ...] = ()
    writes: tuple[Write, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    failures: tuple[Failure, ...] = ()
    after: tuple[Call, ...] = ()
    broken: str = ""

    def of(self, side: Side, kind: Kind) -> list[Record]:
        """Give what a side holds of a kind."""
        return [one for one in self.records if (one.side, one.kind) == (side, kind)]


@dataclass(frozen=True, slots=True)
class History:
    """All of one history.

    owners  kind -> field -> the side whose value wins; None for a field that goes to Salesforce only
    places  where patients' data was searched for -> how often something of it was found there
    words   how many sorts of it were searched for in each place
    """

    seed: int
    owners: Mapping[Kind, Mapping[str, Side | None]]
    acts: tuple[Act, ...] = ()
    poison: Poison | None = None
    bursts: tuple[Burst, ...] = ()
    probes: tuple[Probe, ...] = ()
    spells: tuple[Spell, ...] = ()
    places: Mapping[str, int] = field(default_factory=dict)
    words: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What a checker found: how many things could have been wrong, and one line for each that was."""

    trials: int
    violations: tuple[str, ...] = ()
