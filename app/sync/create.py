"""First contact: what a record of Salesforce's needs to become one of DrChrono's, and what was found in its place.

A chart is created once. So before a record is created on either side, the other side is searched; one match links,
several wait for a person, none creates. Whoever is known to have had a chart, which is not shown any more, gets another
by a person's word alone. A create whose answer never came is searched for twice before it counts as lost. (Pure:
`workers/match.py` does the searching.)
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from app.sync.base import Rules
from app.sync.failure_causes import IS_TAKEN, NOT_SHOWN, SEVERAL, UNSETTLED
from app.sync.field_writes import unlinked_parents
from app.sync.identity import FINDERS, rows_of
from app.sync.mappings.table import Direction, Table
from app.sync.model import FieldResolution, Fields, Kind, Link, PendingWrite, Side, Snapshot
from app.sync.pending_writes import is_shown
from app.sync.plan import Create, Hold, Incomplete, LinkTo, MergeContacts, SettledWrites, Wait

# what DrChrono demands of a new record beside what the mapping says, and where Salesforce would hold it
_DOCTOR = {"doctor": "DrChrono_Doctor__c"}
_DEMANDED: Mapping[Kind, Mapping[str, str]] = {Kind.PATIENT: _DOCTOR, Kind.DOCUMENT: _DOCTOR}
_FOUND_AGAIN = (*FINDERS, Kind.DOCUMENT)  # a document by its patient, its text and its content


def is_opted_in(table: Table, salesforce: Snapshot) -> bool:
    """Say whether a record of Salesforce's is to become one of DrChrono's.

    Only where it is said what DrChrono demands, and where it could be found again. A new version of a File whose
    earlier one is a document is one too, whoever ticks its box.
    """
    can_be = table.kind in _FOUND_AGAIN and any(row.is_required for row in table.rows.values())
    is_newer = salesforce.file is not None and salesforce.file.earlier is not None
    return can_be and (salesforce.is_opted_in or is_newer)


def plan_create(rules: Rules, salesforce: Snapshot) -> Create | Incomplete:
    """Say how a record that a person wants in DrChrono comes to be there, or what it lacks."""
    table = rules.table
    filled = {name: value for name, value in salesforce.fields.items() if _goes(table, name) and value is not None}
    _, unfit = table.write(Side.DRCHRONO, filled)
    fields = {name: value for name, value in filled.items() if name not in unfit}
    refused = {name: why for name, why in {**salesforce.unreadable, **unfit}.items() if _goes(table, name)}
    told = fields.keys() | refused.keys()
    mapped = rows_of(table, list(demanded(table)))
    defaults = {**rules.defaults, **_of_its_patient(salesforce)}
    extra = {
        name: defaults[name]
        for name in demanded(table)
        if name in defaults and (name not in mapped or mapped[name].name not in told)
    }
    helped = {mapped[name].name for name in extra if name in mapped}
    missing = {table.name_of(name, Side.SALESFORCE) for name in needed(table) - told - helped}
    missing |= {there for name, there in demanded(table).items() if name not in mapped and name not in extra}
    if missing or needed(table) & refused.keys():
        return Incomplete(tuple(sorted(missing)), refused, awaits=unlinked_parents(table, salesforce))
    return Create(Side.DRCHRONO, fields, refused, extra=extra)


def _of_its_patient(salesforce: Snapshot) -> dict[str, int]:
    """Give what a document takes over from its patient: the doctor, as a number."""
    doctor = salesforce.file.doctor if salesforce.file else None
    return {"doctor": int(doctor)} if doctor and doctor.isascii() and doctor.isdecimal() else {}


def demanded(table: Table) -> Mapping[str, str]:
    """Give what DrChrono demands whatever the mapping says: its name -> where Salesforce would hold it."""
    return _DEMANDED.get(table.kind, {})


def needed(table: Table) -> set[str]:
    """Give the fields without which no record is created in DrChrono."""
    finder = FINDERS.get(table.kind)
    names = [*demanded(table), *(finder.needs if finder else ())]
    return {row.name for row in table.rows.values() if row.is_required} | {
        row.name for row in rows_of(table, names).values()
    }


def salesforce_names(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """Give what Salesforce calls these fields of DrChrono's; one it does not have keeps its name."""
    mapped = rows_of(table, names)
    return tuple(
        mapped[name].shown(Side.SALESFORCE) if name in mapped else demanded(table).get(name, name) for name in names
    )


