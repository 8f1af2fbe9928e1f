"""The plan: what `decide` answers for one link. Each kind of plan holds what it needs, and nothing else.

Whatever is planned, our own earlier writes may be settled beside it (`settled`). What both sides hold of a record that
is linked is compared field by field (`Comparison`), whether anything comes to be written of it or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.sync.inspection import Inspection
from app.sync.model import Exclusion, Fields, RecordRef, Side, Snapshot


@dataclass(frozen=True, slots=True)
class SettledWrites:
    """Ids of our own writes of which more is known now.

    landed  they have landed
    lost    they have not: they never will, or only as one of the `late`
    late    they may land until the vendor gives them up, though they are not waited for
    over    late ones that the vendor has given up
    """

    landed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the fields of two linked records came to, beside what is to be written.

    agreed      what both sides hold equal already: the base may advance to it
    conflicts   fields both sides changed, differently; the winner's value is written
    put_backs   one-way fields somebody edited on the wrong side
    refused     field -> why its value cannot travel; the others still do
    flags       field -> what a change of clocks did to it on its way; it travels nevertheless
    decided     fields of which a person's word is followed; `overtaken` those that somebody has edited since
    late        side -> fields that show there what an earlier write of ours carried, over something newer
    """

    agreed: Fields = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    put_backs: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    decided: tuple[str, ...] = ()
    overtaken: tuple[str, ...] = ()
    late: Mapping[Side, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What every plan may carry: what became of our own earlier writes."""

    settled: SettledWrites = SettledWrites()


@dataclass(frozen=True, slots=True)
class Nothing(_Plan):
    """Nothing is to be done.

    cause   why it is none of ours, where it is not; a stable name
    awaits  the records it refers to that would let more of it travel
    """

    cause: str = ""
    compared: Comparison = Comparison()
    awaits: tuple[RecordRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Write(_Plan):
    """The sides take these fields.

    writes      side -> the fields it should take
    writes_key  the Contact is to carry its chart's id, which it does not
    zone        that of the times that are written
    awaits      the records it refers to that would let more of it travel
    """

    writes: Mapping[Side, Fields]
    compared: Comparison = Comparison()
    writes_key: bool = False
    zone: str = ""
    awaits: tuple[RecordRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Create(_Plan):
    """The record is made on the side it is missing from, once nothing was found there that it could be.

    refused  field -> why its value cannot travel; `flags` what a change of clocks did to one that does
    extra    DrChrono's fields that are sent beside those of the table
    zone     that of the times in it
    awaits   the records it refers to that would let more of it travel
    content  of a document: what its bytes were found to be, which goes with it
    """

    side: Side
    fields: Fields
    refused: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, int] = field(default_factory=dict)
    zone: str = ""
    awaits: tuple[RecordRef, ...] = ()
    content: Inspection | None = None


@dataclass(frozen=True, slots=True)
class Incomplete(_Plan):
    """The record cannot be created, for it lacks what it is nothing without: a person has to fill that in.

    missing  Salesforce's fields that must be filled before DrChrono takes the record
    refused  field -> why its value cannot travel; `flags` what a change of clocks did to another
    awaits   the records it refers to that have to be there first
    """

    missing: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    awaits: tuple[RecordRef, ...] = ()


@dataclass(frozen=True, slots=True)
class FindCreated(_Plan):
    """A create of ours may have happened: what it made is looked for. The match puts what it finds in its place."""


@dataclass(frozen=True, slots=True)
class Delete(_Plan):
    """The record is deleted in Salesforce."""


@dataclass(frozen=True, slots=True)
class LinkTo(_Plan):
    """It is known which record it is on the side the link lacks: `link_to`; that one is read next.

    content  of a document: what the bytes of both were found to be
    """

    link_to: str
    content: Inspection | None = None


@dataclass(frozen=True, slots=True)
class Succeed(_Plan):
    """The visit is one we know, under another id: its link, the `predecessor`, takes that id."""

    predecessor: str


@dataclass(frozen=True, slots=True)
class Follow(_Plan):
    """The Contact was merged into another, its `master`; that one is read next."""

    master: Snapshot


@dataclass(frozen=True, slots=True)
class MergeContacts(_Plan):
    """A person says that the Contact is another: Salesforce merges it into that one, which takes these `fields`."""

    merge_into: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Wait(_Plan):
    """The link is looked at again at a moment that is known.

    cause       why it waits; a stable name
    awaits      the records it refers to that have to be there first
    searched    ids of creates of ours that were looked for and not found yet
    writes_key  the Contact is to carry its chart's id meanwhile; `refused` why that cannot be
    """

    cause: str
    until: datetime
    awaits: tuple[RecordRef, ...] = ()
    searched: tuple[str, ...] = ()
    writes_key: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold(_Plan):
    """A person has to say what is to be done: `cause` is a stable name, `met_id` the record that it met."""

    cause: str
    met_id: str | None = None


@dataclass(frozen=True, slots=True)
class Exclude(_Plan):
    """The record is out of the set that is synced: nothing is written, and what is linked stays linked.

    by          what keeps it out
    deleted_on  the side that has deleted it meanwhile, which is not carried over
    awaits      the records it refers to whose coming back would bring it back
    """

    by: frozenset[Exclusion]
    deleted_on: Side | None = None
    awaits: tuple[RecordRef, ...] = ()


@dataclass(frozen=True, slots=True)
class StayDismissed(_Plan):
    """A person has dismissed what is wrong with the record, which shows what it did then: it is left as it is."""


ReadyPlan = (
    Nothing
    | Write
    | Create
    | Incomplete
    | Exclude
    | Delete
    | LinkTo
    | Succeed
    | Follow
    | MergeContacts
    | Wait
    | Hold
    | StayDismissed
)
Plan = ReadyPlan | FindCreated


def planned_writes(plan: Plan) -> Mapping[Side, Fields]:
    """Give side -> the fields that a plan writes there."""
    match plan:
        case Write():
            return plan.writes
        case Create():
            return {plan.side: plan.fields}
        case MergeContacts():
            return {Side.SALESFORCE: plan.fields}
        case _:
            return {}


def refused_fields(plan: Plan) -> Mapping[str, str]:
    """Give field -> why a plan leaves it out."""
    match plan:
        case Nothing() | Write():
            return plan.compared.refused
        case Create() | Incomplete() | Wait():
            return plan.refused
        case _:
            return {}
