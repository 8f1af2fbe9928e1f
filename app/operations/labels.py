"""Labels: what people read for the names that code, tables and the API use, each written once.

A name stays as it is in tables, logs and metrics, which are read by programs; its label is the word of the field, and
stands on every page, in every message and on the command line. The same name may be another thing elsewhere (`held`
is a state and a cause), so labels are grouped by what they are the name of.
"""

from collections.abc import Mapping
from enum import StrEnum

from app.sync.model import RecordState


class LabelGroup(StrEnum):
    """What a name is the name of."""

    STATUS = "status"
    QUEUE = "queue"
    ACTION = "action"
    UNDO = "undo"


_LABELS: Mapping[LabelGroup, Mapping[str, str]] = {
    # of a record, of a call, of a delivery, of a load and of a part: what a page shows as a badge
    LabelGroup.STATUS: {
        "in_step": "Synced",
        "on_its_way": "Pending",
        "held": "Needs review",
        "alone": "Not linked",
        "open": "Running",
        "kept": "Accepted",
        "skipped": "Ignored",
        "unreadable": "Invalid",
        "equal": "Same",
        "ok": "OK",
        "not_loaded": "Not started",
        "loading": "Running",
        "applying": "Applying",
        "previewing": "Counting",
    },
    LabelGroup.QUEUE: {
        "live": "Live",
        "retry": "Retries",
        "confirm": "Verification",
        "compare": "Reconciliation",
        "backfill": "Initial sync",
        "all": "All queues",
    },
    LabelGroup.ACTION: {
        "look": "Check again",
        "discard": "Dismiss",
        "settle": "Save decision",
        "undo": "Restore",
        "reveal": "Show values",
        "reconcile": "Reconciliation",
        "backfill": "Initial sync",
        "try_out": "Test connection",
    },
    LabelGroup.UNDO: {"open": "Pending", "done": "Restored", "overtaken": "Superseded", "dropped": "Given up"},
}

# of causes, and of the parts of the service
_NAMES: Mapping[str, str] = {"held": "changed in both systems", "lanes": "queues", "redis": "Redis"}
# of what the journal keeps: why a field was written, and which rule decided
_PHRASES: Mapping[str, str] = {
    " owns it": " is the system of record",
    "put back: it travels one way": "reverted edit: it travels one way",
    "drchrono": "DrChrono",
    "salesforce": "Salesforce",
}
# the names of a record's states, for scripts and in addresses, where they are not the state's own
STATUS_NAMES: Mapping[RecordState, str] = {
    RecordState.IN_STEP: "synced",
    RecordState.ON_ITS_WAY: "pending",
    RecordState.HELD: "needs_review",
    RecordState.ALONE: "unlinked",
}


def record_state(name: str) -> RecordState | None:
    """Give the state that a name means, by the name it has now or by its own; None where it means none."""
    return next((one for one in RecordState if name in (one.value, STATUS_NAMES.get(one))), None)


def label(name: str, of: LabelGroup | str = LabelGroup.STATUS) -> str:
    """Give what people read for a name; one without a label of its own is written out, as a sentence begins."""
    written_out = in_words(name)
    return _LABELS[LabelGroup(of)].get(name) or written_out[:1].upper() + written_out[1:]


def in_words(name: str) -> str:
    """Give a cause, a rule, a reason, a part or a system as it stands within a sentence."""
    said = _NAMES.get(name, name.replace("_", " "))
    for kept, read in _PHRASES.items():
        said = said.replace(kept, read)
    return said
