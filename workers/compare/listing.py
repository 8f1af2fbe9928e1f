"""Listing: a vendor's records of a kind, those that changed since a moment or all of them, from any cursor on.

DrChrono's bulk lists give a thousand records for two or three calls, its plain lists at most 250 for one: all of a
kind comes by the first, where DrChrono has them, and what has changed lately by the second. Salesforce has no cursors
that last, so each page begins behind the last record of the one before. Whether a row says anything but what both
sides last agreed on is told from our own base; no call is made for it. Each row is read for itself: one that is no
record with a usable id is passed over and counted.

What was there before both sides were connected is no comparison's business until its kind was loaded: `unloaded`.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ulid import ULID

from app.errors import BatchFailed, SyncError
from app.log import log
from app.metrics.definitions import UNREADABLE_ROWS
from app.ports import LISTED, Delivery, RecordEvent, SealedColumn
from app.runtime import Runtime
from app.store import backfills, documents, links
from app.sync.base import Rules
from app.sync.create import is_opted_in
from app.sync.deletions import is_deleted
from app.sync.dismissals import is_as_shown
from app.sync.mappings.codecs import is_record_id
from app.sync.mappings.table import Table
from app.sync.model import Exclusion, Kind, Lane, Link, Side, Snapshot
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.drchrono.bulk_lists import bulk_pages
from app.vendors.drchrono.client import DrChrono
from app.vendors.salesforce import search
from app.vendors.salesforce import wire as salesforce
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.files import SalesforceFiles
from app.vendors.salesforce.wire import moment
from workers.batch import drchrono_of
from workers.bisection import one_by_one

LATE = timedelta(minutes=10)  # what Salesforce stamped may be committed a little later


EVER = datetime(2000, 1, 1, tzinfo=UTC)


_SHOWN: Mapping[Kind, Mapping[str, str]] = {
    Kind.PATIENT: {"show_inactive": "true"},
    Kind.APPOINTMENT: {"show_archived": "true", "ignore_virtual": "true"},
}


_BULK, _PLAIN = "bulk", "plain"


_ODD_ROWS = "all others were read; have the vendor look for records without an id in that list"


_ACTIVE = "A"  # of `patient_status`


_STAMP = "SystemModstamp"


_PATIENTS = 200  # of whom Salesforce is asked at once


@dataclass(frozen=True, slots=True)
class Page:
    """Some records as the vendor gave them; `next_cursor`: of the next page, empty after the last.

    of          how many records there are in all, where the vendor says so
    unreadable  how many rows were no record with a usable id, and were passed over
    """

    rows: list[dict[str, Any]]
    next_cursor: str
    of: int | None = None
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Resume:
    """What was read already: the cursor of the next page, how many records came, and how many there were."""

    cursor: str = ""
    read: int = 0
    of: int | None = None


FROM_START = Resume()


async def read_ahead(pages: AsyncGenerator[Page]) -> AsyncGenerator[Page]:
    """Give pages, each of them read while the one before is worked on; closing it leaves nothing running."""
    following = asyncio.ensure_future(anext(pages, None))
    async with aclosing(pages):
        try:
            while (page := await following) is not None:
                following = asyncio.ensure_future(anext(pages, None))
                yield page
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def drchrono_pages(
    client: DrChrono, table: Table, since: datetime | None, before: Resume = FROM_START
) -> AsyncGenerator[Page]:
    """Give DrChrono's records of a kind, deleted and inactive ones too; `since` None: all of them.

    That the bulk list of patients takes `show_inactive` is nowhere said. One that shows no inactive patient at all may
    have hidden them, so the plain list, which is known to take it, is gone through as well.

    Raises  VendorError
    """
    how, _, where = before.cursor.partition(" ")
    needs_day = since is not None or table.kind is Kind.APPOINTMENT
    day = {"since": wire.since(since or EVER)} if needs_day else {}
    asked = {} if table.is_one_way else {**day, **_SHOWN.get(table.kind, {})}
    seen = set[str]()
    if since is None and table.kind in _SHOWN and how != _PLAIN:
        has_bulk = shows_inactive = False
        async with aclosing(_bulk(client, table.path, asked, before, seen)) as pages:
            async for page in pages:
                has_bulk, shows_inactive = True, shows_inactive or any(map(_is_inactive, page.rows))
                yield page
        if has_bulk and (shows_inactive or table.kind is not Kind.PATIENT):
            return
        where = ""
    async for rows, next_cursor in client.places(table.path, asked, where):
        records = wire.readable(rows)
        news = [record for record in records if wire.record_id(record) not in seen]
        there = f"{_PLAIN} {next_cursor}" if next_cursor else ""
        yield Page(news, there, unreadable=len(rows) - len(records))


def _is_inactive(row: Mapping[str, Any]) -> bool:
    return row.get("patient_status") not in (None, "", _ACTIVE)


async def _bulk(
    client: DrChrono, path: str, asked: Mapping[str, str], before: Resume, seen: set[str]
) -> AsyncGenerator[Page]:
    """Give the pages of a bulk list, and note in `seen` what they hold; none where there is no such list.

    Each page is cut from the list as it is by then: where a record goes, another slips to a page that was read. So
    where fewer came than there ever were, the list is gone through once more for those that are missing.
    """
    first = int(before.cursor.removeprefix(_BULK) or 1)
    most, unreadable = before.of or 0, 0
    for start in (first, 1):
        async with aclosing(bulk_pages(client, path, asked, start)) as pages:
            async for found in pages:
                records = wire.readable(found.rows)
                rows = [record for record in records if wire.record_id(record) not in seen]
                seen |= {wire.record_id(row) for row in rows}
                most = max(most, found.of or 0)
                odd = len(found.rows) - len(records) if start == first else 0  # passed over once, it is no news
                unreadable += odd
                yield Page(rows, "" if found.is_last else f"{_BULK} {found.number + 1}", most or None, odd)
        if before.read + len(seen) + unreadable >= most:
            return


async def salesforce_pages(
    client: Salesforce, table: Table, since: datetime | None, place: str
) -> AsyncGenerator[Page]:
    """Give Salesforce's records of a kind by change stamp, deleted ones too; `since` None: all that may concern us.

    Of all Contacts there ever were, those concern us that name a chart or ask to be taken over.
    """
    names = (*table.fields, table.external_id)
    concerns_us = search.concerned(table) if since is None else ""
    after = (since or EVER) - LATE
    while True:
        stamp, _, last = place.partition(" ")
        found = await client.changed(table.object, after, (stamp, last) if last else None, names, concerns_us)
        records = salesforce.readable(found)
        places = [
            f"{row['SystemModstamp']} {row['Id']}" for row in records if _is_moment(row.get(_STAMP))
        ]  # nothing can be asked for behind another row
        before, place = place, places[-1] if places else ""
        if found:
            yield Page(records, place, unreadable=len(found) - len(records))
        if not place or place == before:
            return


async def file_pages(runtime: Runtime, client: Salesforce, table: Table, place: str) -> AsyncGenerator[Page]:
    """Give every version of every File that is on a linked patient's record, two hundred patients at a time.

    Salesforce shows a File that one sees through a record to whoever asks by that record, and in no list without the
    permission Query All Files.
    """
    files = SalesforceFiles(client, (*table.fields, table.external_id))
    while records := await documents.next_records(runtime.database, place, _PATIENTS):
        found = await files.of_records(records, latest_only=False)
        rows = {str(row["Id"]): row for some in found.values() for row in salesforce.readable(some)}
        place = records[-1]
        yield Page(list(rows.values()), place if len(records) == _PATIENTS else "")
        if len(records) < _PATIENTS:
            return


def _is_moment(said: Any) -> bool:
    try:
        return datetime.fromisoformat(str(said)).tzinfo is not None
    except ValueError:
        return False


async def newest_stamps(runtime: Runtime, table: Table) -> dict[Side, str]:
    """Give the newest change stamp that either side shows of a kind, or a day or moment before which nothing changed.

    In what zone DrChrono stamps is nowhere said, so a stamp is only ever compared with others of its side.

    Raises  VendorError
    """
    assert runtime.salesforce is not None
    now = runtime.now()
    newest = wire.since(now)  # of what was changed before that day, `drchrono_pages` shows nothing
    client = drchrono_of(runtime, table.kind, Lane.COMPARE)
    assert client is not None
    async for page in drchrono_pages(client, table, now):
        newest = max([newest, *(wire.version(row) for row in page.rows)])
    org, since = runtime.salesforce.on(Lane.COMPARE), moment(now - wire.DAYS)
    last = await org.select(table.object, [_STAMP], f"{_STAMP} >= {since}", [f"{_STAMP} DESC"], 1)
    found = [str(row[_STAMP]) for row in last if _is_moment(row.get(_STAMP))]
    return {Side.DRCHRONO: newest, Side.SALESFORCE: found[0] if found else since}


async def unloaded(runtime: Runtime, kind: Kind, side: Side, versions: Mapping[str, str]) -> set[str]:
    """Give which of a side's records are left as they are until a person has their kind loaded.

    Those are the ones nobody has heard of that were last changed before both sides were connected. Doctors and offices
    are needed by everything, and come at once.

    versions  record id -> its change stamp
    """
    if runtime.mappings[kind].is_one_way or not versions:
        return set()
    known = await backfills.of_kind(runtime.database, kind)
    if known.is_loaded:
        return set()
    newest = known.newest.get(side)
    before = [id_ for id_, version in versions.items() if newest is None or _is_not_after(side, version, newest)]
    return set(before) - await links.heard_of(runtime.database, kind, before, side)


def _is_not_after(side: Side, stamp: str, newest: str) -> bool:
    if side is Side.DRCHRONO:
        return stamp <= newest
    return not _is_moment(stamp) or datetime.fromisoformat(stamp) <= datetime.fromisoformat(newest)


async def of_linked_patients(runtime: Runtime, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the documents of patients that are linked and in the set that is synced, and those that are linked.

    One that may not travel is left out while it is what it was: to read all of it again would tell nothing more.
    """
    refused = await documents.refused_at(runtime.database, {wire.record_id(row) for row in rows})
    rows = [row for row in rows if refused.get(wire.record_id(row)) != wire.version(row)]
    ids = {str(row["patient"]) for row in rows if is_record_id(row.get("patient"))}
    patients = await documents.records_of(runtime.database, ids, in_the_set=True)
    others = [wire.record_id(row) for row in rows if str(row.get("patient")) not in patients]
    known = await links.heard_of(runtime.database, Kind.DOCUMENT, others, Side.DRCHRONO) if others else set()
    return [row for row in rows if str(row.get("patient")) in patients or wire.record_id(row) in known]


