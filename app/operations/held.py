"""Held records: those that wait for a person's word, why, and what may be done; both sides of one, read now.

What the person then decides is for `resolve.py`.
"""

from dataclasses import dataclass
from datetime import datetime

from app.operations import candidates, records, resolve
from app.operations.candidates import Candidates
from app.operations.model import ListPage, first_of
from app.operations.records import BothSides
from app.ports import By
from app.runtime import Runtime
from app.store import failures, record_views, resolutions
from app.store.failures import Group
from app.store.record_views import RecordView
from app.sync.failure_causes import fix
from app.sync.model import Kind, Side


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record that waits; `is_decided`: a person has decided, and it is to be carried out."""

    link_id: str
    side: str
    kind: str
    cause: str
    fields: tuple[str, ...]
    fix: str
    drchrono_id: str | None
    salesforce_id: str | None
    is_decided: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may do about a held record. `met`: the side on which it met somebody, several or one."""

    is_decided: bool
    can_settle: bool
    can_choose: bool
    can_merge: bool
    met: Side | None


async def listed(
    runtime: Runtime, limit: int, after: str = "", *, cause: str | None = None, kind: Kind | None = None
) -> ListPage[HeldRecord]:
    """Give held records in the order of their links, from after one on; those of a cause or a kind where told.

    Raises  StoreUnavailable
    """
    group = Group(cause=cause, kind=kind, is_held=True)
    rows = await failures.some(runtime.database, group, limit + 1, after)
    decided = await resolutions.waiting(runtime.database, [row.link_id for row in rows])
    found = [
        HeldRecord(
            row.link_id,
            row.side,
            row.kind,
            row.cause,
            tuple(row.fields.split(",")) if row.fields else (),
            fix(row.cause),
            row.drchrono_id,
            row.salesforce_id,
            row.link_id in decided,
            row.at,
        )
        for row in rows
    ]
    return first_of(found, limit, lambda one: one.link_id, await failures.count(runtime.database, group))


async def find(runtime: Runtime, link_id: str) -> RecordView | None:
    """Give a record by its link; None when there is none.

    Raises  StoreUnavailable
    """
    found = await record_views.by_id(runtime.database, link_id)
    return found if found is not None and found.link.kind in runtime.mappings else None


async def choices_of(runtime: Runtime, one: RecordView) -> Choices:
    """Give what a person may do about a record.

    Raises  StoreUnavailable
    """
    return Choices(
        bool(await resolutions.waiting(runtime.database, [one.id])),
        resolve.waits_for_fields(one),
        resolve.lacks(one) is not None,
        resolve.is_taken(one),
        resolve.met(one),
    )


async def read(runtime: Runtime, one: RecordView, by: By | None = None) -> BothSides | Candidates:
    """Read both sides of a record, or whom it could be where it met somebody, by a call to each.

    by      who may see the values, which is noted before anything is shown; None: they are masked, or for nobody
    Raises  StoreUnavailable
    """
    if resolve.met(one) is not None:
        return await candidates.of(runtime, one, by)
    return await (records.read(runtime, one) if by is None else records.reveal(runtime, one, by))
