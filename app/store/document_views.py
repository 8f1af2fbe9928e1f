"""Document views: the documents of one patient and how each of them stands, and how much was sent lately."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from app.store.clock import after
from app.store.database import Database
from app.store.record_views import RecordView, selected, view
from app.store.tables import documents, journal, links
from app.sync.model import UPLOAD, Kind, Side, WriteState


async def of_patient(database: Database, patient_id: str, limit: int, before: str | None = None) -> list[RecordView]:
    """Give the documents of a patient, the last one heard of first; `before`: a link's id."""
    theirs = selected().join(documents, documents.c.link_id == links.c.id).where(documents.c.patient_id == patient_id)
    if before is not None:
        theirs = theirs.where(documents.c.link_id < before)
    return [view(row) for row in await database.read(theirs.order_by(documents.c.link_id.desc()).limit(limit))]


async def count_of_patient(database: Database, patient_id: str) -> int:
    """Give how many documents of a patient are known."""
    asked = sa.select(sa.func.count()).select_from(documents.join(links, links.c.id == documents.c.link_id))
    return int((await database.read(asked.where(documents.c.patient_id == patient_id)))[0][0])


async def records_with_documents(database: Database, limit: int) -> list[str]:
    """Give the records in Salesforce of the patients whose documents were heard of last."""
    patients = sa.select(documents.c.patient_id).order_by(documents.c.link_id.desc()).limit(limit).subquery()
    of_them = links.c.drchrono_id.in_(sa.select(patients.c.patient_id))
    asked = sa.select(links.c.salesforce_id).where(links.c.kind == Kind.PATIENT.value, of_them)
    return [row.salesforce_id for row in await database.read(asked.where(links.c.salesforce_id.is_not(None)))]


@dataclass(frozen=True, slots=True)
class SentDocuments:
    """How many documents a side has taken, and how large they were together."""

    count: int
    size_bytes: int


_TAKEN = (
    sa.select(
        sa.func.count().label("times"), sa.func.coalesce(sa.func.sum(documents.c.size_bytes), 0).label("size_bytes")
    )
    .select_from(journal.join(documents, documents.c.link_id == journal.c.link_id))
    .where(
        journal.c.side == Side.SALESFORCE.value,
        journal.c.call == UPLOAD,
        journal.c.state == WriteState.CONFIRMED.value,
        journal.c.planned_at >= after("p_since"),
    )
)


async def sent_to_salesforce(database: Database, lately: timedelta) -> SentDocuments:
    """Give what Salesforce has taken in so long a time up to now, as far as the journal remembers."""
    (row,) = await database.read(_TAKEN, {"p_since": -lately})
    return SentDocuments(int(row.times), int(row.size_bytes))
