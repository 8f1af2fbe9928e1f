"""The words of how a look at a link ended: the result that is to be saved, and why a record waits for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.store.work_queue import Due
from app.sync.model import Base, Lane, RecordRef, Side


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record waits for a person. `fields` are named as that side names them."""

    side: Side
    cause: str
    fields: tuple[str, ...] = ()
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How one look at a link ended, ready to be saved.

    is_read     the deliveries read at take are used up; False keeps them for the next look
    again_in    how long until the next look; None clears due, unless something came in meanwhile
    settled     own writes whose outcome is known now: journal id -> state
    unconfirmed_fields  fields written to DrChrono that it has not shown since
    is_news     something came in for it under another name: it is due again at once
    is_nobodys  a lone ref that is no business of ours: nothing is remembered of it
    series      its place in a series of visits; None where this look did not say
    succeeds    the link that the record is another id of
    awaits      the records it refers to that are not there yet
    zone        of a doctor: the zone of their visits
    counts      what is to be counted of this look, by name
    searched    creates of ours that were searched for in vain: journal ids
    decided     what people decided that is over: id -> how it ended
    identity_hash  keyed hash of who it is; None where this look did not say
    """

    due: Due
    base: Base
    drchrono_id: str | None
    salesforce_id: str | None
    seen_up_to: str
    is_read: bool
    again_in: timedelta | None = None
    confirm_due_at: datetime | None = None
    lane: Lane = Lane.LIVE
    attempts: int = 0
    last_error: str | None = None
    failure: Failure | None = None
    settled: Mapping[str, str] = field(default_factory=dict)
    unconfirmed_fields: frozenset[str] = frozenset()
    is_news: bool = False
    is_nobodys: bool = False
    searched: tuple[str, ...] = ()
    identity_hash: str | None = None
    series: str | None = None
    succeeds: str | None = None
    awaits: tuple[RecordRef, ...] = ()
    zone: str = ""
    counts: tuple[str, ...] = ()
    decided: Mapping[str, str] = field(default_factory=dict)

    @property
    def refs(self) -> list[RecordRef]:
        """The record, on each side it is known on."""
        ids = ((Side.DRCHRONO, self.drchrono_id), (Side.SALESFORCE, self.salesforce_id))
        return [RecordRef(side, self.due.link.kind, id_) for side, id_ in ids if id_]

    @property
    def has_come(self) -> bool:
        """Whether those who refer to the record need wait no longer: it is linked now, or nothing comes of it."""
        was_linked = self.due.link.drchrono_id and self.due.link.salesforce_id
        is_linked = self.drchrono_id and self.salesforce_id
        is_over = self.again_in is None and not self.is_nobodys  # a Contact may be ticked later
        return not was_linked and bool(is_linked or is_over)
