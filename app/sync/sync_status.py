"""Sync status: how a record is synced, as its Salesforce record shows it to people there. Pure.

The words are the glossary's. What is said holds names of fields and what to do, never a value.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.sync.failure_causes import CAUSES, look_up
from app.sync.model import Exclusion, Kind, RecordState

SYNC_STATUS, SYNC_MESSAGE, SYNCED_AT = "DrChrono_Sync_Status__c", "DrChrono_Sync_Message__c", "DrChrono_Synced_At__c"
RECORD_URL, CHART_URL = "DrChrono_Record_Url__c", "DrChrono_Chart_Url__c"
STATUS_FIELDS = frozenset({SYNC_STATUS, SYNC_MESSAGE, SYNCED_AT, RECORD_URL, CHART_URL})
KINDS_WITH_STATUS = (Kind.PATIENT, Kind.APPOINTMENT, Kind.DOCUMENT)
LONGEST_MESSAGE = 255
_WAITS = "It is tried again by itself."
_DISMISSED = "Somebody dismissed what is wrong here: the two systems may differ until a value changes in either."
_MORE = "…"


class SyncStatus(StrEnum):
    """What the status field of a record holds; an org that was set up long ago knows it by these words."""

    IN_STEP = "In step"
    WAITING = "Waiting"
    NEEDS_REVIEW = "Needs review"
    FAILED = "Failed"
    DISMISSED = "Dismissed"
    NOT_LINKED = "Not linked"
    EXCLUDED = "Excluded"

    @property
    def label(self) -> str:
        """The word that people see, as the console has it."""
        return _LABELS.get(self, self.value)


_LABELS = {SyncStatus.IN_STEP: "Synced", SyncStatus.WAITING: "Pending"}
_OF_STATES = {
    RecordState.IN_STEP: SyncStatus.IN_STEP,
    RecordState.ON_ITS_WAY: SyncStatus.WAITING,
    RecordState.HELD: SyncStatus.NEEDS_REVIEW,
    RecordState.FAILED: SyncStatus.FAILED,
    RecordState.DISMISSED: SyncStatus.DISMISSED,
    RecordState.ALONE: SyncStatus.NOT_LINKED,
    RecordState.EXCLUDED: SyncStatus.EXCLUDED,
}
_WHY_EXCLUDED = {
    Exclusion.DRCHRONO: "The mapping leaves it out, by what DrChrono holds.",
    Exclusion.SALESFORCE: "The mapping leaves it out, by what Salesforce holds.",
    Exclusion.PARENT: "A record that it refers to is left out.",
    Exclusion.PERSON: "It was unlinked here: nothing travels until somebody links it again.",
}


@dataclass(frozen=True, slots=True)
class StatusText:
    """What a record shows: a status, and a sentence or two of why and what to do; empty where nothing is to be done.

    record_url, chart_url  its pages in the console and in DrChrono; empty where it has none
    """

    status: SyncStatus
    message: str = ""

    record_url: str = ""
    chart_url: str = ""

    @property
    def digest(self) -> str:
        """A short text that none has which says something else."""
        said = f"{self.status}\n{self.message}\n{self.record_url}\n{self.chart_url}"
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def status_of(
    state: RecordState, cause: str = "", fields: Sequence[str] = (), excluded_by: frozenset[Exclusion] = frozenset()
) -> StatusText:
    """Give what a record shows that stands so.

    cause   why it failed or is held; of one that waits, why it does
    fields  those the cause is about, by the names of its side
    """
    match state:
        case RecordState.HELD | RecordState.FAILED:
            message = _about(fields, look_up(cause).fix)
        case RecordState.DISMISSED:
            message = _about(fields, _DISMISSED)
        case RecordState.ON_ITS_WAY:
            message = f"{CAUSES[cause].fix} {_WAITS}" if cause in CAUSES else _WAITS
        case RecordState.EXCLUDED:
            message = " ".join(_WHY_EXCLUDED[one] for one in Exclusion if one in excluded_by)
        case RecordState.IN_STEP | RecordState.ALONE:
            message = ""
    if len(message) > LONGEST_MESSAGE:
        message = message[: LONGEST_MESSAGE - len(_MORE)] + _MORE
    return StatusText(_OF_STATES[state], message)


def _about(fields: Sequence[str], message: str) -> str:
    return f"{', '.join(fields)}: {message}" if fields else message
