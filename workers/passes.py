"""The words of a worker's pass: what was taken, what was seen of it, and what became of a write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

from app.errors import SyncError
from app.runtime import Runtime
from app.store.links import Due, Taken
from app.sync.records import Fields, Link, Seen, Sight
from app.sync.rules import Rules
from app.vendors.salesforce.wire import RecordRefused


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over what was taken: what it works with, by which rules, and since when (monotonic)."""

    run: Runtime
    rules: Rules
    taken: Taken
    started: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True)
class Looked:
    """One link as taken, with what both sides hold, or why that could not be seen.

    is_contradicted  DrChrono, when asked, denied a body that was believed
    """

    due: Due
    seen: Seen | SyncError
    is_contradicted: bool = False

    @property
    def link(self) -> Link:
        """The link."""
        return self.due.link


@dataclass(frozen=True, slots=True)
class Written:
    """A record took the fields; those in `without` it refused, for that reason. `shown`: how it answered it now is."""

    id: str
    created: bool
    fields: Fields
    without: Mapping[str, str]
    shown: Sight | None = None


Outcome = Written | RecordRefused | SyncError
