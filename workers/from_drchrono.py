"""From DrChrono: what a delivered body shows of a record, and what DrChrono itself answers when it is asked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.errors import Unauthorized, Undecryptable
from app.store.due import Body
from app.sync.records import Absent, Side, Sight
from app.vendors.drchrono import wire
from workers.passes import Pass
from workers.visits import Clock, place_in_series, skipped


def delivered(work: Pass, clock: Clock, record_id: str, body: Body) -> Sight:
    """Give the sight of a record that a delivery carried.

    Raises  Undecryptable when its body is not kept any more, or its key is not known
    """
    if body.sealed is None:
        raise Undecryptable("the body of an unfinished delivery was dropped")
    raw: Mapping[str, Any] = work.run.vault.open(body.sealed)
    return _read(work, clock, record_id, raw, body.version, confirmed=False)


async def asked(work: Pass, clock: Clock, record_id: str) -> Sight | Absent:
    """Give what DrChrono answers that it holds.

    Raises  VendorError when it does not answer, or is not connected
    """
    if work.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, "GET", code="NOT_CONNECTED")
    record = await work.drchrono.read(work.rules.table.path, record_id)
    if record is None:
        return Absent.ABSENT
    return _read(work, clock, record_id, record, wire.version(record), confirmed=True)


def _read(work: Pass, clock: Clock, record_id: str, raw: Mapping[str, Any], version: str, *, confirmed: bool) -> Sight:
    zone = clock.zone(Side.DRCHRONO, raw)
    sight = work.rules.table.read(Side.DRCHRONO, record_id, raw, version=version, confirmed=confirmed, zone=zone)
    kind = work.rules.table.kind
    return replace(sight, skipped=skipped(kind, record_id, raw), series=place_in_series(kind, raw))
