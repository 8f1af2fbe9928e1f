"""What must be true once everything is at rest: said in words, one line for each thing that is not.

The truth is what the vendors hold and the ledger of who changed what. Of the service itself only its tables are asked,
and only for what may not remain in them.
"""

from collections import Counter

from app.store.tables import events, failures, journal, links
from app.sync.dismissals import is_as_shown
from app.sync.model import Base, Kind, Link, Side
from app.sync.snapshots import SideReader
from tests.simulate import document_oracle
from tests.simulate.fields import PATIENT, VISIT
from tests.simulate.vendors import DRCHRONO, SALESFORCE


async def complaints(world):
    """Give every promise that is broken."""
    known = {row.id: row for row in await world.rows(links)}
    failed = {row.link_id: row for row in await world.rows(failures)}
    patients = [row for row in known.values() if row.kind == "patient"]
    by_chart = {int(row.drchrono_id): row for row in patients if row.drchrono_id}
    found = [*world.ledger.wrong, *await _remains(world, known), *_failures(world, known, failed)]
    found += _dismissals(world, known, failed)
    for chart in world.charts:
        link = by_chart.get(chart)
        found += _pair(world, chart, link, failed.get(link.id) if link else None)
    by_visit = {row.drchrono_id: row for row in known.values() if row.kind == "appointment"}
    for visit in world.vendors.practice.appointments.records.values():
        link = by_visit.get(visit["id"])
        found += _visit(world, visit, failed.get(link.id) if link else None)
    if world.has_documents:
        found += await document_oracle.complaints(world)
    return [*found, *_contacts(world), *_thrift(world), *_asked(world, failed, known)]


async def _remains(world, known):
    for link in known.values():
        if link.due_at is not None or link.lease_owner is not None:
            yield_ = f"link of {link.drchrono_id}: due {link.due_at}, leased by {link.lease_owner}"
            return [yield_]
    open_ = [row for row in await world.rows(journal) if row.state in ("planned", "unknown")]
    unread = [row for row in await world.rows(events) if row.finished_at is None]
    return [f"a write to {row.side} is still {row.state}" for row in open_] + [
        f"an event of {row.side} {row.record_id} is not finished" for row in unread
    ]


def _failures(world, known, failed):
    held = {known[link_id].drchrono_id for link_id in failed}
    for link_id, row in failed.items():
        link = known[link_id]
        reason = _reason(world, link, row, held)
        if reason:
            yield f"{link.drchrono_id}/{link.salesforce_id} failed with {row.cause} {row.fields}: {reason}"


def _dismissals(world, known, failed):
    """A patient that was dismissed may differ only while both sides hold what they did when it failed."""
    rules = world.template.rules(Kind.PATIENT)
    reader = SideReader(rules.table)
    for row in (one for one in failed.values() if one.dismissed_at is not None and one.kind == Kind.PATIENT):
        link = known[row.link_id]
        dismissed = Link(link.id, Kind.PATIENT, link.drchrono_id, link.salesforce_id, Base(), shown=row.shown)
        chart, contact = world.charts.get(int(link.drchrono_id or 0)), world.contacts.get(link.salesforce_id)
        held = {
            Side.DRCHRONO: chart and reader.drchrono(link.drchrono_id, chart),
            Side.SALESFORCE: contact and reader.salesforce(contact),
        }
        ids = {link.salesforce_id, chart and chart["id"]}
        for written in world.ledger.writes if world.written_by_then is not None else ():
            if written[1] in ids and world.ledger.writes[written] > world.written_by_then[written]:
                yield f"{link.drchrono_id}/{link.salesforce_id} was dismissed, and is written though nobody edits"
        for side, one in held.items():
            if row.shown and one and not is_as_shown(rules, dismissed, side, one):
                yield f"{link.drchrono_id}/{link.salesforce_id} is dismissed still, and was changed in {side}"


