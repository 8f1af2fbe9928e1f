"""Match: before a record is created, look whom it would meet over there; one is linked, several wait for a person.

Only one worker matches a person at a time, in either direction, from here to the record, so a Contact and a chart of
one person that come at the same moment end as one pair. Salesforce is asked once for a whole batch. DrChrono's lists
are some seconds old, so our own index is asked beside them, and what only the index knows is read before it is
believed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from app.errors import SyncError
from app.store import matching as store
from app.sync import first_contact
from app.sync.first_contact import BUSY
from app.sync.records import Action, Plan, Side
from workers.meet_charts import met_charts
from workers.meet_contacts import met_contacts
from workers.passes import Looked, Pass
from workers.wishes import Judged, Wish, wish_of

_AGAIN = timedelta(seconds=1.5)


async def matched(
    work: Pass, looked: Sequence[Looked], plans: Mapping[str, Plan]
) -> tuple[list[Looked], dict[str, Plan]]:
    """Give the looks and plans anew, each create and each search for one replaced by what was found of it."""
    judged: Judged = {}
    wishes = []
    for one in looked:
        plan = plans.get(one.link.id)
        if plan is None or plan.action not in (Action.CREATE, Action.FIND):
            continue
        try:
            wish = wish_of(work, one, plan)
        except SyncError as error:
            judged[one.link.id] = error
            continue
        if wish.prints:
            wishes.append(wish)
        elif wish.side is Side.DRCHRONO:
            judged[wish.link_id] = Plan(Action.HOLD, cause=first_contact.NOBODY)
    if wishes:
        judged |= await _judged(work, wishes)
    plans = {**plans, **{link_id: plan for link_id, plan in judged.items() if isinstance(plan, Plan)}}
    failed = {link_id: error for link_id, error in judged.items() if isinstance(error, SyncError)}
    looked = [replace(one, seen=failed[one.link.id]) if one.link.id in failed else one for one in looked]
    return looked, {link_id: plan for link_id, plan in plans.items() if link_id not in failed}


async def _judged(work: Pass, wishes: Sequence[Wish]) -> Judged:
    """Judge those that may be matched now; of one person, charts go first, and whoever meets somebody goes alone."""
    ours = await store.take(work.run.database, work.taken.token, {wish.link_id: wish.prints[0] for wish in wishes})
    held = [wish for wish in wishes if wish.prints[0] in ours]
    charts = [wish for wish in held if wish.side is Side.SALESFORCE]
    contacts = {wish.prints[0]: wish for wish in reversed(held) if wish.side is Side.DRCHRONO}
    for wish in charts:
        contacts.pop(wish.prints[0], None)
    busy = Plan(Action.WAIT, cause=BUSY, until=work.taken.now + _AGAIN)
    judged: Judged = dict.fromkeys((wish.link_id for wish in wishes), busy)
    of_charts, of_contacts = await asyncio.gather(met_contacts(work, charts, busy), met_charts(work, contacts))
    return judged | of_charts | of_contacts
