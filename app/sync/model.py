"""The words of the core, as frozen types: side, kind, snapshot, link, cause. What is planned for a link: `plan.py`.

A *snapshot* is one record as one side holds it, as just read. `Fields` holds tidy values: a key that is absent was
not read, so it says nothing; None was read, and is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.sync.document_file import FileFacts

Fields = Mapping[str, str | None]
WHOLE_RECORD = "which record"  # of what can be decided: no row of TOML reads so by accident


class Side(StrEnum):
    """The two systems; neither is ours, neither is the source."""

    DRCHRONO = "drchrono"
    SALESFORCE = "salesforce"

    @property
    def other(self) -> "Side":
        """The side across."""
        return Side.SALESFORCE if self is Side.DRCHRONO else Side.DRCHRONO


class Kind(StrEnum):
    """What is kept the same."""

    PATIENT = "patient"
    APPOINTMENT = "appointment"
    DOCTOR = "doctor"
    OFFICE = "office"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True, order=True)
class RecordRef:
    """One record on one side."""

    side: Side
    kind: Kind
    id: str


class Lane(StrEnum):
    """How urgent a piece of work is, most urgent first."""

    LIVE = "live"
    RETRY = "retry"
    CONFIRM = "confirm"
    COMPARE = "compare"
    BACKFILL = "backfill"

    def behind(self, other: "Lane") -> "Lane":
        """Give the less urgent of two."""
        return max(self, other, key=list(Lane).index)


class Exclusion(StrEnum):
    """What keeps a record out of the set that is synced.

    A condition on a side, a record that it refers to, or a person who has unlinked it.
    """

    DRCHRONO = "drchrono"
    SALESFORCE = "salesforce"
    PARENT = "parent"
    PERSON = "person"


class RecordState(StrEnum):
    """How a record stands, for a person."""

    IN_STEP = "in_step"
    ON_ITS_WAY = "on_its_way"
    FAILED = "failed"
    HELD = "held"
    DISMISSED = "dismissed"
    ALONE = "alone"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One record as one side holds it.

    version     the vendor's own change stamp, comparable only with others of the same record and side
    confirmed   we asked and the side answered; False for the body of a delivery, which is only a hint
    unreadable  field -> why its raw value has no counterpart here; such a field is absent from `fields`
    key         the other side's id that the record carries; only Salesforce's do
    zone        that of the times in it, verbatim; empty where it has none or none is known
    unlinked    field -> Salesforce's id of a record it refers to, which carries no DrChrono id
    series      its place in a series of visits, which its id need not keep
    changed_by  the user who changed it last; only Salesforce's say so
    skipped     why it is none of ours: a break, or an occurrence nobody has touched
    is_opted_in  a person wants it on the other side, or its kind needs no such word; only of Salesforce's
    is_included  whether its side's conditions of the mapping hold; None where it does not show all they ask for
    excluded     fields that refer to a record which the same side's conditions leave out
    file         of a document in Salesforce: what is known of the version
    """

    id: str
    fields: Fields
    version: str = ""
    confirmed: bool = True
    unreadable: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    zone: str = ""
    unlinked: Mapping[str, str] = field(default_factory=dict)
    skipped: str = ""
    series: str = ""
    is_opted_in: bool = False
    is_included: bool | None = True
    excluded: frozenset[str] = frozenset()
    changed_by: str = ""
    file: FileFacts | None = None


class Absent(StrEnum):
    """We asked, and the side does not hold (or does not show) the record."""

    ABSENT = "absent"


class NothingNew(StrEnum):
    """Nothing came from the side since both last agreed: as far as we know it holds what the base says."""

    UNHEARD = "unheard"


@dataclass(frozen=True, slots=True)
class Deleted:
    """Salesforce says that the record was deleted; `master` is the one it was merged into, if it was."""

    master: Snapshot | None = None


class Parent(StrEnum):
    """How far a record is that another one refers to."""

    LINKED = "linked"
    COMING = "coming"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class NeedsConfirmation:
    """What was delivered may not be believed yet; a GET decides. `reason` is a stable name."""

    reason: str


