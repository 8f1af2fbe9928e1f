"""The words of a scan: what is to be gone through, in which legs, and how far that has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    place    of the next page of this leg
    since    as asked when it was begun, ISO 8601; None: all there is
    read     side -> records gone through;  `found`: of these, how many differ or are new to us
    of       how many there are on this leg, where the vendor says so
    stopped  why the brake holds back what was found; empty when it does not
    """

    began: str
    leg: Phase = Phase.DRCHRONO
    place: str = ""
    since: str | None = None
    read: Mapping[str, int] = field(default_factory=dict)
    found: Mapping[str, int] = field(default_factory=dict)
    of: int | None = None
    stopped: str = ""

    @classmethod
    def saved(cls, at: Mapping[str, Any]) -> "Checkpoint":
        """Give the course that was saved as this."""
        return cls(**{**at, "leg": Phase(at["leg"])})

    def onward(self, side: Side, place: str, read: int, found: int, of: int | None = None) -> "Checkpoint":
        """Give the course behind a page of a side's."""
        gone_through = {**self.read, side.value: self.read.get(side, 0) + read}
        differing = {**self.found, side.value: self.found.get(side, 0) + found}
        return replace(self, place=place, read=gone_through, found=differing, of=of)
