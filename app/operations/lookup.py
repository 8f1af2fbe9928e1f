"""Lookup: any id that a person pastes, and the page it leads to; nobody need say what it is the id of.

What we gave an id ourselves (a delivery, a call, a link, a conflict) is found by the whole of it; a delivery and a call
also by its last characters, as pages show them, among the newest. A record is found by either system's id, in any kind.
A chart id only Salesforce knows: that is the one question put to it, and only where nothing else has that id.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

from app.operations import conflicts, patients, records
from app.operations.records import RecordView
from app.runtime import Runtime
from app.store import deliveries, record_views
from app.sync.model import RecordRef, Side
from app.vendors.salesforce.wire import long_id

_MOST_WORDS = 5
_WORD = re.compile(r"[\w-]+", re.ASCII)
_OURS = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
_END_OF_OURS = re.compile(r"[0-9A-HJKMNP-TV-Z]{6,25}", re.ASCII)
_CHART = re.compile(r"(?=.*\d)[\w-]{4,64}", re.ASCII)
_DRCHRONO = re.compile(r"[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What has an id: in words, and the path of its page."""

    text: str
    path: str


async def find_by_id(runtime: Runtime, typed: str) -> list[LookupResult]:
    """Give what has the id that was typed, whatever stands around it; nothing where nothing has.

    Raises  StoreUnavailable
    """
    words = sorted(dict.fromkeys(_WORD.findall(typed)), key=len, reverse=True)  # an id is longer than what is around it
    for word in words[:_MOST_WORDS]:
        found = [*await _of_records(runtime, word), *await _of_ours(runtime, word.upper())]
        if found:
            return list({one.path: one for one in found}.values())
    return await _of_charts(runtime, words[0]) if len(words) == 1 and _CHART.fullmatch(words[0]) else []


async def _of_records(runtime: Runtime, word: str) -> list[LookupResult]:
    if _DRCHRONO.fullmatch(word):
        side = Side.DRCHRONO
    elif long_id(word):
        side = Side.SALESFORCE
    else:
        return []
    found = [await records.find(runtime, RecordRef(side, kind, word)) for kind in runtime.mappings]
    return [_of_record(one) for one in found if one is not None]


async def _of_ours(runtime: Runtime, word: str) -> list[LookupResult]:
    database = runtime.database
    if _OURS.fullmatch(word):
        delivered, called = [word], [word]
        conflict, linked = await conflicts.find(runtime, word), await record_views.by_id(database, word)
    elif _END_OF_OURS.fullmatch(word):
        delivered = await deliveries.ids_ending(database, word)
        called = await record_views.calls_ending(database, word)
        conflict, linked = None, None
    else:
        return []
    found = [
        LookupResult(f"Delivery {id_}", f"/deliveries/{id_}")
        for id_ in delivered
        if await deliveries.one(database, id_) is not None
    ]
    calls = {id_: await record_views.of_call(database, id_) for id_ in called}
    found += [
        LookupResult(f"Call {id_} for {records.about(one)}", f"{path_of(one)}#{id_}")
        for id_, one in calls.items()
        if one is not None
    ]
    if conflict is not None:
        found.append(LookupResult(f"Conflict of {conflicts.named(conflict)}", f"/conflicts/{conflict.id}"))
    return [*found, *([_of_record(linked)] if linked is not None else [])]


async def _of_charts(runtime: Runtime, word: str) -> list[LookupResult]:
    """Give the patients whose chart id it is, as Salesforce knows them."""
    people = await patients.searched(runtime, word)
    charts = [one for one in (people.items if people else ()) if (one.chart or "").upper() == word.upper()]
    return [_of_record(one.known) for one in charts if one.known is not None]


def _of_record(one: RecordView) -> LookupResult:
    return LookupResult(records.about(one).capitalize(), path_of(one))


def path_of(one: RecordView) -> str:
    """Give the path of a record's page."""
    return f"/records/{one.ref.side.value}/{one.ref.kind.value}/{quote(one.ref.id, safe='')}"