@dataclass(frozen=True, slots=True)
class FieldResolution:
    """What a person decided of one field of a link, or of the whole record which one on that side it is (`twin`).

    Of the whole record without a `twin`: that a new one is right.

    side       whose value counts; of an old value the side that it was taken from
    expects    side -> stamp of what that side held when the person looked
    puts_back  both sides are to hold `value`, whatever either holds now
    """

    id: str
    side: Side
    expects: Mapping[Side, str] = field(default_factory=dict)
    puts_back: bool = False
    value: str | None = field(default=None, repr=False)
    twin: str | None = None


class CardAction(StrEnum):
    """What a person can ask for on a record's card in Salesforce."""

    SYNC = "sync"
    LINK = "link"
    UNLINK = "unlink"


@dataclass(frozen=True, slots=True)
class CardRequest:
    """What a person has asked for there; of a link, to which chart."""

    action: CardAction
    chart: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.chart}".rstrip()


@dataclass(frozen=True, slots=True)
class Seen:
    """Both sides of one link as just looked at.

    decided  field -> what a person decided of it; of `WHICH`, which record over there it is
    predecessor  the link of the same visit under an earlier id
    parents  (kind, DrChrono id) -> how far it is, of the records that are referred to and not known to be linked
    excluded  of the records that are referred to, by either side's id, those that are out of the set that is synced
    dismissed  of those that are not linked, the ones whose failure a person has dismissed
    our_user  who changes what we write in Salesforce, there; empty where that is not known
    card      what a person has asked for last, on the record's card in Salesforce, of linking it
    """

    drchrono: Snapshot | Absent | NeedsConfirmation | NothingNew
    salesforce: Snapshot | Absent | Deleted
    parents: Mapping[tuple[Kind, str], Parent] = field(default_factory=dict)
    predecessor: str | None = None
    decided: Mapping[str, FieldResolution] = field(default_factory=dict)
    excluded: frozenset[RecordRef] = frozenset()
    dismissed: frozenset[RecordRef] = frozenset()
    our_user: str = ""
    card: CardRequest | None = None


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """A write of ours whose outcome is not known, or that may land late, and the side it went to.

    stamps         field -> (stamp of what was there, stamp of what we wrote); None where nothing was known
    settle_at      from then on the vendor has given the request up: what has not landed never will
    call           what was asked for: update, create, upload, delete or merge
    sent           sealed: what a create sent, to find by it what it made; `content_stamp`: a keyed hash of the bytes
    made           what a create is known to have made, while no link says so
    searched_at    when a create was first searched for, in vain
    job            the vendor's job it was sent by; empty once that one was seen to have ended
    """

    id: str
    side: Side
    stamps: Mapping[str, tuple[str | None, str]]
    settle_at: datetime
    sent: str | None = None
    made: str | None = None
    searched_at: datetime | None = None
    job: str | None = None
    call: str = "update"
    content_stamp: str | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again while it may still land: it names its record, by Id or by our external id."""
        is_keyed = self.call == "update" or (self.call == "create" and self.side is Side.SALESFORCE)  # no upload is
        return is_keyed and self.job is None


@dataclass(frozen=True, slots=True)
class Base:
    """field -> stamp of what both sides last agreed on; a field is absent when they never did."""

    stamps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """Two refs that are the same thing; a lone ref while the other side's id is None.

    seen_up_to  the highest DrChrono `updated_at` whose state we have taken in
    confirm_due_at  when a GET was promised for a doubted body; None when nothing is doubted
    own_writes  our writes whose outcome is not known, oldest first
    late_writes  those that did not show when they were looked for, and may still land until they `settle`
    unconfirmed_fields  fields we have written to DrChrono, which has not shown them since
    is_failed   it has a failure, which waits for a person or was dismissed
    is_dismissed  a person has dismissed it: while both sides show what they did, nothing is written
    shown       of a failed one, side -> field -> stamp of what that side showed when it failed
    conflicts   of a failed one, the fields in conflict that were counted then
    last_cause  why it is looked at again, or waits for a person; empty where all was well
    excluded_by  what kept it out of the set that is synced when it was last looked at; nothing where it was in it
    """

    id: str
    kind: Kind
    drchrono_id: str | None
    salesforce_id: str | None
    base: Base
    seen_up_to: str = ""
    confirm_due_at: datetime | None = None
    own_writes: tuple[PendingWrite, ...] = ()
    unconfirmed_fields: frozenset[str] = frozenset()
    is_failed: bool = False
    last_cause: str = ""
    excluded_by: frozenset[Exclusion] = frozenset()
    late_writes: tuple[PendingWrite, ...] = ()
    is_dismissed: bool = False
    shown: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    conflicts: frozenset[str] = frozenset()

    @property
    def is_pair(self) -> bool:
        """Whether both refs are known."""
        return self.drchrono_id is not None and self.salesforce_id is not None

    def id_on(self, side: Side) -> str | None:
        """The record's id on that side, None while unknown."""
        return self.drchrono_id if side is Side.DRCHRONO else self.salesforce_id


