"""The words of a scan: what is to be gone through, in which phases, and the checkpoint it has come to."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.sync.model import Kind, Lane, Side


class Phase(StrEnum):
    """The parts of a scan, in order."""

    DRCHRONO = "drchrono"
    SALESFORCE = "salesforce"
    DELETED = "deleted"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What is to be gone through: a kind, for which lane, since when (None: all there is)."""

    kind: Kind
    lane: Lane
    since: datetime | None = None

    @property
    def name(self) -> str:
        """What it is saved under."""
        return f"{self.lane}_{self.kind}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a scan has come.

    began    when, ISO 8601, by the database's clock
    cursor   of the next page of this phase
    since    as requested when it began, ISO 8601; None: all there is
    read     side -> records gone through;  `found`: of these, how many differ or are new to us
    of       how many there are in this phase, where the vendor says so
    stopped  why the brake holds back what was found; empty when it does not
    """

    began: str
    phase: Phase = Phase.DRCHRONO
    cursor: str = ""
    since: str | None = None
    read: Mapping[str, int] = field(default_factory=dict)
    found: Mapping[str, int] = field(default_factory=dict)
    of: int | None = None
    stopped: str = ""

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "Checkpoint":
        """Give the checkpoint that was saved as this."""
        known = {_SAVED_AS.get(name, name): value for name, value in saved.items()}
        return cls(**{**known, "phase": Phase(known["phase"])})

    def to_save(self) -> dict[str, Any]:
        """Give it as it is saved; a scan that an older version began goes on, so its names stay."""
        return {_NAMED.get(name, name): value for name, value in asdict(self).items()}

    def advanced(self, side: Side, cursor: str, read: int, found: int, of: int | None = None) -> "Checkpoint":
        """Give the checkpoint behind a page of a side's."""
        gone_through = {**self.read, side.value: self.read.get(side, 0) + read}
        differing = {**self.found, side.value: self.found.get(side, 0) + found}
        return replace(self, cursor=cursor, read=gone_through, found=differing, of=of)


_SAVED_AS = {"leg": "phase", "place": "cursor"}
_NAMED = {name: saved for saved, name in _SAVED_AS.items()}
