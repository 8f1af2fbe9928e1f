"""Audit: who did what, as a person or a script looks through it; every act is noted by the operation that does it."""

from dataclasses import dataclass
from datetime import datetime

from app.ports import Action, ListPage, first_of
from app.runtime import Runtime
from app.store import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act as it was noted. `about`: what it was done to; `records`: how many it touched; `reason`: why."""

    id: str
    at: datetime
    role: str
    who: str
    action: str
    about: str
    records: int
    reason: str


async def acts(
    runtime: Runtime, limit: int, action: Action | None = None, before: str | None = None
) -> ListPage[AuditEntry]:
    """Give what was done, newest first: of one action where told, older than an id where told.

    Raises  StoreUnavailable
    """
    rows = await audit.lately(runtime.database, limit + 1, action=action, before=before)
    found = [
        AuditEntry(row.id, row.at, row.role, row.who, row.action, row.about, row.records, row.reason) for row in rows
    ]
    return first_of(found, limit, lambda one: one.id, await audit.count(runtime.database, action))