def listed_delivery(runtime: Runtime, kind: Kind, row: Mapping[str, Any], scan_id: str, lane: Lane | None) -> Delivery:
    """Give a row as a delivery to ourselves, kept once a scan however often it is listed.

    lane  in which its record falls due by it; None: not yet
    """
    record_id, version = wire.record_id(row), wire.version(row)
    parts = (LISTED, scan_id, kind, record_id, version)
    key = runtime.keys.digest(*(part.encode() for part in parts))
    kept, id_ = runtime.mappings[kind].keep(row, "id", "updated_at", *wire.BESIDE), str(ULID())
    sealed = runtime.vault.seal(kept, SealedColumn.DELIVERY_BODY.of(id_))
    events = (RecordEvent(Side.DRCHRONO, kind, record_id, version, lane),)
    return Delivery(Side.DRCHRONO, LISTED, None, key, sealed, "kept", events, id_)


def record_unreadable_rows(runtime: Runtime, kind: Kind, side: Side, count: int) -> None:
    """Count and log the rows of a list that were passed over, because they were no record with a usable id."""
    for _ in range(count):
        runtime.counts.add(UNREADABLE_ROWS, side, kind)
    if count:
        log.warning("list.rows_unreadable", side=side.value, kind=kind.value, records=count, advice=_ODD_ROWS)


