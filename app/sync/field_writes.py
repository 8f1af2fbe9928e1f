"""What travels: the fields each side should take, of a record made anew, of an edit in Salesforce, of two that meet.

A value that a side cannot take is named with why; the others still travel. (Pure.)
"""

from collections.abc import Mapping
from dataclasses import replace

from app.sync.base import Rules
from app.sync.failure_causes import HELD
from app.sync.mappings.table import Direction, OnConflict, Row, Table
from app.sync.merge import merge
from app.sync.model import Base, FieldResolution, Fields, Kind, Link, RecordRef, Side, Snapshot
from app.sync.pending_writes import LateLandings
from app.sync.plan import Comparison, Create, Nothing, Write

NONE_LATE = LateLandings()


def created(rules: Rules, drchrono: Snapshot) -> Create:
    """Say how a record that Salesforce does not hold comes to be there."""
    filled = {name: value for name, value in drchrono.fields.items() if value is not None}
    fields, refused = _fit(rules.table, Side.SALESFORCE, filled, drchrono.zone)
    return Create(
        Side.SALESFORCE,
        fields,
        refused={**drchrono.unreadable, **refused},  # what cannot be read may be why another one cannot travel
        flags=rules.table.flags(fields, drchrono.zone),
        zone=drchrono.zone,
    )


def edited_in_salesforce(rules: Rules, link: Link, salesforce: Snapshot) -> Write | Nothing | None:
    """Say what an edit in Salesforce asks for, when DrChrono has said nothing since both last agreed.

    Fields that Salesforce owns may be written at once; any other needs DrChrono's own word first: None.
    """
    fields = {name: value for name, value in salesforce.fields.items() if name != rules.table.zoned}
    moved = {name: rules.moved(link, name, value) for name, value in fields.items()}
    edits = {name: salesforce.fields[name] for name, is_moved in moved.items() if is_moved}
    if None in moved.values() or not all(_may_win(rules.table.rows[name]) for name in edits):
        return None
    to_drchrono, refused = _fit(rules.table, Side.DRCHRONO, edits)
    to_salesforce, unfit = _fit(rules.table, Side.SALESFORCE, _rezoned(rules, salesforce), salesforce.zone)
    writes = {side: fit for side, fit in ((Side.DRCHRONO, to_drchrono), (Side.SALESFORCE, to_salesforce)) if fit}
    compared = Comparison(
        refused={**salesforce.unreadable, **refused, **unfit}, flags=rules.table.flags(to_salesforce, salesforce.zone)
    )
    awaits = unlinked_parents(rules.table, salesforce)
    return Write(writes, compared, zone=salesforce.zone, awaits=awaits) if writes else Nothing("", compared, awaits)


def _rezoned(rules: Rules, salesforce: Snapshot) -> dict[str, str | None]:
    """Give the times as they are to be written anew because the zone they are read in is another one now."""
    zoned = rules.table.zoned
    if zoned is None or not salesforce.zone or salesforce.fields.get(zoned) == salesforce.zone:
        return {}
    times = {row.name for row in rules.table.rows.values() if row.options.zone == zoned}
    return {zoned: salesforce.zone} | {name: salesforce.fields[name] for name in times if name in salesforce.fields}


def _may_win(row: Row) -> bool:
    """Say whether Salesforce's value of a field wins whatever DrChrono holds."""
    is_two_way = row.direction is Direction.BOTH and row.on_conflict is OnConflict.OWNER
    return is_two_way and row.owner is Side.SALESFORCE


def must_be_asked(table: Table, plan: Write | Nothing) -> bool:
    """Say whether a delivered body alone may not carry a plan: it could overwrite what its side does not own."""
    if isinstance(plan, Nothing):
        return False
    to_drchrono = plan.writes.get(Side.DRCHRONO, {})
    wins = [name for name in plan.compared.conflicts if name in plan.writes.get(Side.SALESFORCE, {})]
    return bool(wins) or not all(_may_win(table.rows[name]) for name in to_drchrono)


def merge_of(
    rules: Rules,
    link: Link,
    drchrono: Snapshot,
    salesforce: Snapshot,
    decided: Mapping[str, FieldResolution] | None = None,
    late: LateLandings = NONE_LATE,
) -> Write | Nothing:
    """Say what two records that were both seen should take of each other.

    decided  by a person's word
    late     what writes of ours that came late have to do with it
    """
    link = replace(link, base=Base({**link.base.stamps, **late.ours}))
    merged = merge(rules, link, drchrono.fields, salesforce.fields, decided, late.names)
    writes: dict[Side, Fields] = {}
    refused: dict[str, str] = {**salesforce.unreadable, **drchrono.unreadable, **dict.fromkeys(merged.held, HELD)}
    for side, fields in merged.to.items():
        fit, unfit = _fit(rules.table, side, fields, drchrono.zone)
        refused |= unfit
        if fit:
            writes[side] = fit
    compared = Comparison(
        agreed=merged.agreed,
        conflicts=merged.conflicts,
        put_backs=merged.put_backs,
        refused=refused,
        flags=rules.table.flags(writes.get(Side.SALESFORCE, {}), drchrono.zone),
        decided=merged.decided,
        overtaken=merged.overtaken,
        late={side: tuple(one for one in names if one not in merged.agreed) for side, names in late.shown.items()},
    )
    awaits = unlinked_parents(rules.table, salesforce)
    return Write(writes, compared, zone=drchrono.zone, awaits=awaits) if writes else Nothing("", compared, awaits)


def unlinked_parents(table: Table, salesforce: Snapshot) -> tuple[RecordRef, ...]:
    """Give what a record of Salesforce's refers to and DrChrono does not know: it follows once those come."""
    named = [(kind, salesforce.unlinked.get(name)) for name, kind in table.parents.items()]
    named += [(Kind.PATIENT, record) for record in (salesforce.file.unlinked if salesforce.file else ())]
    return tuple(dict.fromkeys(RecordRef(Side.SALESFORCE, kind, id_) for kind, id_ in named if id_ is not None))


def _fit(table: Table, side: Side, fields: Fields, zone: str = "") -> tuple[dict[str, str | None], dict[str, str]]:
    """Part the fields that can travel to a side from those that cannot, with why."""
    _, refused = table.write(side, fields, zone)
    return {name: value for name, value in fields.items() if name not in refused}, refused
