"""What every clinic has behind it: its practice connected, its doctors and offices known, what was there loaded.

Living through that takes half a second, so it is lived once for each way a clinic is set up, and remembered: rows of
the database, and what both stand-ins held. A later clinic begins where the first one stood, as if that were just over.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from app.store.tables import allowances, backfills, connections, links, tallies, watermarks, zones

_ROWS = (links, backfills, connections, zones, watermarks, tallies, allowances)
_OF_THE_DOOR = "sign_"  # a door's own signs: every clinic makes them as it opens


@dataclass(frozen=True)
class Yesterday:
    """What was left, when."""

    at: datetime
    rows: dict


_lived = {}


async def is_remembered(clinic, known):
    """Give a clinic the yesterday of one set up alike; False when there was none yet."""
    name = _name(clinic, known)
    if (left := _lived.get(name)) is None:
        return False
    for standin in (clinic.drchrono, clinic.salesforce):
        standin.put(f"/_control/kept/{name}").raise_for_status()
    later = datetime.now(UTC) - left.at

    async def put_back(connection):
        for table, rows in left.rows.items():
            moved = [{key: _moved(value, later) for key, value in row.items()} for row in rows]
            await connection.execute(sa.insert(table), moved)

    await clinic.runtime.database.transact(put_back)
    return True


async def remember(clinic, known):
    """Keep what this clinic has lived through for those set up alike."""
    name, rows = _name(clinic, known), {}
    for table in _ROWS:
        found = [row._asdict() for row in await clinic.rows(table)]
        if kept := [row for row in found if not str(row.get("name", "")).startswith(_OF_THE_DOOR)]:
            rows[table] = kept
    for standin in (clinic.drchrono, clinic.salesforce):
        standin.post(f"/_control/kept/{name}").raise_for_status()
    _lived[name] = Yesterday(datetime.now(UTC), rows)


def _name(clinic, known):
    """Give a name for all that can make a yesterday differ: the settings, the stand-ins' addresses among them.

    A mapping is what its file says, wherever a test has put it.
    """
    keys = [key.get_secret_value() for key in (*known.encryption_keys, *known.hash_keys)]
    mapping = known.mapping_file.read_bytes() if known.mapping_file else b""
    given = repr((sorted(known.model_dump(exclude={"database_url", "mapping_file"}).items()), keys, mapping))
    return f"{hash(given) % 2**64:x}"


def _moved(value, later):
    return value + later if isinstance(value, datetime) else value