def changed_rows(rules: Rules, rows: Sequence[dict[str, Any]], agreed: Mapping[str, Link]) -> dict[str, dict[str, Any]]:
    """Give, by its id, each row of DrChrono's that tells of something; one of which that cannot be said is looked at.

    agreed  record id -> the link that is weighed by what it holds
    Raises  BatchFailed where it can be said of none
    """
    found = {wire.record_id(row): row for row in rows}
    told = one_by_one(found, lambda row: drchrono_row_changed(rules, row, agreed.get(wire.record_id(row))))
    return {record_id: found[record_id] for record_id in _news(told)}


async def with_failed(
    runtime: Runtime, kind: Kind, rows: Sequence[dict[str, Any]], agreed: Mapping[str, Link], told: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Give the rows that tell of something, and those of records that wait for a person and are not to travel any more.

    One that DrChrono has deleted since, or that has left the set, may have nothing to wait for.

    agreed, told  as in `changed_rows`, and what that gave
    Raises  StoreUnavailable
    """
    quiet = {id_: row for row in rows if (id_ := wire.record_id(row)) not in told and id_ not in agreed}
    failed = await links.failed_links(runtime.database, kind, list(quiet), Side.DRCHRONO) if quiet else {}
    return told | {id_: quiet[id_] for id_ in failed}


def changed_contacts(
    rules: Rules, reader: SideReader, rows: Sequence[dict[str, Any]], agreed: Mapping[str, Link]
) -> dict[str, str]:
    """Give, by its Id, the stamp of each living row of Salesforce's that tells of something; as `changed_rows`."""
    living = {row["Id"]: row for row in rows if not row.get("IsDeleted")}
    told = one_by_one(living, lambda row: salesforce_row_changed(rules, reader.salesforce(row), agreed.get(row["Id"])))
    return {record_id: str(living[record_id].get("SystemModstamp") or "") for record_id in _news(told)}


def _news(told: Mapping[str, bool | SyncError]) -> list[str]:
    for error in told.values():
        if isinstance(error, BatchFailed):
            raise error
    return [record_id for record_id, is_news in told.items() if is_news]


def drchrono_row_changed(rules: Rules, row: Mapping[str, Any], link: Link | None) -> bool:
    """Say whether a row of DrChrono's tells of something; `link`: None where it is in none, or waits for a person.

    One that was dismissed does when it does not show what it did then.
    Its stamp does not tell: of two edits in one second the first may be all we heard of. Of what is in no link,
    deleted visits and breaks will never be in one. Doctors and offices are looked at whatever DrChrono says: an edit
    of Salesforce's is put back.
    """
    is_dismissed = link is not None and link.is_dismissed
    if rules.table.is_one_way and not is_dismissed:
        return True
    record_id = wire.record_id(row)
    snapshot = SideReader(rules.table).drchrono(record_id, row, confirmed=False)
    if link is not None and is_dismissed:
        return _crosses(link, snapshot, Exclusion.DRCHRONO) or not is_as_shown(rules, link, Side.DRCHRONO, snapshot)
    if link is None:
        return not is_deleted(rules, snapshot) and not snapshot.skipped and snapshot.is_included is not False
    return _crosses(link, snapshot, Exclusion.DRCHRONO) or (_may_be_in(link) and bool(rules.news(link, snapshot)))


def salesforce_row_changed(rules: Rules, snapshot: Snapshot, link: Link | None) -> bool:
    """Say whether a living record of Salesforce's tells of something; `link` as above.

    A record in no link does when it names a chart, or asks to be taken over.
    """
    if link is None:
        is_meant = snapshot.key is not None or is_opted_in(rules.table, snapshot)
        return not rules.table.is_one_way and is_meant and snapshot.is_included is not False
    if link.is_dismissed:
        return _crosses(link, snapshot, Exclusion.SALESFORCE) or not is_as_shown(rules, link, Side.SALESFORCE, snapshot)
    is_named = snapshot.key == link.drchrono_id
    is_news = not is_named or bool(rules.news(link, snapshot))
    return _crosses(link, snapshot, Exclusion.SALESFORCE) or (_may_be_in(link) and is_news)


def _crosses(link: Link, snapshot: Snapshot, side: Exclusion) -> bool:
    """Say whether a record comes into the set that is synced, or leaves it, by what its side shows."""
    return (snapshot.is_included is False) is not (side in link.excluded_by)


def _may_be_in(link: Link) -> bool:
    """Say whether a record is in the set, or out of it only for another's sake, who may be back."""
    return link.excluded_by <= {Exclusion.PARENT}
