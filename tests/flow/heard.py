"""What became of what Salesforce sent: everything the database holds, open and unsealed, and the bytes it lies in."""

import contextlib
import json
from pathlib import Path

import sqlalchemy as sa

from app.errors import SyncError
from app.store.key_rotation import PLACES
from app.store.tables import deliveries, events, metadata

SAMPLES = Path(__file__).parents[1] / "samples" / "salesforce"


def changed(known, **more):
    """The settings, some of them other ones."""
    return type(known).model_validate(known.model_dump() | more)


async def outcomes(clinic):
    return [row.outcome for row in await clinic.rows(deliveries)]


async def due(clinic):
    """The records that are due, as their events name them."""
    return sorted((row.side, row.kind, row.record_id) for row in await clinic.rows(events))


async def kept(clinic):
    """What is kept of each delivery, unsealed."""
    return [json.loads(clinic.body(row)) for row in await clinic.rows(deliveries)]


async def holdings(clinic):
    """All that lies in the database, as one text: every value, sealed ones opened, and a file's own bytes."""
    found = []
    for table in metadata.tables.values():
        for row in await clinic.rows(table):
            found += [str(value) for value in row]
    for place in PLACES:
        for row in await clinic.rows(place.key.table):
            key, sealed = row._mapping[place.key], row._mapping[place.sealed]
            with contextlib.suppress(SyncError):
                opened = clinic.runtime.vault.open_bytes(sealed, place.column.of(key)) if sealed else b""
                found.append(opened.decode(errors="replace"))
    if clinic.runtime.database.is_sqlite:
        path = clinic.runtime.database.path
        found += [file.read_bytes().decode("latin-1") for file in path.parent.glob(f"{path.name}*")]
    return "\n".join(found)


async def say(clinic, statement):
    """Do to the database what no door would."""
    await clinic.runtime.database.transact(lambda connection: connection.execute(sa.text(statement)))