def _reason(world, link, row, held):
    """Say why a failure is not explained by what happened; nothing when it is."""
    if link.kind == document_oracle.KIND:
        return row.dismissed_at is None and document_oracle.reason(world, link, row, held)
    contact = {**world.contacts, **world.booked}.get(link.salesforce_id)
    visit = world.vendors.practice.appointments.records.get(link.drchrono_id)
    chart = int(link.drchrono_id) if link.drchrono_id and not visit else None
    match row.cause:
        case "parent_missing" | "parent_dismissed" | "INVALID_CROSS_REFERENCE_KEY" | "cannot_be_empty":
            return visit and world.partner(DRCHRONO, visit["patient"]) and "its patient has a Contact"
        case "gone_in_salesforce" | "ENTITY_IS_DELETED":
            return contact and "its Contact is there"
        case "chart_of_another_contact" | "several_charts" | "several_contacts":
            contact = link.salesforce_id or world.partner(DRCHRONO, chart)
            return "" if _has_namesake(world, contact) else "nobody else ever had that name"
        case "chart_not_shown":
            return "" if _has_lost_chart(world, link.salesforce_id) else "no chart of that name has vanished"
        case "gone_in_drchrono":
            return chart in world.charts and "its chart is there"
        case "rewritten":
            return "" if _is_rewritten(world, chart, row) else "nothing was written three times"
        case "contact_of_another_link":
            gone = [row for row in world.gone if link.salesforce_id in (None, row["Id"])]  # None: it was to get one
            merged = any(row["MasterRecordId"] for row in gone)
            return "" if merged or link.salesforce_id in world.named else "no Contact was merged, or names its chart"
        case "DUPLICATE_VALUE":
            return "" if world.partner(DRCHRONO, chart) in world.named else "no other Contact names its chart"
    if row.dismissed_at is not None:
        return ""  # what heals at Salesforce does not bring back what a person dismissed while it was ill
    return "nothing explains it"


def _has_namesake(world, contact):
    """Say whether anybody else ever had the name and birth date of a Contact."""
    others = {(side, id_) for side, id_, _ in world.ledger.showed if id_ != contact}
    return any(_has_been(world, one, (SALESFORCE, contact)) for one in others)


def _has_lost_chart(world, contact):
    """Say whether a chart has vanished of whom a Contact was, by what that chart showed or a Contact of its own."""
    return any(
        _has_been(world, one, (SALESFORCE, contact))
        for chart in world.vanished
        for one in ((DRCHRONO, chart), *((SALESFORCE, id_) for id_ in world.ledger.partners.get(chart, ())))
    )


def _has_been(world, one, other):
    """Say whether two records, each by side and id, may ever have been of one name and birth date."""

    def showed(who, name):
        return {value and value.casefold() for value in world.ledger.showed.get((*who, name), {None})}

    return all(showed(one, name) & showed(other, name) for name in ("first_name", "last_name", "date_of_birth"))


def _is_rewritten(world, chart, row):
    contact = world.partner(DRCHRONO, chart)
    if row.side == SALESFORCE and {*row.fields.split(",")} <= {*_rewritten_fields(world)}:
        return True  # by the org's own code, so that no write of ours shows in the ledger
    by_us = [one for one in world.ledger.changes if one.by != "human" and one.id in (chart, contact)]
    names = {PATIENT[name].on(row.side): name for name in PATIENT}
    return all(
        max((sum(o.after == one.after and o.name == one.name for o in by_us) for one in by_us
             if one.name == names.get(field)), default=0) >= 3
        for field in row.fields.split(",")
    )  # fmt: skip


def _rewritten_fields(world):
    """Give what the org's own code rewrites, as Salesforce names it."""
    return [place.partition(".")[2] for place in world.vendors.org.settings.rewrites]


