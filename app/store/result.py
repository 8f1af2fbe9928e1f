"""The words of how a look at a link ended: the result that is to be saved, and why a record waits for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from app.store.documents import StoredDocument
from app.store.work_queue import Due
from app.sync.dismissals import Shown
from app.sync.model import Lane, Link, RecordRef, Side
from app.sync.plan import SettledWrites


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record waits for a person.

    fields   as that side names them
    message  sealed: what the vendor itself says of it, our values struck out; None where it says nothing
    """

    side: Side
    cause: str
    fields: tuple[str, ...] = ()
    is_held: bool = False
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """When the link is looked at again, how urgent that is, and why: at once, and for no cause, where all is well."""

    again_in: timedelta = timedelta(0)
    lane: Lane = Lane.LIVE
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the record is; None where this look did not say.

    hash    keyed hash of a person's name and birth date
    others  the same of whoever else what was delivered says that it is
    series  a visit's place in its series
    """

    hash: str | None = None
    series: str | None = None
    others: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        """Everybody that it is said to be."""
        return self.others if self.hash is None else self.others | {self.hash}


@dataclass(frozen=True, slots=True)
class LinkChange:
    """What becomes of the link itself.

    succeeds    the link that the record is another id of: that one takes the id
    is_news     something came in for it under another name: it is due again at once
    is_nobodys  a lone ref that is no business of ours: nothing is remembered of it
    """

    succeeds: str | None = None
    is_news: bool = False
    is_nobodys: bool = False


@dataclass(frozen=True, slots=True)
class Effects:
    """What the look means beyond its own record.

    awaits  the records it refers to that are not there yet
    zone    of a doctor: the zone of their visits
    counts  what is to be counted of it, by name
    """

    awaits: tuple[RecordRef, ...] = ()
    zone: str = ""
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """How one look at a link ended, ready to be saved.

    due          the link as it stood when taken;  `link`: as it stands from now on
    is_read      the deliveries read at take are used up; False keeps them for the next look
    attempts     how many were spent since it last went well
    retry        when it is looked at again; None clears due, unless something came in meanwhile
    settled      own writes whose outcome is known now
    searched     creates of ours that were searched for in vain: journal ids
    resolutions  what people decided that is over: id -> how it ended
    is_dismissed  a person has dismissed its failure, and nothing has changed since: that stays as it is
    shown        side -> field -> stamp of what that side showed by the end of the look; empty where it was not seen
    conflicts    the fields that both sides had changed, differently; None where the look did not come to say
    document     of a document, what is known of it beside its link; `replaces`: DrChrono's id of the earlier one
    wants_documents  of a patient: how urgent it is to list the documents; None where it need not be
    """

    due: Due
    link: Link
    is_read: bool = False
    attempts: int = 0
    retry: Retry | None = None
    failure: Failure | None = None
    change: LinkChange = LinkChange()
    identity: Identity = Identity()
    settled: SettledWrites = field(default_factory=SettledWrites)
    searched: tuple[str, ...] = ()
    effects: Effects = Effects()
    resolutions: Mapping[str, str] = field(default_factory=dict)
    is_dismissed: bool = False
    shown: Shown = field(default_factory=dict)
    conflicts: frozenset[str] | None = None
    document: StoredDocument | None = None
    replaces: str | None = None
    wants_documents: Lane | None = None

    @property
    def last_error(self) -> str | None:
        """What is wrong: why it waits for a person, or is tried again."""
        of = self.failure or self.retry
        return of.cause if of else None

    @property
    def refs(self) -> list[RecordRef]:
        """The record, on each side it is known on."""
        ids = ((side, self.link.id_on(side)) for side in Side)
        return [RecordRef(side, self.link.kind, id_) for side, id_ in ids if id_]

    @property
    def has_come(self) -> bool:
        """Whether those who refer to the record need wait no longer: it is linked now, or nothing comes of it.

        So does one that was out of the set that is synced, and is in it again; and one that is well again, for it may
        have failed because it was gone.
        """
        if self.due.link.excluded_by and not self.link.excluded_by:
            return True
        if self.due.link.is_failed and self.is_read and self.failure is None and not self.is_dismissed:
            return True
        was, now = ({one.drchrono_id, one.salesforce_id} for one in (self.due.link, self.link))
        is_linked = None not in now and was != now  # a link that was a pair may have another Contact now
        is_over = self.retry is None and not self.is_dismissed
        is_over = is_over and not self.change.is_nobodys  # a Contact may be ticked later
        return is_linked or (None in was and is_over)