class WriteState(StrEnum):
    """How far an outward call is known to have come."""

    PLANNED = "planned"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


OPEN = (WriteState.PLANNED.value, WriteState.UNKNOWN.value)  # it may have been sent, and may yet land
UPLOAD = "upload"  # the call that makes a document: on neither side may it be made twice


BULKY = frozenset({Lane.COMPARE, Lane.BACKFILL})  # lanes whose writes may go by a job of the vendor's


class FailureClass(StrEnum):
    """What sort of thing is wrong with a record that waits for a person.

    VALUE     a value the other side does not take
    MISSING   something it needs is not filled in
    RULE      a rule or an automation in Salesforce refuses it
    ACCESS    a right or a field the integration user lacks
    IDENTITY  it is not clear which record it is
    PARENT    what it refers to is not there
    GONE      it is there on one side only
    CONFLICT  both sides changed a field, or something keeps changing it
    CLASH     another visit is at that time
    ANSWER    the vendor did not answer, or not so that it could be read
    INTERNAL  it met a mistake of this service, which the log tells of
    ORG       the state of the whole org, or a limit of it
    OTHER     none of these
    """

    VALUE = "value"
    MISSING = "missing"
    RULE = "rule"
    ACCESS = "access"
    IDENTITY = "identity"
    PARENT = "parent"
    GONE = "gone"
    CONFLICT = "conflict"
    CLASH = "clash"
    ANSWER = "answer"
    INTERNAL = "internal"
    ORG = "org"
    OTHER = "other"


class Decision(StrEnum):
    """What a person decides of a held record.

    FIELDS                whose value of a field counts
    RECORD_IN_DRCHRONO    which of several charts it is; RECORD_IN_SALESFORCE which of several Contacts
    NEW_IN_DRCHRONO       that a new chart is right, or which of those that are shown by then it is
    MERGE                 that a Contact is the one its chart has: the two are merged
    """

    FIELDS = "fields"
    RECORD_IN_DRCHRONO = "record_in_drchrono"
    RECORD_IN_SALESFORCE = "record_in_salesforce"
    NEW_IN_DRCHRONO = "new_in_drchrono"
    MERGE = "merge"


class RefusalScope(StrEnum):
    """What a refusal of Salesforce's is about.

    RECORD      the record, or one that it refers to
    CALL        what was sent together: fewer records at once may go, or all but one of them
    ORG         the whole org: whatever it is sent now
    CONNECTION  our credential
    """

    RECORD = "record"
    CALL = "call"
    ORG = "org"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class FailureCause:
    """One cause.

    fix       what a person does about it, in a sentence or two
    side      where that is, if it is held
    is_held   the record waits for a person's decision, not only for a mend
    decision  which decision that is; None where it is taken at the vendor's
    passes    it may pass by itself, so a record that Salesforce refuses for it is tried again
    scope     what it is about, where Salesforce refuses
    """

    name: str
    group: FailureClass
    fix: str
    side: Side = Side.SALESFORCE
    is_held: bool = False
    decision: Decision | None = None
    passes: bool = False
    scope: RefusalScope = RefusalScope.RECORD