def _goes(table: Table, name: str) -> bool:
    return table.rows[name].direction is Direction.BOTH


def link_or_create(
    plan: Create,
    matches: Sequence[Snapshot],
    taken: Collection[str],
    not_shown: Sequence[str] = (),
    word: FieldResolution | None = None,
) -> Create | LinkTo | Hold:
    """Say what becomes of a create, now that it is known whom it would meet on its side.

    taken      which of the matches belong to another pair
    not_shown  those that our index knows as this one, and the side does not show any more
    word       which of the matches a person says it is (one that is none of them any more creates nothing either), or,
               where it names none, that a new one is right beside those that are not shown
    """
    if word is not None and word.twin is not None:
        matches = [one for one in matches if one.id == word.twin]
    if matches:
        return _met(plan.side, matches, taken)
    if not_shown and (word is None or word.twin is not None):
        return Hold(NOT_SHOWN, not_shown[0])
    return Hold(SEVERAL[plan.side]) if word is not None and word.twin is not None else plan


def _met(side: Side, matches: Sequence[Snapshot], taken: Collection[str]) -> LinkTo | Hold:
    """Say what becomes of a record that met others on a side: one links, several wait for a person."""
    if len(matches) > 1:
        return Hold(SEVERAL[side])
    if matches[0].id in taken:
        return Hold(IS_TAKEN, matches[0].id)
    return LinkTo(matches[0].id)


def plan_merge(table: Table, held: Hold, own: Fields, winner: Snapshot | None) -> MergeContacts | Hold:
    """Say how a Contact that met a chart which has its own becomes that one, as a person said; held where it is not.

    The winner keeps what it holds; what is empty there is filled. A reference cannot be sent with a merge.
    """
    if winner is None or winner.key is None or winner.key != held.met_id:
        return held
    return MergeContacts(winner.id, filled_by_merge(table, own, winner.fields))


def filled_by_merge(table: Table, own: Fields, kept: Fields) -> Fields:
    """Give what the Contact that stays takes of the one that is merged into it."""
    lacks = {name for name, value in kept.items() if value is None and not table.rows[name].parent}
    return {name: own[name] for name in lacks & own.keys() if own[name] is not None and _goes(table, name)}


def recheck_unanswered_create(
    rules: Rules,
    link: Link,
    attempt: PendingWrite,
    matches: Sequence[Snapshot],
    taken: Collection[str],
    now: datetime,
) -> LinkTo | Wait:
    """Say what is known of a create whose answer never came, after another search for what it may have made.

    One match that nobody has and that shows all that was sent is what it made. Anybody else may have made any other: so
    that one changes nothing, and the create is lost when two searches, apart from each other, did not find it, and the
    second came so long after DrChrono must have given the request up that its lists show what it made. Whoever wants it
    then begins anew, with a new search, which links or holds whom it meets.
    """
    if len(matches) == 1 and matches[0].id not in taken and is_shown(rules, link, attempt, matches[0]):
        return LinkTo(matches[0].id, settled=SettledWrites(landed=(attempt.id,)))
    return _not_found(rules, attempt, now)


def recheck_unanswered_upload(
    rules: Rules, attempt: PendingWrite, found: str | None, now: datetime, *, may_show: bool
) -> LinkTo | Wait:
    """Say what is known of an upload whose answer never came, after another search; as of any create.

    found     the record with the same bytes, of the same patient, that nobody has
    may_show  one may be it whose bytes are not there yet: then it is not lost
    """
    if found is not None:
        return LinkTo(found, settled=SettledWrites(landed=(attempt.id,)))
    wait = _not_found(rules, attempt, now)
    is_lost = bool(wait.settled.lost) and not may_show
    return wait if is_lost else Wait(UNSETTLED, max(wait.until, now + rules.search_gap), searched=(attempt.id,))


def _not_found(rules: Rules, attempt: PendingWrite, now: datetime) -> Wait:
    """Have a create looked for again, or give it up: a second search, late enough, has not found it."""
    again_at = max(attempt.searched_at or now, attempt.settle_at) + rules.search_gap
    if attempt.searched_at is None or now < again_at:
        return Wait(UNSETTLED, again_at, searched=(attempt.id,))
    return Wait(UNSETTLED, now, settled=SettledWrites(lost=(attempt.id,)))
