"""What is promised of a rough world: whatever is odd hurts itself alone.

The odd ones' neighbours are judged as ever (`oracle.py`), and so is everything that names nobody: nothing stays due or
unknown, nobody has a second chart. An odd one may differ between the sides only where a failure says so.
"""

from app.store.tables import failures, links
from tests.simulate import oracle
from tests.simulate.hand import Mix
from tests.simulate.vendors import DRCHRONO

ROUGH = Mix(
    steps=100, people=4, calls=0.15, pages=0.08, odd_rows=0.3, visit_booked=1.2, contact_ticked=0.6,
    chart_turns_odd=0.6, visit_turns_odd=0.6, odd_letter=0.8, chart_hidden=0.4, chart_shown=0.8, job_cancelled=0.8,
    sides_compared=0.4, org_closes=0.2, org_opens=0.6, unkind=0.4, record_locked=0.8, owner_leaves=0.5,
    record_freed=0.3, workflow_touches=0.5, failure_dismissed=4.0, dismissal_undone=0.5,
)  # fmt: skip
KINDER = dict.fromkeys(
    (
        "unkind",
        "record_locked",
        "owner_leaves",
        "record_freed",
        "workflow_touches",
        "failure_dismissed",
        "dismissal_undone",
    ),
    0.0,
)
_LONGEST_ID = 64
_NEVER = ("a second chart", "two Contacts for one chart")


async def complaints(world):
    """Give every promise that is broken."""
    known = await world.rows(links)
    ids = [row.drchrono_id for row in known if row.drchrono_id and row.kind != "document"]
    found = [f"a job ended with {error}" for error in world.turns.errors]
    unfit = [id_ for id_ in ids if len(id_) > _LONGEST_ID or not id_.isprintable()]
    found += [f"a link was made of {id_[:20]!r}, which is no id" for id_ in unfit]
    if found:
        return found
    failed = {row.link_id for row in await world.rows(failures)}
    reported = {name for row in known if row.id in failed for name in (row.drchrono_id, row.salesforce_id)}
    there = {str(id_) for id_ in (*world.charts, *world.vendors.practice.appointments.records)}
    odd = {
        str(id_): world.partner(DRCHRONO, id_) or str(id_)
        for id_ in (*world.odd, *(id_ for id_ in ids if id_ not in there))
    }
    for line in await oracle.complaints(world):
        theirs = [id_ for id_, partner in odd.items() if id_ in line or partner in line]
        if not theirs or any(never in line for never in _NEVER):
            found.append(line)
        elif _says_that_it_differs(line) and not any(id_ in reported or odd[id_] in reported for id_ in theirs):
            found.append(f"odd, and no failure says so: {line}")
    return found


def _says_that_it_differs(line):
    return " in DrChrono and " in line or " has no Contact" in line or " is not in Salesforce" in line