def _pair(world, chart, link, failure):
    """Compare a chart with its Contact."""
    contact = world.partner(DRCHRONO, chart)
    own = link and link.salesforce_id
    gone = [row for row in world.gone if row["DrChrono_Patient_Id__c"] == str(chart) or row["Id"] == own]
    if contact is None:
        if failure is not None:
            return []  # its Contact was deleted, or merged into another chart's: that is for a person to say
        return [f"{chart} has no Contact" + (" and nobody is told that it was deleted" if gone else "")]
    if gone and contact in world.named and failure is not None:
        return []  # deleted, and entered anew by hand: that is for a person to say
    if contact in world.named and failure is not None and failure.cause == "DUPLICATE_VALUE":
        return []  # somebody has another Contact name the chart of this one
    if link is None or link.salesforce_id != contact:
        return [f"{chart} is linked to {link and link.salesforce_id}, its Contact is {contact}"]
    excused = set(failure.fields.split(",")) if failure is not None else set()
    is_dismissed = failure is not None and failure.dismissed_at is not None
    left = world.ledger.read(DRCHRONO, chart, world.charts[chart])
    right = world.ledger.read(SALESFORCE, contact, world.contacts[contact])
    found = []
    for name, row in PATIENT.items():
        here, there = left[name], right[name]
        if here != there and not is_dismissed and not excused & {row.drchrono, row.salesforce}:
            found.append(f"{chart}: {name} is {here!r} in DrChrono and {there!r} in Salesforce")
        if here not in world.ledger.values.get((chart, name), {None}) | {None}:
            found.append(f"{chart}: nobody ever entered {name}={here!r}")
    return found


def _visit(world, visit, failure):
    """Compare a visit with what Salesforce booked of it."""
    booked = world.partner(DRCHRONO, visit["id"])
    rows = world.vendors.org.tables["drchrono_appointment__c"].rows.values()
    gone = [row for row in rows if row["IsDeleted"] and row["DrChrono_Id__c"] == visit["id"]]
    is_orphan = world.partner(DRCHRONO, visit["patient"]) is None
    if booked is None:
        is_settled = visit["deleted_flag"] or failure is not None or (gone and visit["status"] == "Cancelled")
        return [] if is_settled or is_orphan else [f"visit {visit['id']} is not in Salesforce, and nobody is told why"]
    left = world.ledger.read(DRCHRONO, visit["id"], visit)
    right = world.ledger.read(SALESFORCE, booked, world.booked[booked])
    names = ("deleted",) if visit["deleted_flag"] else tuple(VISIT)
    return [
        f"visit {visit['id']}: {name} is {left[name]!r} in DrChrono and {right[name]!r} in Salesforce"
        for name in names
        if left[name] != right[name] and not (name == "patient" and is_orphan)
    ]


def _contacts(world):
    keys = [row["DrChrono_Patient_Id__c"] for row in world.contacts.values() if row["DrChrono_Patient_Id__c"]]
    strange = [key for key in keys if int(key) not in world.charts and int(key) not in world.vanished]
    return [f"a Contact bears {key}, which is no chart" for key in strange] + (
        ["two Contacts for one chart"] if len(keys) != len(set(keys)) else []
    )


def _thrift(world):
    """Every write that changed something is paid for by an edit; a link made, or moved by a merge, by one more."""
    ledger, merged = world.ledger, {row["Id"]: row["MasterRecordId"] for row in world.gone if row["MasterRecordId"]}

    def thing(side, id_):
        return id_ if side == DRCHRONO else world.partner(side, _winner(merged, id_)) or world.partner(side, id_) or id_

    writes, edits = Counter(), Counter(ledger.made)
    for total, counts in ((writes, ledger.writes), (edits, ledger.edits)):
        for one, count in counts.items():
            total[one[2] or thing(*one[:2])] += count
    edits.update(thing(SALESFORCE, id_) for id_ in merged)
    for one, count in writes.items():
        if count > edits[one]:
            yield f"{one}: {count} writes that changed something for {edits[one]} edits, links and merges"


def _winner(merged, id_):
    while id_ in merged:
        id_ = merged[id_]
    return id_


def _asked(world, failed, known):
    """Who was asked to have a chart has one, or waits for a person."""
    told = {known[link_id].salesforce_id for link_id in failed}
    for id_, row in world.contacts.items():
        if row["Sync_To_DrChrono__c"] and not row["DrChrono_Patient_Id__c"] and id_ not in told:
            yield f"{id_} was to have a chart, has none, and nobody is told why"
