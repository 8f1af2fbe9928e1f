"""The match lease: whom a pass may match, so that no other worker matches the same person, in either direction.

It is taken before the look that decides on a create, and lasts to the save. A chart that no Contact is known of says by
its delivered body who it is: it is leased before Salesforce is read, so that one question finds the Contact that names
it and those that are called as it is. Whoever else is to be matched is leased once that is planned.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.errors import SyncError
from app.store import identity_index as store
from app.sync.failure_causes import BUSY
from app.sync.identity import fingerprints, says_who, search_key
from app.sync.model import Fields, Seen, Side, Snapshot
from app.sync.plan import Wait, Write
from workers.batch import Batch, Observed
from workers.bisection import one_by_one
from workers.outcome import identity_of

_AGAIN = timedelta(seconds=1.5)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A chart that no Contact is known of: who it is, as delivered, and Salesforce's field that it is searched by."""

    who: Fields
    person: str
    field: str
    value: date | datetime


async def lease_newcomers(batch: Batch, delivered: Mapping[str, Sequence[Snapshot] | SyncError]) -> dict[str, Newcomer]:
    """Lease those of a pass who are new to Salesforce; gives them by link id, without whom another worker matches now.

    delivered  link id -> what its bodies show, the newest last

    Raises  StoreUnavailable
    """
    lone = {one.link.id for one in batch.leased.due if one.link.drchrono_id and not one.link.salesforce_id}
    newest = {
        id_: bodies[-1]
        for id_, bodies in delivered.items()
        if id_ in lone and not isinstance(bodies, SyncError) and bodies
    }
    found = one_by_one(newest, lambda one: _newcomer(batch, one))
    newcomers = {link_id: one for link_id, one in found.items() if isinstance(one, Newcomer)}
    ours = await store.lease_people(
        batch.runtime.database, batch.leased.token, {link_id: one.person for link_id, one in newcomers.items()}
    )
    return {link_id: one for link_id, one in newcomers.items() if one.person in ours}


def _newcomer(batch: Batch, chart: Snapshot) -> Newcomer | None:
    """Give whom Salesforce is to be searched for; None where nothing is created for it, or no search finds it."""
    rules = batch.rules
    prints = () if chart.skipped or chart.is_included is False else fingerprints(rules, chart.fields)
    if not prints:
        return None
    field, value = search_key(rules.table, chart.fields, chart.zone)
    return None if value is None else Newcomer(chart.fields, prints[0], field, value)


async def lease_planned(
    batch: Batch,
    observed: Sequence[Observed],
    candidates: Mapping[str, str],
    renamed: Mapping[str, str],
    *,
    notes_charts: bool,
) -> set[str]:
    """Give, of the persons that are to be matched, those that may be by this pass; who their links are is noted.

    candidates    link id -> person
    renamed       link id -> whom a write of this pass is about to make of it
    notes_charts  charts that were taken with Contacts are noted by all their names, for these to be found by

    Raises  StoreUnavailable
    """
    known_as = _known_as(batch, observed) if notes_charts else ()
    return await store.lease_people(batch.runtime.database, batch.leased.token, candidates, renamed, known_as)


def busy(batch: Batch) -> Wait:
    """Have a record wait while another of its person is matched."""
    return Wait(BUSY, batch.leased.now + _AGAIN)


def renamed_to(batch: Batch, observed: Observed, plan: Write) -> str | None:
    """Give whom a plan makes of a record of DrChrono's: one whose chart it then is; None where it stays who it is."""
    seen, written, rules = observed.seen, plan.writes.get(Side.DRCHRONO, {}), batch.rules
    if not isinstance(seen, Seen) or not says_who(rules.table) & written.keys():
        return None
    held = [side.fields for side in (seen.salesforce, seen.drchrono) if isinstance(side, Snapshot)]
    found = fingerprints(rules, ChainMap(*(dict(one) for one in (written, *reversed(held)))))
    return found[0] if found else None


def _known_as(batch: Batch, observed: Sequence[Observed]) -> list[tuple[str, str]]:
    """Give (link id, person) of whom the charts are that were taken with those that are to be created."""
    charts = {one.link.id: one for one in observed if one.link.drchrono_id is not None}
    found = one_by_one(charts, lambda one: identity_of(batch.rules, one).all)
    return [(link_id, who) for link_id, all_ in found.items() if not isinstance(all_, SyncError) for who in all_]
